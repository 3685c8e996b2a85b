#!/usr/bin/env python3
"""pgbench's time for a voucher (voucher_pgbench.sql), as Google Benchmark would print it.

  CARREL_TEST_SERVERS=DIR bench/db/voucher_pgbench.py [--min-time=S]

DIR is a folder of tools/test-servers. Eight clients, prepared statements. Once with a thread for
every client, as the other programs have it, and once with a thread for every processor; the faster
of both counts.
"""
import argparse
import glob
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
CLIENTS = 8
# About what pgbench reaches; turns seconds into a number of transactions.
VOUCHERS_PER_SECOND = 10_000


def server():
    path = pathlib.Path(os.environ.get("CARREL_TEST_SERVERS", ""), "servers.env")
    if not path.exists():
        sys.exit("voucher_pgbench: no server: run this through bench/compare")
    return dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())


def program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else name


def call(command, settings):
    environment = {**os.environ, "PGPASSWORD": settings["PASSWORD"], "PGHOST": "127.0.0.1",
                   "PGPORT": settings["POSTGRES_PORT"], "PGUSER": "postgres",
                   "PGDATABASE": "postgres", "PGSSLMODE": "disable"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"voucher_pgbench: {command[0]}: {done.stderr.strip()}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--min-time", type=float, default=0.1)
    seconds = parser.parse_args().min_time
    settings = server()
    # Longer than other programs: the first vouchers of every connection prepare their statements.
    count = max(10, round(3 * seconds * VOUCHERS_PER_SECOND / CLIENTS))
    rates = []
    for threads in (CLIENTS, os.cpu_count()):
        call([program("psql"), "-q", "-f", HERE / "voucher_schema.sql"], settings)
        output = call([program("pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS),
                       "-j", str(threads), "-t", str(count),
                       "-f", HERE / "voucher_pgbench.sql"], settings)
        rates.append(float(re.search(r"tps = ([\d.]+) \(without initial", output).group(1)))
    version = re.search(r"^pgbench \(([\d.]+)", output).group(1)
    nanoseconds = 1e9 / max(rates)
    print(json.dumps({"context": {"pgbench": version},
                      "benchmarks": [{"name": f"Voucher_Pgbench/real_time/threads:{CLIENTS}",
                                      "run_type": "iteration", "time_unit": "ns",
                                      "cpu_time": nanoseconds, "real_time": nanoseconds}]}))


main()
