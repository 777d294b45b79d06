"""Prefers the pendulum swing that is upright for longer. A difference of one step is a tie.

Trajectories come in the line, or in the shared file:

    spo train pendulum --oracle 'exec:python3 examples/judges/upright.py'
    spo train pendulum --oracle 'exec(data=file):python3 examples/judges/upright.py'
"""

import json
import mmap
import sys


def say(message):
    print(json.dumps(message), flush=True)


def upright_steps(obs):
    """Observations are rows of cos, sin and speed of the angle; cos is 1 at the top."""
    return sum(row[0] > 0.9 for row in obs)


def rows_in_file(file, ask, obs_dim):
    """The observations of each trajectory: float32 at `offset`, rows of `obs_dim`. The file has only what `reads` named."""
    if ask["bytes"] == 0:
        return [[] for _ in ask["trajectories"]]
    numbers = memoryview(mmap.mmap(file.fileno(), ask["bytes"], access=mmap.ACCESS_READ)).cast("f")
    at = [(t["offset"], t["offset"] + t["steps"] * obs_dim) for t in ask["trajectories"]]
    return [[numbers[i : i + obs_dim] for i in range(start, end, obs_dim)] for start, end in at]


def prefer(a, b):
    return 0.5 if abs(a - b) <= 1 else float(a > b)


hello = json.loads(sys.stdin.readline())
if not hello["env"].startswith("pendulum"):
    say({"type": "error", "message": f"judges pendulums only, and not `{hello['env']}`"})
    sys.exit(1)
# Open the file before the answer: the trainer then removes its name.
file = open(hello["file"], "rb") if "file" in hello else None
say({"type": "hello", "protocol": 1, "reads": ["obs"]})

for line in sys.stdin:
    ask = json.loads(line)
    if file:
        obs = rows_in_file(file, ask, hello["obs_dim"])
    else:
        obs = [t["obs"] for t in ask["trajectories"]]
    up = [upright_steps(rows) for rows in obs]
    say({"type": "answers", "batch": ask["batch"], "answers": [prefer(up[a], up[b]) for a, b in ask["pairs"]]})
