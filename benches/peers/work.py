"""What is measured: each row's work, ours and theirs, at equal settings."""

from __future__ import annotations

import time

from rounds import OURS, Measured, Row


def spo_ppo(env, episodes, horizon):
    """Our PPO at SB3's defaults; of whole episodes, so an iteration has 2000 steps for its 2048."""

    def measure(tools, seed):
        steps = tools.steps(300_000)
        _, summary = tools.spo(
            env,
            seed,
            scorer="task_reward",
            total_steps=steps - steps % (episodes * horizon),
            num_states=episodes,
            trajectories_per_state=1,
            hidden_sizes=[64, 64],
            head="clipped_gaussian",
            log_std_init=0,
            epochs=10,
            minibatch_size=64,
            learning_rate=3e-4,
            learning_rate_decay="false",
            clip=0.2,
            discount=0.99,
            gae_lambda=0.95,
            value_coef=0.5,
            entropy_coef=0,
            max_grad_norm=0.5,
            normalize_obs="false",
            eval_episodes=2,  # not in its steps/s
        )
        return [Measured(value=summary["steps_per_second"], env_steps=summary["env_steps"])]

    return measure


def peer_ppo(library, env):
    def measure(tools, seed):
        out = tools.python("peers", "ppo_train.py", library, env, tools.steps(10_240), seed)
        return [Measured(value=out["steps_per_second"], env_steps=out["env_steps"])]

    return measure


def ppo_training(where, env, peer_env, episodes, horizon, goals):
    contenders = {
        OURS: spo_ppo(env, episodes, horizon),
        "SB3": peer_ppo("sb3", peer_env),
        "sbx": peer_ppo("sbx", peer_env),
    }
    return Row(f"PPO training, {where}", "steps/s", contenders, {("", peer): goal for peer, goal in goals.items()})


def update(algorithm, what, goals, everywhere=False):
    """One gradient update; of ours the group `ppo update` or `sac update` of `cargo bench --bench update`.

    With `everywhere` ours has all of the machine's cores, and the peers what they have otherwise.
    """

    def ours(tools, seed):
        cases = tools.criterion(f"{algorithm} update", everywhere)
        return [Measured(value=us, case=case) for case, us in cases.items()]

    def pytorch(adam):
        def measure(tools, seed):
            out = tools.python("peers", f"{algorithm}_update.py", adam, tools.seconds(1.5))
            return [Measured(value=us, case=case) for case, us in out.items()]

        return measure

    contenders = {OURS: ours, "PyTorch": pytorch("adam"), "PyTorch, fused Adam": pytorch("fused")}
    return Row(what, "µs", contenders, {(case, "PyTorch"): goal for case, goal in goals.items()})


def spo_whole(env, **settings):
    """A whole `spo train`: start, training, evaluation over 100 episodes, curve."""

    def measure(tools, seed):
        wall, s = tools.spo(env, seed, **settings)
        return [
            Measured(
                value=wall,
                env_steps=s["env_steps"],
                comparisons=s["queries"],
                task_return=s["eval_return_mean"],
            )
        ]

    return measure


def imitation_whole(tools, seed):
    """From the start of Python to the end of the tutorial's training; its evaluation is not timed."""
    tools.venv("imitation")  # is made before the clock starts
    start = time.time()
    out = tools.python("imitation", "preferences.py", seed)
    return [
        Measured(
            value=out["ended"] - start,
            env_steps=out["env_steps"],
            comparisons=out["comparisons"],
            task_return=out["return"],
        )
    ]


ROWS = {
    "ppo-pendulum": ppo_training("Pendulum", "pendulum", "Pendulum-v1", 10, 200, {"SB3": 25, "sbx": 20}),
    "ppo-halfcheetah": ppo_training("HalfCheetah", "HalfCheetah-v5", "HalfCheetah-v5", 2, 1000, {"SB3": 15}),
    "ppo-update": update("ppo", "PPO minibatch update", {"64x64/64": 12, "64x64/2048": 2.5}),
    "sac-update": update("sac", "SAC update", {"256x256/256": 3}),
    "sac-update-cores": update("sac", "SAC update, ours on every core", {"256x256/256": 3}, everywhere=True),
    "preferences": Row(
        "preference learning on Pendulum, whole process",
        "s",
        {
            # The tutorial's environment steps, length of what is compared, network, step size, epochs, minibatch.
            OURS: spo_whole(
                "pendulum",
                total_steps=57_088,
                num_states=2,
                trajectories_per_state=4,
                window=100,
                hidden_sizes=[32, 32],
                learning_rate=2e-3,
                epochs=10,
                minibatch_size=64,
            ),
            "imitation": imitation_whole,
        },
        {("", "imitation"): 20},
    ),
    "default": Row(
        "`spo train pendulum` as it comes, whole process",
        "s",
        {OURS: spo_whole("pendulum")},
        most=10,
        least_return=-200,
    ),
}
