"""Steps per second of HalfCheetah-v5 in Gymnasium: one environment, and vectors with one environment per core.

Time is CPU time (Linux's schedstat), summed over a vector's workers and their parent. The printed rate is the rate of that
many busy cores.

    python3 gymnasium_stepping.py
"""

import os
from pathlib import Path

import gymnasium
import numpy as np

TASK, EPISODE, ROUNDS = "HalfCheetah-v5", 1000, 20
CORES = len(os.sched_getaffinity(0))


def spent(pids):
    """CPU seconds of the processes' first threads."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9


def measure(name, env, pids, envs, cores):
    shape = (EPISODE, 6) if envs is None else (EPISODE, envs, 6)
    actions = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    seconds = 0.0
    for seed in range(ROUNDS):
        env.reset(seed=seed)
        begun = spent(pids)
        for action in actions:
            env.step(action)
        seconds += spent(pids) - begun
    env.close()
    rate = ROUNDS * EPISODE * (envs or 1) / seconds
    print(f"{TASK}, {name}: {rate:.0f} steps a second of one core, {cores * rate:.0f} on {cores}")


if __name__ == "__main__":
    own = [os.getpid()]
    measure("gymnasium.make", gymnasium.make(TASK), own, None, 1)
    measure(f"SyncVectorEnv of {CORES}", gymnasium.make_vec(TASK, CORES, "sync"), own, CORES, 1)
    several = gymnasium.make_vec(TASK, CORES, "async")
    workers = [process.pid for process in several.processes]
    measure(f"AsyncVectorEnv of {CORES}", several, own + workers, CORES, CORES)
