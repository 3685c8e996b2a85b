#!/usr/bin/env python3
"""pgbench's time for a voucher (voucher_pgbench.sql), as Google Benchmark would print it.

  CARREL_TEST_SERVERS=DIR bench/db/voucher_pgbench.py [--min-time=S]

DIR is a folder of tools/test-servers. Eight clients, prepared statements, and as many threads of
pgbench as there are processors: with fewer or more it was slower.
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
    call([program("psql"), "-q", "-f", HERE / "voucher_schema.sql"], settings)
    count = max(10, round(seconds * VOUCHERS_PER_SECOND / CLIENTS))
    output = call([program("pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS),
                   "-j", str(os.cpu_count()), "-t", str(count),
                   "-f", HERE / "voucher_pgbench.sql"], settings)
    tps = float(re.search(r"tps = ([\d.]+) \(without initial connection time\)", output).group(1))
    version = re.search(r"^pgbench \(([\d.]+)", output).group(1)
    print(json.dumps({"context": {"pgbench": version},
                      "benchmarks": [{"name": f"Voucher_Pgbench/real_time/threads:{CLIENTS}",
                                      "run_type": "iteration", "time_unit": "ns",
                                      "cpu_time": 1e9 / tps, "real_time": 1e9 / tps}]}))


main()
