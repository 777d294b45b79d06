#!/usr/bin/env python3
"""A language model's server without a language model: an OpenAI-compatible interface that judges by one number.

It reads that number in the descriptions of the trajectories, and answers with log-probabilities as a model would: the
likelier, the larger the number. So a training by a language model can be seen without one, and without the network:

    python3 examples/llm_server.py --port 8000
    spo train point --oracle llm --base-url http://127.0.0.1:8000/v1 --model simulated

What stands after -- is run while it serves, and ends it:

    python3 examples/llm_server.py --port 8000 -- spo experiment experiments/rlaif.toml
"""

import argparse, json, math, os, re, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--port", type=int, default=8000, help="0 takes any that is free")
parser.add_argument("--number", default="distance from the origin at the end", help="the line of a description that decides")
parser.add_argument("--temperature", type=float, default=0.2, help="P = sigmoid(difference / temperature); small is sharp")
parser.add_argument("--worst", type=float, default=0.0, help="the number that is scored 1")
parser.add_argument("--best", type=float, default=11.6, help="the number that is scored 10")
parser.add_argument("--bias", type=float, default=1.0, help="how many nats likelier the first place is made; of a model named NAME-bias-X, X")
parser.add_argument("--text", action="store_true", help="answer in text alone, without log-probabilities")
parser.add_argument("command", nargs="*", help="a command to run meanwhile")
args = parser.parse_args()
key = os.environ.get("LLM_SERVER_KEY")  # if set, the key that it demands


def log_sigmoid(x):
    return -math.log1p(math.exp(-x)) if x > -30 else x


def judge(prompt, model):
    """Tokens and their log-probabilities."""
    named = re.search(r"-bias-(-?\d+(?:\.\d+)?)$", model)
    bias = float(named[1]) if named else args.bias
    # What stands last is what is asked; examples stand before it.
    numbers = re.findall(re.escape(args.number) + r": (-?[\d.]+)", prompt)
    if prompt.rstrip().endswith("Rationale:"):
        return {"The number that decides is " + ", then ".join(numbers[-2:]) + ".": 0.0}
    if prompt.rstrip().endswith("Preferred trajectory=") and len(numbers) >= 2:
        gap = (float(numbers[-2]) - float(numbers[-1])) / args.temperature + bias
        return {"1": log_sigmoid(gap), "2": log_sigmoid(-gap)}
    if prompt.rstrip().endswith("Score=") and numbers:
        share = (float(numbers[-1]) - args.worst) / (args.best - args.worst)
        score = 1 + 9 * min(max(share, 0.0), 1.0)
        weights = {str(s): -((s - score) ** 2) for s in range(1, 11)}
        total = math.log(sum(map(math.exp, weights.values())))
        return {token: weight - total for token, weight in weights.items()}
    return {"I": 0.0}


class Interface(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if key and self.headers.get("Authorization") != f"Bearer {key}":
            return self.reply(401, {"error": {"message": "wrong key"}})
        try:
            request = json.loads(body)
            chat = self.path.endswith("/chat/completions")
            prompt = "\n".join(m["content"] for m in request["messages"]) if chat else request["prompt"]
        except (ValueError, KeyError, TypeError) as problem:
            return self.reply(400, {"error": {"message": f"no request: {problem!r}"}})
        tokens = judge(prompt, str(request.get("model", "")))
        said = max(tokens, key=tokens.get)
        choice = {"index": 0, "finish_reason": "stop"}
        if chat:
            choice["message"] = {"role": "assistant", "content": said}
            if request.get("logprobs") and not args.text:
                top = [{"token": t, "logprob": p} for t, p in tokens.items()]
                choice["logprobs"] = {"content": [{"token": said, "logprob": tokens[said], "top_logprobs": top}]}
        else:
            choice["text"] = said
            if request.get("logprobs") and not args.text:
                choice["logprobs"] = {"tokens": [said], "token_logprobs": [tokens[said]], "top_logprobs": [tokens]}
        # A token is about four characters.
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": max(1, len(said) // 4)}
        self.reply(200, {"object": "chat.completion", "choices": [choice], "usage": usage})

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", args.port), Interface)
print(f"listening at http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
if args.command:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.exit(subprocess.run(args.command).returncode)
server.serve_forever()
