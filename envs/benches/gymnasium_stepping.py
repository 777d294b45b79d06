"""Steps a second of HalfCheetah-v5 in Gymnasium on one thread, by the seconds it spent on a core: python3 gymnasium_stepping.py"""

import time

import gymnasium
import numpy as np

EPISODE, ROUNDS = 1000, 50

env = gymnasium.make("HalfCheetah-v5")
actions = np.random.default_rng(0).uniform(-1, 1, (EPISODE, 6)).astype(np.float32)
spent = 0.0
for seed in range(ROUNDS):
    env.reset(seed=seed)
    begun = time.thread_time()
    for action in actions:
        env.step(action)
    spent += time.thread_time() - begun
print(f"HalfCheetah-v5, 1 thread: gymnasium {ROUNDS * EPISODE / spent:.0f} steps/s")
