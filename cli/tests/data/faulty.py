"""A judge that prefers the larger first reward, and misbehaves as its first argument says.

With a file as second argument it misbehaves on its first start only: the file says whether that was.
"""

import json
import os
import sys
import time


def say(text):
    print(text if isinstance(text, str) else json.dumps(text), flush=True)


def answer(ask, first, answers):
    say({"type": "answers", "batch": ask["batch"], "first": first, "answers": answers})


mode = sys.argv[1]
if len(sys.argv) > 2:
    if os.path.exists(sys.argv[2]):
        mode = "well"
    open(sys.argv[2], "a").close()

if mode == "silent":
    time.sleep(1000)
if mode == "noisy":
    say("Hello from a library")
if mode == "dumb":
    sys.exit("no judge for this")
hello = {"type": "hello", "protocol": 2 if mode == "newer" else 1, "reads": ["rewards"]}
if mode == "misspelt":
    hello["read"] = hello.pop("reads")
if mode == "draws":
    hello["random"] = True
sys.stdin.readline()
say(hello)

for line in sys.stdin:
    ask = json.loads(line)
    worth = [t["rewards"][0] for t in ask["trajectories"]]
    right = [0.5 + 0.5 * ((worth[a] > worth[b]) - (worth[a] < worth[b])) for a, b in ask["pairs"]]
    half = len(right) // 2
    if mode == "dies":
        answer(ask, 0, right[:half])
        print("Traceback: the judge has a bad day", file=sys.stderr)
        sys.exit(3)
    elif mode == "hangs":
        answer(ask, 0, right[:half])
        time.sleep(1000)
    elif mode == "closes":
        os.close(1)
        time.sleep(1000)
    elif mode == "floods":
        for _ in range(20_000):
            print("x" * 1000, file=sys.stderr)
        answer(ask, 0, right)
    elif mode == "backwards":
        for place in reversed(range(len(right))):
            answer(ask, place, [right[place]])
    elif mode == "noisy":
        say("debug: thinking")
        answer(ask, 0, right)
    elif mode == "chatters":
        while True:
            say("debug: thinking")
    elif mode == "endless":
        while True:
            sys.stdout.write("1" * 10_000)
    elif mode == "wild":
        answer(ask, 0, [float("nan"), 1.5] + right[2:])
    elif mode == "nan":
        answer(ask, 0, [float("nan") for _ in right])
    elif mode == "twice":
        answer(ask, 0, right[:1])
        answer(ask, 0, right)
    elif mode == "stale":
        answer({"batch": ask["batch"] - 1}, 0, right)
    elif mode == "more":
        answer(ask, 0, right + [1])
    elif mode == "empty":
        while True:
            answer(ask, 0, [])
            time.sleep(0.01)
    elif mode == "gives up":
        say({"type": "error", "message": "needs rewards from 0 on"})
    elif mode == "abstains":
        answer(ask, 0, [None for _ in right])
    elif mode == "draws":
        answer(ask, 0, [seed / 2**32 for seed in ask["seeds"]])
    elif mode == "biased":
        answer(ask, 0, [1 for _ in right])
    else:
        answer(ask, 0, right)
