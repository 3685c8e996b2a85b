#!/usr/bin/env python3
"""Replays operations against `carrel serve`, kills it in the middle, and proves that nothing was lost.

    tests/endtoend/replay_through_crash.py --program build/release/carrel --operations 200000

What it does, with real processes on a free port of the loopback address and a temporary folder:
  1. makes a file of operations from a seed, with tools/make-ops;
  2. starts the server and replays the file over many connections; when about half of the operations
     are acknowledged, kills the server with SIGKILL;
  3. starts it again, on the same files: every key acknowledged before the kill must have its voucher;
  4. replays the whole file: every operation gets an answer, and what was booked before is replayed;
  5. replays it once more: now nothing at all may be accepted as new;
  6. verifies the books with `carrel check`, through the server and, after it stopped, on the files.

Exits with 0 only if all of it holds.
"""
import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
START_MAX_S = 60


class Failed(Exception):
    pass


def require(condition, message):
    if not condition:
        raise Failed(message)


def say(message):
    print(f"-- {message}", flush=True)


class Server:
    """One `carrel serve` process, always ended by its own id."""

    def __init__(self, program, data, port=0):
        self.port_file = data.parent / "port"
        self.port_file.unlink(missing_ok=True)
        self.log = open(data.parent / "server.log", "ab")
        self.process = subprocess.Popen(
            [program, "serve", "--data", data, "--port", str(port), "--port-file", self.port_file],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + START_MAX_S
        while not (self.port_file.exists() and self.port_file.read_text().strip()):
            require(self.process.poll() is None, f"the server ended at once: see {self.log.name}")
            require(time.monotonic() < deadline, f"the server did not start in {START_MAX_S} s")
            time.sleep(0.05)
        self.port = int(self.port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self.log.close()
        require(status == 0, f"the server drained with status {status}")


class Campaign:
    def __init__(self, options, folder):
        self.options = options
        self.program = options.program
        self.data = folder / "data"
        self.operations = folder / "operations.jsonl"
        self.acks = folder / "acks.txt"
        self.server = None

    def load(self, check=True, patience_s=30):
        command = [self.program, "load", "--file", self.operations, "--server", self.server.url,
                   "--connections", str(self.options.connections), "--acks", self.acks, "--json",
                   "--patience", str(patience_s)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if check:
            require(done.returncode == 0, f"carrel load ended with {done.returncode}: {done.stdout}")
        return json.loads(done.stdout)

    def check(self, *where):
        done = subprocess.run([self.program, "check", *where, "--acks", self.acks],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        require(done.returncode == 0, f"carrel check found trouble:\n{done.stdout}")
        say("carrel check: clean")

    def acknowledged(self):
        return self.acks.read_bytes().count(b"\n") if self.acks.exists() else 0

    def kill_at(self, acknowledgements):
        seen = 0
        while not self.acks.exists():
            time.sleep(0.01)
        with open(self.acks, "rb") as acks:
            while seen < acknowledgements and self.server.process.poll() is None:
                seen += acks.read().count(b"\n")
                time.sleep(0.02)
        self.server.kill()

    def run(self):
        say(f"{self.options.operations} operations from seed {self.options.seed}")
        with open(self.operations, "wb") as out:
            subprocess.run([sys.executable, ROOT / "tools" / "make-ops", "--operations",
                            str(self.options.operations), "--seed", str(self.options.seed)],
                           stdout=out, check=True)

        self.server = Server(self.program, self.data)
        killer = threading.Thread(target=self.kill_at, args=(self.options.operations // 2,))
        killer.start()
        first = self.load(check=False, patience_s=1)
        killer.join()
        say(f"killed the server with {self.acknowledged()} operations acknowledged")
        require(first["totals"]["accepted"] > 0, "nothing was accepted before the kill")
        require(first["ending"] != "complete", "the replay ended before the kill: nothing was tested")

        self.server = Server(self.program, self.data)
        self.check("--server", self.server.url)

        second = self.load()
        say(f"replayed: {json.dumps(second['totals'])}, {second['operations_per_second']:.0f}/s, "
            f"p99 {second['latency_ms']['p99']:.1f} ms")
        require(second["totals"]["replayed"] > 0, "what was booked before the kill was not replayed")
        self.check("--server", self.server.url)

        third = self.load()
        say(f"replayed again: {json.dumps(third['totals'])}")
        require(third["totals"]["accepted"] == 0, "a second replay booked something twice")
        require(third["totals"]["refused"] == second["totals"]["refused"],
                "a second replay refused other operations than the first")

        self.check("--server", self.server.url)
        self.server.stop()
        self.check("--data", self.data)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="carrel-replay-") as folder:
        campaign = Campaign(options, pathlib.Path(folder))
        try:
            campaign.run()
        except Failed as failure:
            log = pathlib.Path(folder) / "server.log"
            if log.exists():
                print("".join(log.read_text(errors="replace").splitlines(keepends=True)[-20:]))
            sys.exit(f"FAILED: {failure}")
        finally:
            if campaign.server and campaign.server.process.poll() is None:
                campaign.server.kill()
    print("nothing lost, nothing twice, both books clean")


if __name__ == "__main__":
    main()
