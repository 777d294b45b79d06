"""One SAC update in PyTorch, eager, as single-file implementations write it.

    sac_update.py {adam,fused} SECONDS

Critics, actor, temperature and target networks, once each (Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and
Applications"). Rows are ready as tensors: drawing them from a replay buffer is not timed. Prints one line of JSON,
microseconds by case `WIDTHxWIDTH/ROWS`.
"""

import copy
import json
import math
import os
import sys

import torch
from torch import nn
from torch.distributions import Normal

from timing import median_us

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))

OBS, ACT = 17, 6  # HalfCheetah's
WIDTH, ROWS = 256, 256
DISCOUNT, TAU, LEARNING_RATE = 0.99, 0.005, 3e-4
LOG_STD_RANGE = (-20, 2)
BATCHES = 16  # taken in turn, so that nothing is learned by heart


def mlp(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, outputs)
    )


class Sac:
    def __init__(self, fused):
        self.actor = mlp(OBS, 2 * ACT)
        self.critics = nn.ModuleList([mlp(OBS + ACT, 1), mlp(OBS + ACT, 1)])
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        self.log_alpha = torch.zeros(1, requires_grad=True)

        def adam(params):
            return torch.optim.Adam(params, lr=LEARNING_RATE, fused=fused)

        self.actor_adam = adam(self.actor.parameters())
        self.critic_adam = adam(self.critics.parameters())
        self.alpha_adam = adam([self.log_alpha])

    def act(self, obs):
        """a = tanh(u), u ~ N(mu, sigma^2); log pi(a) = log N(u) - sum log(1 - tanh^2 u)."""
        mean, log_std = self.actor(obs).chunk(2, dim=1)
        normal = Normal(mean, log_std.clamp(*LOG_STD_RANGE).exp())
        latent = normal.rsample()
        # log(1 - tanh^2 u) = 2 (log 2 - u - softplus(-2 u)), without cancellation
        squash = 2 * (math.log(2) - latent - nn.functional.softplus(-2 * latent))
        return latent.tanh(), (normal.log_prob(latent) - squash).sum(1, keepdim=True)

    def update(self, batch):
        obs, actions, rewards, next_obs, continues = batch
        alpha = self.log_alpha.exp().detach()

        with torch.no_grad():
            next_actions, next_log_probs = self.act(next_obs)
            pairs = torch.cat([next_obs, next_actions], 1)
            worst = torch.min(self.targets[0](pairs), self.targets[1](pairs))
            target = rewards + DISCOUNT * continues * (worst - alpha * next_log_probs)
        pairs = torch.cat([obs, actions], 1)
        critic_loss = sum(nn.functional.mse_loss(q(pairs), target) for q in self.critics)
        self.critic_adam.zero_grad()
        critic_loss.backward()
        self.critic_adam.step()

        new_actions, log_probs = self.act(obs)
        pairs = torch.cat([obs, new_actions], 1)
        self.critics.requires_grad_(False)  # the actor's gradient goes through the critics, not to them
        actor_loss = (alpha * log_probs - torch.min(self.critics[0](pairs), self.critics[1](pairs))).mean()
        self.actor_adam.zero_grad()
        actor_loss.backward()
        self.actor_adam.step()
        self.critics.requires_grad_(True)

        # The entropy is held near -ACT.
        alpha_loss = -(self.log_alpha.exp() * (log_probs.detach() - ACT)).mean()
        self.alpha_adam.zero_grad()
        alpha_loss.backward()
        self.alpha_adam.step()

        with torch.no_grad():
            for slow, fast in zip(self.targets.parameters(), self.critics.parameters()):
                slow.lerp_(fast, TAU)


def batch():
    unit = torch.rand(ROWS, ACT) * 2 - 1
    return torch.randn(ROWS, OBS), unit, torch.randn(ROWS, 1), torch.randn(ROWS, OBS), torch.ones(ROWS, 1)


def main(adam, seconds):
    torch.manual_seed(0)
    sac = Sac(fused=adam == "fused")
    time = median_us(sac.update, [batch() for _ in range(BATCHES)], seconds)
    assert all(p.isfinite().all() for p in sac.actor.parameters()), "the update diverged"
    print(json.dumps({f"{WIDTH}x{WIDTH}/{ROWS}": time}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
