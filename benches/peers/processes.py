"""Contenders as processes: on the same cores, with the same threads, from environments and builds of their own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spo-peers"
LIMIT_S = 900  # of one measurement


class Skip(Exception):
    """Why something cannot be measured here."""


class Tools:
    """Runs contenders: each in a process of its own, on the same cores, with the same number of threads."""

    def __init__(self, args):
        self.args = args
        self.cores = pick_cores(args.threads)
        self.made = {}
        self.scratch = tempfile.TemporaryDirectory(prefix="spo-peers-")

    def once(self, name, make):
        """What `make` makes, made once; so is its failure."""
        if name not in self.made:
            try:
                self.made[name] = make()
            except Skip as why:
                self.made[name] = why
        if isinstance(self.made[name], Skip):
            raise self.made[name]
        return self.made[name]

    def steps(self, full):
        return full // 2 if self.args.quick else full

    def seconds(self, full):
        return full / 2 if self.args.quick else full

    def run(self, command, everywhere=False, **env):
        """Runs to the end and returns (wall seconds, stdout); raises Skip with the last words of what fails.

        On the cores of every contender, or on all of the machine's.
        """
        if everywhere:
            env["RAYON_NUM_THREADS"] = "0"  # as many as there are cores

        def pin():
            if self.cores and not everywhere:
                os.sched_setaffinity(0, self.cores)

        start = time.perf_counter()
        try:
            done = subprocess.run(
                [str(part) for part in command],
                env={**self.environment(), **env},
                preexec_fn=pin,
                cwd=self.scratch.name,  # where MuJoCo leaves its log
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            raise Skip(f"`{Path(command[0]).name}` took more than {LIMIT_S} s")
        except OSError as error:
            raise Skip(f"cannot run `{command[0]}`: {error.strerror}")
        wall = time.perf_counter() - start
        if done.returncode:
            raise Skip(last_words(done.stderr) or f"exit status {done.returncode}")
        return wall, done.stdout

    def environment(self):
        """The caller's, less what would change a library's kernels or threads."""
        foreign = ("OMP_", "MKL_", "OPENBLAS_", "XLA_", "JAX_", "TORCH_", "RAYON_", "PYTHON", "SPO_", "BURN_")
        env = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        threads = str(self.args.threads)
        for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
            env[key] = threads
        if self.args.threads == 1:
            env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        return {**env, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}

    def spo(self, env, seed, scorer=None, **settings):
        """`spo train` in a directory that is then removed; returns (wall seconds, its summary)."""
        with tempfile.TemporaryDirectory() as temporary:
            out = Path(temporary) / "run"
            command = [self.binary("spo"), "train", env, "--seed", seed, "--out", out]
            command += ["--scorer", scorer] if scorer else []
            for key, value in settings.items():
                command += ["--set", f"{key}={value}"]
            wall, _ = self.run(command)
            return wall, json.loads((out / "summary.json").read_text())

    def criterion(self, group, everywhere=False):
        """Runs one group of our benchmark; returns its cases, median microseconds an iteration."""
        with tempfile.TemporaryDirectory() as home:
            times = [f"--warm-up-time={self.seconds(1)}", f"--measurement-time={self.seconds(2)}"]
            command = [self.binary("bench"), "--bench", f"^{group}/", *times]
            self.run(command, everywhere, CRITERION_HOME=home)
            cases = read_criterion(Path(home), group)
        if not cases:
            raise Skip(f"`cargo bench --bench update` has no group `{group}`")
        return cases

    def python(self, environment, script, *args):
        """Runs a contender's script in one of the environments; returns the JSON of its last line."""
        python = self.venv(environment)
        _, out = self.run([python, HERE / "contenders" / script, *args])
        return json.loads(out.strip().splitlines()[-1])

    def venv(self, name):
        """The interpreter of an environment, which is made anew when its pinned packages change."""
        return self.once(f"environment {name}", lambda: make_venv(name))

    def binary(self, name):
        """Our command or our benchmark, as given or built by cargo."""
        given = {"spo": self.args.spo, "bench": self.args.bench}[name]
        return Path(given).resolve() if given else self.once(f"binary {name}", lambda: build(name))


def make_venv(name):
    folder = CACHE / name
    python, stamp = folder / "bin" / "python", folder / "pins.sha256"
    wanted, lock = HERE / "environments" / f"{name}.txt", HERE / "environments" / f"{name}.lock"
    mark = hashlib.sha256(wanted.read_bytes() + lock.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == mark:
        return python
    say(f"setting up {folder}: a download of gigabytes, once")
    shutil.rmtree(folder, ignore_errors=True)
    setup(
        [sys.executable, "-m", "venv", folder],
        "cannot make a Python environment (on Debian, `apt-get install python3-venv`)",
    )
    setup(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted, "-c", lock],
        # Of pinned packages without an index, pip says that they conflict.
        "pip cannot install the peers (is a package index within reach?)",
    )
    # Only a whole environment has a stamp.
    stamp.write_text(mark)
    return python


def build(name):
    say(f"building {name} with cargo")
    verb, target = {
        "spo": (["build", "--release", "--bin", "spo"], "spo"),
        "bench": (["bench", "--bench", "update", "--no-run"], "update"),
    }[name]
    out = setup(
        ["cargo", *verb, "--message-format=json-render-diagnostics"],
        f"cargo cannot build {name} (--{name} takes a built one)",
    )
    for message in map(json.loads, out.splitlines()):
        # A benchmark's build makes the command too.
        if message.get("executable") and message["target"]["name"] == target:
            return Path(message["executable"])
    raise Skip(f"cargo built no {name}")


def setup(command, failure):
    """Runs an installer or a compiler; returns its stdout."""
    try:
        done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        raise Skip(f"`{command[0]}` is not installed")
    if done.returncode:
        raise Skip(f"{failure}: {last_words(done.stderr or done.stdout)}")
    return done.stdout


def read_criterion(home, group):
    """{case: median microseconds} of a criterion output folder, by the names that it records there."""
    cases = {}
    for described in sorted(Path(home).rglob("new/benchmark.json")):
        full_id = json.loads(described.read_text())["full_id"]
        if full_id.startswith(f"{group}/"):
            estimates = json.loads((described.parent / "estimates.json").read_text())
            cases[full_id.removeprefix(f"{group}/")] = estimates["median"]["point_estimate"] / 1e3
    return cases


def pick_cores(threads):
    """As many cores as threads, the last that this process may use; None where the system cannot pin."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        sys.exit(f"run: --threads {threads}, but there are {len(allowed)} cores")
    return set(allowed[-threads:])


def last_words(text):
    """What a failed program said it failed of: its line of error, or its last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(error|[\w.]*Error)\b", line, re.IGNORECASE)]
    return (errors[0] if errors else lines[-1] if lines else "")[:300]


def say(text):
    print(text, file=sys.stderr, flush=True)
