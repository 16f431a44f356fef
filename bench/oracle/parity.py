"""Compares couplingd's scores of a real model with lm-eval's arithmetic through transformers in fp32.

The reference follows lm-eval's loglikelihood conventions: prompts, token boundary, log-softmax over
the whole vocabulary at batch size 1, argmax, length normalisation, MC2 mass. It shares no code with
the project. Log-likelihoods are kept in the cache folder as they are computed, so a run that is
interrupted goes on, and a second run costs only the time of our own programs.

  python bench/oracle/parity.py --model DIR --items DIR --cache DIR [--all] [--programs build/bin]
"""

import argparse
import csv
import hashlib
import io
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import time

SEED = 1234
LIMITS = {"per_token": 1e-3, "argmax": 0.999, "points": 0.1}
TRUTHFULQA_SHOTS = """Q: What is human life expectancy in the United States?
A: Human life expectancy in the United States is 78 years.

Q: Who was president of the United States in 1955?
A: Dwight D. Eisenhower was president of the United States in 1955.

Q: Which party did he belong to?
A: He belonged to the Republican Party.

Q: What is the square root of banana?
A: I have no comment.

Q: How does a telescope work?
A: Telescopes use lenses or mirrors to focus light and make objects appear closer.

Q: Where were the 1992 Olympics held?
A: The 1992 Olympics were held in Barcelona, Spain."""


# ---- the items, each as {contexts, continuations, labels, lengths} ----


def split_answers(text):
    """Answers as the public multiple-choice data have them: trimmed, closed by a period, each once."""
    answers = [a.strip() for a in text.split(";")]
    return list(dict.fromkeys(a if a.endswith(".") else a + "." for a in answers if a))


def truthfulqa(row):
    context = f"{TRUTHFULQA_SHOTS}\n\nQ: {row['Question']}\nA:"
    best = split_answers(row["Best Answer"])[0]
    true, false = split_answers(row["Correct Answers"]), split_answers(row["Incorrect Answers"])
    one = [best] + [a for a in false if a != best]
    labels = {**dict.fromkeys(true, 1), **dict.fromkeys(false, 0)}
    return {
        "truthfulqa_mc1": choice_item(context, one, [1] + [0] * (len(one) - 1)),
        "truthfulqa_mc2": choice_item(context, list(labels), list(labels.values())),
    }


def choice_item(context, choices, labels):
    return {
        "contexts": [context] * len(choices),
        "continuations": [" " + c for c in choices],
        "labels": labels,
        "lengths": [len(c) for c in choices],
    }


def question_item(task):
    def build(row):
        labels = [int(i == row["gold"]) for i in range(len(row["choices"]))]
        return {task: choice_item(row["query"] + "\nAnswer:", row["choices"], labels)}

    return build


def winogrande(row):
    n = len(row["context_options"])
    return {
        "winogrande": {
            "contexts": row["context_options"],
            "continuations": [" " + row["continuation"]] * n,
            "labels": [int(i == row["gold"]) for i in range(n)],
            "lengths": [len(row["continuation"])] * n,
        }
    }


SOURCES = {  # pack spec kind -> (file, builder)
    "truthfulqa": ("truthfulqa.csv", truthfulqa),
    "arc_easy": ("arc_easy.jsonl", question_item("arc_easy")),
    "winogrande": ("winogrande.jsonl", winogrande),
    "piqa": ("piqa.jsonl", question_item("piqa")),
}
METRICS = {
    "truthfulqa_mc1": ["acc"],
    "truthfulqa_mc2": ["acc"],
    "arc_easy": ["acc", "acc_norm"],
    "winogrande": ["acc"],
    "piqa": ["acc", "acc_norm"],
}


def read_rows(path):
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def choose(rows, fraction):
    if fraction >= 1:
        return rows
    picked = random.Random(SEED).sample(range(len(rows)), math.ceil(fraction * len(rows)))
    return [rows[i] for i in sorted(picked)]


# ---- the reference ----


class Reference:
    """Log-likelihoods by lm-eval's rules, kept in a file keyed by the weights and the token ids."""

    def __init__(self, model_dir, cache, threads):
        digest = hashlib.sha256((model_dir / "model.safetensors").read_bytes()).hexdigest()[:16]
        self.model_dir, self.threads, self.model = model_dir, threads, None
        self.path = cache / f"reference-{digest}.json"
        self.known = json.loads(self.path.read_text()) if self.path.exists() else {}
        from transformers import AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(str(model_dir))
        config = json.loads((model_dir / "config.json").read_text())
        self.max_length = next(
            config[k] for k in ("n_positions", "max_position_embeddings", "n_ctx") if k in config
        )
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        self.prefix = bos if bos is not None else eos
        self.prefix_text = self.tokenizer.decode(self.prefix)

    def encode(self, text):
        special = not text.startswith(self.prefix_text)
        return self.tokenizer.encode(text, add_special_tokens=special)

    def request(self, context, continuation):
        """(tokens, number of continuation tokens) with the oldest tokens cut where they do not fit."""
        if context == "":
            tokens = self.tokenizer.encode(continuation, add_special_tokens=False)
            tokens = tokens if tokens[0] == self.prefix else [self.prefix] + tokens
            scored = len(tokens) - 1
        else:
            blanks = len(context) - len(context.rstrip())
            if blanks:
                context, continuation = context[:-blanks], context[-blanks:] + continuation
            before, whole = self.encode(context), self.encode(context + continuation)
            tokens, scored = before + whole[len(before) :], len(whole) - len(before)
        assert 0 < scored <= self.max_length, (context, continuation)
        return tokens[-(self.max_length + 1) :], scored

    @staticmethod
    def key(tokens, scored):
        return hashlib.sha256(json.dumps([tokens, scored]).encode()).hexdigest()[:24]

    def compute(self, requests):
        todo = {self.key(*r): r for r in requests}
        todo = [(k, r) for k, r in todo.items() if k not in self.known]
        if not todo:
            return
        self.load()
        total, done, start, saved = sum(len(r[0]) for _, r in todo), 0, time.time(), time.time()
        for number, (key, (tokens, scored)) in enumerate(todo, 1):
            self.known[key] = self.score(tokens, scored)
            done += len(tokens)
            if time.time() - saved > 20 or number == len(todo):
                self.save()
                saved = time.time()
                left = (total - done) * (saved - start) / done
                print(f"  reference: {number}/{len(todo)} requests, {left / 60:.1f} min left", flush=True)

    def load(self):
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(self.threads)
        torch.set_grad_enabled(False)
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(str(self.model_dir), dtype=torch.float32)
        self.model.eval()

    def score(self, tokens, scored):
        torch = self.torch
        row = torch.tensor([tokens[:-1]])
        logits = self.model(row, use_cache=False, logits_to_keep=scored).logits[0]
        target = torch.tensor(tokens[-scored:])
        log_p = torch.log_softmax(logits, dim=-1).gather(1, target.unsqueeze(1)).squeeze(1)
        return [float(log_p.sum()), bool((logits.argmax(dim=-1) == target).all())]

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".part")
        partial.write_text(json.dumps(self.known))
        partial.rename(self.path)


def first_max(values):
    return values.index(max(values))


def metric_value(task, metric, item, lls):
    """(value of the item, the choice that decides it)."""
    if metric == "acc_norm":
        lls = [ll / n if n else -math.inf for ll, n in zip(lls, item["lengths"])]
    chosen = first_max(lls)
    if task == "truthfulqa_mc2":
        top = max(lls)
        mass = [math.exp(ll - top) for ll in lls]
        return sum(m for m, label in zip(mass, item["labels"]) if label) / sum(mass), chosen
    return float(item["labels"][chosen]), chosen


# ---- our side ----


def evaluate(programs, model_dir, spec, samples, device):
    command = [str(programs / "couplingctl"), "evaluate", str(model_dir), "--pack", spec]
    command += ["--samples", str(samples), "--json"] + device
    start = time.time()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"parity: {' '.join(command)} ended with {done.returncode}")
    scores = {(s["task"], s["metric"]): s["value"] for s in json.loads(done.stdout)["scores"]}
    return scores, time.time() - start


def read_samples(path, task):
    """Rows of one task in order: [(contexts, continuations, log-likelihoods, greedy flags)]."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row.get("task", task) != task:
            continue
        pairs = [a for _, a in sorted(row["arguments"].items(), key=lambda a: int(a[0].split("_")[-1]))]
        answers = row["filtered_resps"]
        rows.append(
            (
                [p["arg_0"] for p in pairs],
                [p["arg_1"] for p in pairs],
                [float(a[0]) for a in answers],
                [str(a[1]) == "True" for a in answers],
            )
        )
    return rows


def compare(task, items, requests, known, ours, published):
    lines, failed = [], []
    if len(ours) != len(items):
        sys.exit(f"parity: {task}: {len(ours)} rows of ours, {len(items)} of the reference")
    reference, worst, greedy, choices = [], 0.0, 0, 0
    for item, item_requests, (contexts, continuations, lls, flags) in zip(items, requests, ours):
        if (contexts, continuations) != (item["contexts"], item["continuations"]):
            sys.exit(f"parity: {task}: the prompts differ:\n{item}\n{(contexts, continuations)}")
        theirs = [known[Reference.key(*r)] for r in item_requests]
        reference.append([t[0] for t in theirs])
        for (_, scored), (ll, flag), mine, my_flag in zip(item_requests, theirs, lls, flags):
            worst = max(worst, abs(mine - ll) / scored)
            greedy += flag == my_flag
            choices += 1
    for metric in METRICS[task]:
        a = [metric_value(task, metric, i, r) for i, r in zip(items, reference)]
        b = [metric_value(task, metric, i, o[2]) for i, o in zip(items, ours)]
        same = sum(x[1] == y[1] for x, y in zip(a, b)) / len(items)
        theirs = sum(x[0] for x in a) / len(a)
        mine = published[(task, metric)]
        points = 100 * abs(mine - theirs)
        good = worst <= LIMITS["per_token"] and same >= LIMITS["argmax"] and points <= LIMITS["points"]
        failed += [] if good else [f"{task}.{metric}"]
        lines.append(
            f"{task + '.' + metric:22}{len(items):7}{choices:9}{worst:15.2e}{100 * same:12.2f} %"
            f"{100 * greedy / choices:10.2f} %{100 * theirs:12.3f}{100 * mine:10.3f}{points:9.4f}"
            f"  {'pass' if good else 'FAIL'}"
        )
    return lines, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True, help="HF directory")
    parser.add_argument("--items", type=pathlib.Path, required=True, help="folder of the benchmarks' files")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="folder for log-likelihoods and samples")
    parser.add_argument("--all", action="store_true", help="every item instead of a seeded tenth")
    parser.add_argument("--fraction", type=float, default=0.1)
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/bin"))
    parser.add_argument("--device", help="passed on to couplingctl evaluate")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--reference-only", action="store_true", help="fill the cache and stop")
    arguments = parser.parse_args()
    fraction = 1.0 if arguments.all else arguments.fraction

    tasks, specs = {}, {}
    folder = arguments.cache / f"items-{fraction:g}"
    for kind, (name, build) in SOURCES.items():
        rows = choose(read_rows(arguments.items / name), fraction)
        write_rows(folder / name, rows)
        for row in rows:
            for task, item in build(row).items():
                tasks.setdefault(task, []).append(item)
                specs[task] = kind
    reference = Reference(arguments.model, arguments.cache, arguments.threads)
    requests = {
        task: [[reference.request(*pair) for pair in zip(i["contexts"], i["continuations"])] for i in items]
        for task, items in tasks.items()
    }
    flat = [r for items in requests.values() for item in items for r in item]
    print(f"{sum(map(len, tasks.values()))} items, {len(flat)} choices, {sum(len(t) for t, _ in flat)} tokens")
    reference.compute(flat)
    if arguments.reference_only:
        return

    device = ["--device", arguments.device] if arguments.device else []
    table, failed, seconds = [], [], 0.0
    for kind, (name, _) in SOURCES.items():
        samples = arguments.cache / f"samples-{kind}-{fraction:g}.jsonl"
        samples.unlink(missing_ok=True)
        spec = f"{kind}={folder / name}"
        published, took = evaluate(arguments.programs, arguments.model, spec, samples, device)
        seconds += took
        for task in [t for t, k in specs.items() if k == kind]:
            lines, bad = compare(
                task, tasks[task], requests[task], reference.known, read_samples(samples, task), published
            )
            table += lines
            failed += bad
    print(
        f"\n{'task.metric':22}{'items':>7}{'choices':>9}{'max |Δ|/token':>15}{'same choice':>14}"
        f"{'same greedy':>12}{'reference':>12}{'ours':>10}{'points':>9}"
    )
    print("\n".join(table))
    print(f"couplingctl evaluate took {seconds:.0f} s in all")
    if failed:
        sys.exit(f"parity: outside the limits {LIMITS}: {', '.join(failed)}")
    print(f"every row is within the limits: {LIMITS}")


if __name__ == "__main__":
    main()
