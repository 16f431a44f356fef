"""Times evaluations on a GPU by couplingd and by transformers, and compares their scores.

The weights are random, in the shape of real models: time and memory do not depend on what they say.

  python bench/oracle/gpu.py --tokenizer DIR --items-from DIR [--work DIR] [--shapes 135m,7b] [--programs build/bin]
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import threading
import time

import torch
import transformers

import parity
import speed

SHAPES = {  # of SmolLM2-135M and Llama-2-7B; the vocabulary is the tokenizer's
    "135m": dict(hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, intermediate_size=1536,
                 tie_word_embeddings=True, initializer_range=0.08),
    "7b": dict(hidden_size=4096, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=32, intermediate_size=11008,
               tie_word_embeddings=False, initializer_range=0.03),
}  # fmt: skip
VOCABULARY = 49152
BATCH = 64


def make_checkpoint(shape, tokenizer, folder):
    """A Llama of random weights in bf16, made on the GPU."""
    torch.manual_seed(1)
    config = transformers.LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=4096, **SHAPES[shape])
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = transformers.LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder, max_shard_size="4GB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, folder / name)
    del model
    torch.cuda.empty_cache()


class MemoryWatch:
    """The most of the GPU's memory that was used while it ran, beyond what was used before."""

    def __enter__(self):
        self.before = self.most = self.used()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    @staticmethod
    def used():
        free, total = torch.cuda.mem_get_info()
        return total - free

    def watch(self):
        while not self.stop.wait(0.02):
            self.most = max(self.most, self.used())

    @property
    def bytes(self):
        return self.most - self.before


def ours(programs, model, packs, work, device, dtype, plan_is_kept=False):
    """(result frame, start frame, largest memory, wall seconds, samples file)"""
    samples = work / f"ours-{dtype}.jsonl"
    request = {
        "checkpoint": str(model), "packs": packs, "scores_dir": str(work / "scores"), "device": device, "dtype": dtype,
        "samples": str(samples),
    }  # fmt: skip
    if not plan_is_kept:
        shutil.rmtree(work / "scores", ignore_errors=True)
    (work / "request.json").write_text(json.dumps(request))
    with MemoryWatch() as memory:
        start = time.time()
        run = subprocess.run(
            [programs / "couplingd-probe", "evaluate", "--request", work / "request.json"], stdout=subprocess.PIPE, text=True
        )
        wall = time.time() - start
    frames = {}
    for line in run.stdout.splitlines():
        frame = json.loads(line)
        if frame["frame"] in ("note", "error"):
            print(f"    {frame.get('topic', frame['frame'])}: {frame.get('text', frame.get('message'))}")
        frames[frame["frame"]] = frame
    if "result" not in frames:
        raise SystemExit("gpu: the evaluation failed")
    return frames["result"], frames["start"], memory.bytes, wall, samples


def requests_of(tasks):
    return [pair for items in tasks.values() for item in items for pair in zip(item["contexts"], item["continuations"])]


def encode_pair(tokenizer, context, continuation):
    """As lm-eval does: blanks at the end of the context belong to the continuation."""
    blanks = len(context) - len(context.rstrip())
    if blanks:
        continuation = context[-blanks:] + continuation
        context = context[:-blanks]
    whole = tokenizer(context + continuation, add_special_tokens=False)["input_ids"]
    return whole, len(tokenizer(context, add_special_tokens=False)["input_ids"])


@torch.inference_mode()
def theirs(folder, pairs, dtype):
    """(log-likelihoods, greedy flags, seconds of scoring): batches of similar length, right-padded, a softmax over all logits."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).cuda().eval()
    encoded = [encode_pair(tokenizer, *pair) for pair in pairs]
    order = sorted(range(len(pairs)), key=lambda i: -len(encoded[i][0]))
    answers = [None] * len(pairs)
    torch.cuda.synchronize()
    start = time.time()
    for at in range(0, len(order), BATCH):
        batch = order[at : at + BATCH]
        width = max(len(encoded[i][0]) for i in batch) - 1
        tokens = torch.zeros(len(batch), width, dtype=torch.long)
        for row, i in enumerate(batch):
            tokens[row, : len(encoded[i][0]) - 1] = torch.tensor(encoded[i][0][:-1])
        logits = torch.log_softmax(model(tokens.cuda()).logits.float(), dim=-1)
        for row, i in enumerate(batch):
            whole, first = encoded[i]
            of_row = logits[row, first - 1 : len(whole) - 1]
            target = torch.tensor(whole[first:], device="cuda").unsqueeze(-1)
            greedy = (of_row.argmax(-1, keepdim=True) == target).all()
            answers[i] = (of_row.gather(-1, target).sum(), greedy, len(whole) - first)
    answers = [(float(a), bool(b), n) for a, b, n in answers]
    torch.cuda.synchronize()
    return answers, time.time() - start


def differences(tasks, samples, answers):
    """(largest and root-mean-square difference per token, share of equal greedy flags)"""
    at, most, squares, same = 0, 0.0, 0.0, 0
    for task in tasks:
        for _, _, lls, greedy in parity.read_samples(samples, task):
            for ll, flag in zip(lls, greedy):
                value, their_flag, tokens = answers[at]
                at += 1
                most = max(most, abs(ll - value) / tokens)
                squares += ((ll - value) / tokens) ** 2
                same += flag == their_flag
    return most, (squares / at) ** 0.5, same / at


def report(name, result, start, taken, wall, peak, config):
    tokens, seconds = result["tokens"], result["seconds"]
    heads, kv = config["num_attention_heads"], config["num_key_value_heads"]
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    per_layer = 2 * hidden * (hidden + 2 * hidden * kv // heads + hidden + 3 * wide)
    flops = tokens["trie"] * config["num_hidden_layers"] * per_layer + tokens["rows"] * 2 * hidden * VOCABULARY
    stored = 2 * result["parameters"]
    print(f"  {name:26}{wall:7.1f} s: " + ", ".join(f"{step} {s:.2f}" for step, s in seconds.items() if s >= 0.005))
    print(
        f"    {tokens['trie'] / seconds['score']:.0f} tokens/s of the trie, {tokens['naive'] / seconds['score']:.0f} as one pass per "
        f"request counts; {flops / 1e12:.1f} TFLOP of matrix products = {flops / seconds['score'] / 1e9 / peak:.2f} of the bf16 peak; "
        f"{stored / seconds['load'] / 1e9:.1f} GB/s loaded"
    )
    print(f"    memory: {start['memory_bytes'] / 1e9:.2f} GB predicted, {taken / 1e9:.2f} GB taken")


def bench_shape(shape, arguments, peak):
    work = arguments.work / shape
    work.mkdir(parents=True, exist_ok=True)
    folder = work / "model"
    if not (folder / "config.json").exists():
        make_checkpoint(shape, arguments.tokenizer, folder)
    config = SHAPES[shape]
    every, _ = speed.write_items(arguments.items_from, work / "every", arguments.items)
    some, tasks = speed.write_items(arguments.items_from, work / "some", arguments.peer_items)
    every = speed.build_packs(arguments.programs, every, work / "every-packs")
    some = speed.build_packs(arguments.programs, some, work / "some-packs")
    pairs = requests_of(tasks)
    print(f"\n{shape}: every item, then the first {arguments.peer_items} of each source ({len(pairs)} requests)")
    for dtype in ("bf16", "fp32") if shape == "135m" else ("bf16",):
        result, start, taken, wall, _ = ours(arguments.programs, folder, every, work, "cuda:0", dtype)
        report(f"{dtype}, every item", result, start, taken, wall, peak, config)
        again = ours(arguments.programs, folder, every, work, "cuda:0", dtype, plan_is_kept=True)
        print(f"    the next checkpoint, its plan kept: {again[3]:.1f} s")
    result, start, taken, wall, samples = ours(arguments.programs, folder, some, work, "cuda:0", "bf16")
    report("bf16, first items", result, start, taken, wall, peak, config)
    answers, seconds = theirs(folder, pairs, torch.bfloat16)
    print(f"  transformers, batches of {BATCH}: {seconds:.2f} s of scoring, {seconds / result['seconds']['score']:.1f} times ours")
    exact, _ = theirs(folder, pairs, torch.float32)
    for name, of in (("ours", samples), ("theirs", None)):
        if of is None:
            gaps = [abs(a - b) / n for (a, _, n), (b, _, _) in zip(answers, exact)]
            most, mean = max(gaps), (sum(g * g for g in gaps) / len(gaps)) ** 0.5
            same = sum(a[1] == b[1] for a, b in zip(answers, exact)) / len(exact)
        else:
            most, mean, same = differences(tasks, of, exact)
        print(f"    bf16, {name:7} from fp32 of transformers: {most:.1e} at most, {mean:.1e} RMS per token, greedy {same:.4f}")
    if shape == "135m":
        single = ours(arguments.programs, folder, some, work, "cuda:0", "fp32")[4]
        most, mean, same = differences(tasks, single, exact)
        print(f"    fp32, ours    from fp32 of transformers: {most:.1e} at most, {mean:.1e} RMS per token, greedy {same:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    parser.add_argument("--items-from", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/dev/shm/couplingd-gpu"))
    parser.add_argument("--shapes", default="135m,7b")
    parser.add_argument("--items", type=int, default=10**9)
    parser.add_argument("--peer-items", type=int, default=100)
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/bin"))
    arguments = parser.parse_args()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, transformers {transformers.__version__}")
    run = subprocess.run([arguments.programs / "couplingd-bench-speed", "peak", "cuda"], stdout=subprocess.PIPE, check=True)
    peak = json.loads(run.stdout)["gflops"]
    print(f"peak of bf16 products at 8192³ with the same libtorch: {peak / 1e3:.0f} TFLOP/s")
    for shape in arguments.shapes.split(","):
        bench_shape(shape, arguments, peak)


if __name__ == "__main__":
    main()
