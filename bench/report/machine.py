"""Where and of what the figures were taken."""
import os
import pathlib
import platform
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def first_value(path, key):
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        name, separator, value = line.partition(":" if ":" in line else "=")
        if separator and name.strip() == key:
            return value.strip().strip('"')
    return "unknown"


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def commit():
    name = git("rev-parse", "--short=12", "HEAD") or "unknown (no git checkout)"
    changed = git("status", "--porcelain", "--", "include", "src", "bench")
    return name + (" with local changes" if changed else "")


def compiler(build):
    """What CMake found, e.g. "gcc 12.2.0"; the programs need not say it."""
    settings = {}
    for path in pathlib.Path(build).glob("CMakeFiles/*/CMakeCXXCompiler.cmake"):
        settings.update(re.findall(r'^set\((\w+) "([^"]*)"\)', path.read_text(encoding="utf-8"),
                                   re.MULTILINE))
    name = settings.get("CMAKE_CXX_COMPILER_ID", "unknown")
    version = settings.get("CMAKE_CXX_COMPILER_VERSION", "")
    return f"{'gcc' if name == 'GNU' else name.lower()} {version}".strip()


def facts(context, build):
    """Ordered (what, value) pairs. `context` is what the programs said of themselves."""
    memory_kib = first_value("/proc/meminfo", "MemTotal").split()[0]
    memory = f"{int(memory_kib) / 1024 / 1024:.0f} GiB" if memory_kib.isdigit() else "unknown"
    return [
        ("processor", f"{first_value('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores"),
        ("memory", memory),
        ("system", f"{first_value('/etc/os-release', 'PRETTY_NAME')}, Linux {platform.release()}, "
                   f"glibc {context.get('glibc', platform.libc_ver()[1])}"),
        ("compiler", context.get("compiler") or compiler(build)),
        ("commit", commit()),
    ]


def load():
    return os.getloadavg()[0]


def load_text(before):
    """How busy the machine was, and what that does to the figures."""
    text = f"{before:.2f} on {os.cpu_count()} cores"
    if before > 0.5:
        text += ": **busy; times are too long, and ratios are rough. Run it again on a quiet machine**"
    return text
