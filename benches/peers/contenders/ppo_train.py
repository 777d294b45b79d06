"""Training speed of Stable-Baselines3's or sbx's PPO at its default settings.

    ppo_train.py {sb3,sbx} ENV STEPS SEED

The first iteration, with its warm-up and JAX's compilation, is left out. Prints one line of JSON.
"""

import json
import os
import sys
import time

import torch

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))

ITERATION = 2048  # steps an update: the default of both


def main(library, env, steps, seed):
    if library == "sb3":
        from stable_baselines3 import PPO
    else:
        from sbx import PPO
    # 2048 steps, 10 epochs, batch 64, two tanh networks of 64x64, Adam at 3e-4: all defaults.
    model = PPO("MlpPolicy", env, seed=seed, device="cpu")
    assert (model.n_steps, model.n_epochs, model.batch_size, model.learning_rate) == (ITERATION, 10, 64, 3e-4)
    model.learn(ITERATION)
    start = time.perf_counter()
    model.learn(steps)
    seconds = time.perf_counter() - start
    # `learn` ends with a whole iteration.
    done = -(-steps // ITERATION) * ITERATION
    print(json.dumps({"steps_per_second": done / seconds, "env_steps": done}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
