"""Records trajectories of Gymnasium and DM Control from explicit states, in this folder's file format.

    python3 record.py FOLDER ID [--seed N] [--steps N] [--speed V]     such as Humanoid-v5 or dmc:finger-spin

The task's own reset draws the state; with --speed V the velocities are uniform within +-V. The state is then set into
fresh simulator data (no warm start), so the trajectory depends on nothing else. Actions are float32, uniform within the
bounds. Steps continue after termination.
"""

import argparse
import json
import pathlib

import mujoco
import numpy as np


def gymnasium_task(name, seed, steps, speed):
    import gymnasium

    env = gymnasium.make(name).unwrapped
    env.reset(seed=seed)
    qpos, qvel = env.data.qpos.tolist(), velocities(env.data.qvel, seed, speed)
    mujoco.mj_resetData(env.model, env.data)
    env.set_state(np.array(qpos), np.array(qvel))
    low, high = env.action_space.low, env.action_space.high
    yield {
        "env": name,
        "source": "gymnasium",
        "versions": {"gymnasium": gymnasium.__version__, "mujoco": mujoco.__version__, "numpy": np.__version__},
        "init": {"qpos": qpos, "qvel": qvel},
        "obs0": env._get_obs().tolist(),
    }
    for action in actions(seed, steps, low, high):
        obs, reward, terminated, _, _ = env.step(action)
        yield action, obs.tolist(), float(reward), bool(terminated)


def suite_task(name, seed, steps, speed):
    import dm_control
    from dm_control import suite

    domain, task = name.removeprefix("dmc:").split("-", 1)
    env = suite.load(domain, task, task_kwargs={"random": seed})
    env.reset()
    physics = env.physics
    init = {"qpos": physics.data.qpos.tolist(), "qvel": velocities(physics.data.qvel, seed, speed)}
    if domain == "reacher":
        init["target"] = physics.named.model.geom_pos["target", ["x", "y"]].tolist()
    if domain == "finger" and task != "spin":
        init["target"] = physics.named.model.site_pos["target", ["x", "z"]].tolist()
    mujoco.mj_resetData(physics.model.ptr, physics.data.ptr)
    physics.data.qpos[:], physics.data.qvel[:] = init["qpos"], init["qvel"]
    physics.after_reset()
    see = lambda: {k: np.atleast_1d(v).ravel().tolist() for k, v in env.task.get_observation(physics).items()}
    spec = env.action_spec()
    yield {
        "env": name,
        "source": "dm_control suite",
        "versions": {"dm_control": "1.0.50", "mujoco": mujoco.__version__, "numpy": np.__version__},
        "init": init,
        "obs0": see(),
    }
    for action in actions(seed, steps, spec.minimum, spec.maximum):
        env.task.before_step(action.astype(float), physics)
        physics.step(env._n_sub_steps)
        env.task.after_step(physics)
        yield action, see(), float(env.task.get_reward(physics)), False


def velocities(drawn, seed, speed):
    if speed is None:
        return drawn.tolist()
    return np.random.default_rng(seed + 1).uniform(-speed, speed, drawn.shape).tolist()


def actions(seed, steps, low, high):
    random = np.random.default_rng(seed)
    return [random.uniform(low, high).astype(np.float32) for _ in range(steps)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("id")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--speed", type=float)
    args = parser.parse_args()
    task = suite_task if args.id.startswith("dmc:") else gymnasium_task
    steps = task(args.id, args.seed, args.steps, args.speed)
    trace = next(steps)
    taken, trace["obs"], trace["rewards"], trace["terminated"] = map(list, zip(*steps))
    trace["actions"] = [[float(u) for u in action] for action in taken]
    trace["note"] = "stepped on past termination"
    file = args.folder / f"{args.id.replace(':', '-')}.json"
    file.write_text(json.dumps(trace) + "\n")
    print(file, f"return {sum(trace['rewards']):.4f}")


if __name__ == "__main__":
    main()
