"""One PPO minibatch update in PyTorch, eager, as single-file implementations write it.

    ppo_update.py {adam,fused} SECONDS

`fused` takes torch's fused Adam, the fastest it has on a CPU. Rows are ready as tensors: gathering them from a
rollout is not timed. Prints one line of JSON, microseconds by case `WIDTHxWIDTH/ROWS`.
"""

import json
import os
import sys

import torch
from torch import nn
from torch.distributions import Normal

from timing import median_us

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))

OBS, ACT = 17, 6  # HalfCheetah's
CLIP, VALUE_WEIGHT, ENTROPY_BONUS, MAX_GRAD_NORM = 0.2, 0.5, 0.0, 0.5
BATCHES = 16  # taken in turn, so that nothing is learned by heart


def mlp(width, outputs):
    return nn.Sequential(
        nn.Linear(OBS, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, outputs)
    )


class Ppo:
    def __init__(self, width, fused):
        self.actor, self.critic = mlp(width, ACT), mlp(width, 1)
        self.log_std = nn.Parameter(torch.zeros(ACT))
        self.params = [*self.actor.parameters(), self.log_std, *self.critic.parameters()]
        self.adam = torch.optim.Adam(self.params, lr=3e-4, eps=1e-5, fused=fused)

    def policy(self, obs):
        return Normal(self.actor(obs), self.log_std.exp())

    def update(self, batch):
        """L = -E[min(r A, clip(r, 1 +- eps) A)] + c_v (V - target)^2 / 2 - c_e H (Schulman et al. 2017, equation 9)."""
        obs, actions, old_log_probs, advantages, targets = batch
        policy = self.policy(obs)
        log_ratio = policy.log_prob(actions).sum(1) - old_log_probs
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
        policy_loss = -torch.min(ratio * advantages, clipped * advantages).mean()
        value_loss = 0.5 * (self.critic(obs).squeeze(1) - targets).square().mean()
        entropy = policy.entropy().sum(-1).mean()
        loss = policy_loss + VALUE_WEIGHT * value_loss - ENTROPY_BONUS * entropy

        with torch.no_grad():  # the figures that a training logs
            self.approx_kl = ((ratio - 1) - log_ratio).mean()
            self.clip_fraction = ((ratio - 1).abs() > CLIP).float().mean()

        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.params, MAX_GRAD_NORM)
        self.adam.step()

    @torch.no_grad()
    def batch(self, rows):
        obs = torch.randn(rows, OBS)
        policy = self.policy(obs)
        actions = policy.sample()
        return obs, actions, policy.log_prob(actions).sum(1), torch.randn(rows), torch.randn(rows)


def main(adam, seconds):
    times = {}
    for width in (64, 256):
        for rows in (64, 256, 2048):
            torch.manual_seed(0)
            ppo = Ppo(width, fused=adam == "fused")
            batches = [ppo.batch(rows) for _ in range(BATCHES)]
            times[f"{width}x{width}/{rows}"] = median_us(ppo.update, batches, seconds)
            assert all(p.isfinite().all() for p in ppo.params), "the update diverged"
    print(json.dumps(times))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
