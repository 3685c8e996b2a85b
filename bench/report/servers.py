"""The PostgreSQL that some programs run on: of its own for every run of bench/compare."""
import contextlib
import glob
import os
import subprocess
import tempfile

from report.machine import ROOT
from report.run import BenchmarkFailed

TOOL = ROOT / "tools/test-servers"


def postgres_is_installed():
    return bool(glob.glob("/usr/lib/postgresql/*/bin/postgres"))


def call(*arguments):
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkFailed(done.stderr.strip())


@contextlib.contextmanager
def postgres(wanted):
    """While it lasts, programs find the server through the environment. Gives whether there is one."""
    if not wanted or not postgres_is_installed():
        os.environ.pop("CARREL_TEST_SERVERS", None)
        yield False
        return
    with tempfile.TemporaryDirectory(prefix="carrel-bench-") as folder:
        # With its parent, so that it does not outlive a run that was killed.
        call("start", folder, "--only", "postgres", "--with-parent")
        os.environ["CARREL_TEST_SERVERS"] = folder
        try:
            yield True
        finally:
            del os.environ["CARREL_TEST_SERVERS"]
            call("stop", folder)
