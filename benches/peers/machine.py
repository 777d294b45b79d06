"""What the figures were measured on."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
import time
from pathlib import Path

from processes import CACHE, ROOT

# Cores busy with other work, above which figures are of that work too.
QUIET = 0.2


def output(*command):
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def commit_of_tree():
    """The commit, with a `+` where tracked files differ from it."""
    commit = output("git", "rev-parse", "--short=9", "HEAD") or "unknown"
    # What this script writes does not change what it measures.
    changed = output("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    return commit + ("+" if changed else "")


def processor():
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        return found.group(1) if found else platform.machine()
    except OSError:
        return output("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()


def versions():
    """The main packages of each environment that is there."""
    wanted = {
        "peers": ["stable_baselines3", "sbx_rl", "torch", "jax", "gymnasium", "mujoco", "numpy"],
        "imitation": ["imitation", "stable_baselines3", "torch", "gymnasium", "numpy"],
    }
    for name, packages in wanted.items():
        found = []
        for package in packages:
            for info in sorted((CACHE / name).glob(f"lib/python*/site-packages/{package}-*.dist-info")):
                found.append(info.name.removesuffix(".dist-info").replace("_", "-"))
        if found:
            yield f"- environment `{name}`: {', '.join(found)}"


def busy_cores(seconds=1.0):
    """Cores at work while we are not; None where the system does not say."""

    def read():
        user, nice, system, idle, iowait, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
        return user + nice + system + sum(rest[:3])

    try:
        before = read()
        time.sleep(seconds)
        return (read() - before) / os.sysconf("SC_CLK_TCK") / seconds
    except OSError:
        return None


def describe(args, tools, measured):
    """The machine, the versions and the settings, as Markdown lines."""
    commits = ", ".join(sorted({m.commit for m in measured if m.commit}))
    threads = "one thread" if args.threads == 1 else f"{args.threads} threads"
    pinned = f"pinned to {'core' if args.threads == 1 else 'cores'} " + ", ".join(map(str, sorted(tools.cores or [])))
    quick = " --quick" if args.quick else ""
    yield f"`benches/peers/run{quick} --rounds {args.rounds} --threads {args.threads}`, {datetime.date.today()}"
    yield ""
    yield f"- {processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    busy = [m.busy for m in measured if m.busy is not None]
    if busy:
        yield f"- other work on the machine before a row: at most {max(busy):.2f} cores"
        if max(busy) > QUIET:
            yield "- **The machine was busy: these figures are not to be quoted.**"
    yield f"- every process with {threads}, {pinned if tools.cores else 'not pinned'}; in turn, round by round"
    given = ", built before" if args.spo or args.bench else ""
    yield f"- spo at {commits}{given}, {output('rustc', '--version') or 'no rustc'}, Python {platform.python_version()}"
    yield from versions()
