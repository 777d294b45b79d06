import functools, json, operator, sys

for line in sys.stdin:
    ask = json.loads(line)
    if ask["type"] == "hello":
        reply = {"type": "hello", "protocol": 1, "reads": ["rewards"]}
    else:
        worth = [functools.reduce(operator.add, t["rewards"], 0.0) for t in ask["trajectories"]]
        answers = [0.5 + 0.5 * ((worth[a] > worth[b]) - (worth[a] < worth[b])) for a, b in ask["pairs"]]
        reply = {"type": "answers", "batch": ask["batch"], "answers": answers}
    print(json.dumps(reply), flush=True)
