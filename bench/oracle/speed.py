"""Times one evaluation of SmolLM2-135M by couplingctl and by its peers on the same items, and accounts for the time.

The table of ratios needs an idle machine: it warns where others use the cores. As the speed of a shared machine changes within
an hour, we are timed before and after a peer that takes long. Peers' answers are compared with ours, so that
nobody is fast at something else. Every number of a run is taken in that run.

  python bench/oracle/speed.py --model DIR --items-from DIR --work DIR [--all] [--items N] [--peers lm-eval,llama.cpp]
"""

import argparse
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import re
import struct
import subprocess
import sys
import time

import parity
import speed_plots

TASKS = 5
# Operators by what they are for; the rest goes element by element.
GROUPS = {
    "projections, oneDNN": {"mkldnn::_linear_pointwise"},
    "projections and logits, MKL": {"aten::mm", "aten::addmm_", "aten::linear", "aten::addmm", "aten::matmul"},
    "softmax of logits": {"aten::exp_", "aten::amax", "aten::sub", "aten::sum"},
    "attention": {"aten::bmm", "aten::_softmax", "aten::cat"},
    "loading": {"mkldnn::_reorder_linear_weight", "aten::aminmax"},
}


# Our programs and llama.cpp see nothing of what the Python packages need.
CLEAN = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PYTHONPATH")}


class Timed:
    """One process: seconds on the wall and of cores, and the largest resident memory of it and what it started."""

    def __init__(self, command, **options):
        start = time.time()
        process = subprocess.Popen(command, **{"env": CLEAN, **options})
        self.out = process.stdout.read() if process.stdout else None
        _, status, usage = os.wait4(process.pid, 0)
        self.wall = time.time() - start
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak_bytes = usage.ru_maxrss * 1024
        if status != 0:
            sys.exit(f"speed: {' '.join(map(str, command))} ended with {os.waitstatus_to_exitcode(status)}")


def others_use():
    """Cores that other processes keep busy, over half a second."""

    def busy():
        fields = [int(f) for f in open("/proc/stat").readline().split()[1:9]]
        return sum(fields) - fields[3] - fields[4]

    before = busy()
    time.sleep(0.5)
    return (busy() - before) / os.sysconf("SC_CLK_TCK") / 0.5


# ---- the items ----


def write_items(source, folder, count):
    """{kind: file} with the first `count` rows of each benchmark, and {task: items}."""
    specs, tasks = {}, {}
    for kind, (name, build) in parity.SOURCES.items():
        rows = parity.read_rows(source / name)[:count]
        parity.write_rows(folder / name, rows)
        specs[kind] = folder / name
        for row in rows:
            for task, item in build(row).items():
                tasks.setdefault(task, []).append(item)
    return specs, tasks


# ---- ours ----


def run_ours(programs, model, specs, work, threads):
    samples = work / "ours.jsonl"
    samples.unlink(missing_ok=True)
    command = [programs / "couplingctl", "evaluate", model, "--samples", samples, "--threads", str(threads), "-q", "--json"]
    command += ["--device", "cpu"]
    for kind, path in specs.items():
        command += ["--pack", f"{kind}={path}"]
    return Timed(command, stdout=subprocess.DEVNULL), samples


def profile(programs, model, specs, work, threads):
    scores = work / "scores"
    scores.mkdir(exist_ok=True)
    request = {
        "checkpoint": str(model),
        "packs": [f"{kind}={path}" for kind, path in specs.items()],
        "scores_dir": str(scores),
        "device": "cpu",
        "threads": threads,
    }
    (work / "request.json").write_text(json.dumps(request))
    timed = Timed([programs / "couplingd-bench-speed", "profile", work / "request.json"], stdout=subprocess.PIPE)
    return json.loads(timed.out)


def plan(programs, model, specs, work, budget):
    request = {
        "checkpoint": str(model),
        "packs": [f"{kind}={path}" for kind, path in specs.items()],
        "scores_dir": str(work),
        "token_budget": budget,
    }
    (work / "plan.json").write_text(json.dumps(request))
    return json.loads(Timed([programs / "couplingd-bench-speed", "plan", work / "plan.json"], stdout=subprocess.PIPE).out)


# Llama-2-7B in bf16 on one H100 SXM: its data sheet's dense peak and bandwidth. Of the peak, large matrix products reach
# about 0.65; of the bandwidth, streams reach about 0.85.
SEVEN_B = {"layers": 32, "hidden": 4096, "mlp": 11008, "vocabulary": 32000, "kv": 4096}
H100 = {"flops": 989e12, "bytes": 3.35e12, "flops_reached": 0.65, "bytes_reached": 0.85}
CUDA_BUDGET = 16384


def paper(planned):
    """FLOPs, bytes and seconds of the planned evaluation for a 7B model on an H100: a floor, not a measurement."""
    m = SEVEN_B
    per_layer = 2 * m["hidden"] * (m["hidden"] + 2 * m["kv"] + m["hidden"] + 3 * m["mlp"])
    projections = planned["trie"] * m["layers"] * per_layer
    attention = planned["attention_pairs"] * m["layers"] * 4 * m["hidden"]
    logits = planned["rows"] * 2 * m["hidden"] * m["vocabulary"]
    weights = 2 * (m["layers"] * per_layer // 2 + 2 * m["hidden"] * m["vocabulary"])
    # Every pack reads the weights once and writes and reads each layer's activations about ten times.
    traffic = planned["packs"] * weights + planned["trie"] * m["layers"] * 2 * 10 * (m["hidden"] * 4 + m["mlp"] * 3)
    flops = projections + attention + logits
    compute = flops / (H100["flops"] * H100["flops_reached"])
    memory = traffic / (H100["bytes"] * H100["bytes_reached"])
    print(
        f"\non paper: Llama-2-7B, bf16, one H100, every item of the {TASKS} tasks, {CUDA_BUDGET} tokens at once (tokens as "
        f"SmolLM2 counts them)\n"
        f"  {planned['naive']} tokens one pass per request, {planned['trie']} in the trie, {planned['packs']} packs, "
        f"{planned['rows']} rows of logits; read and encoded in {planned['encode_seconds']:.1f} s, "
        f"planned in {planned['plan_seconds']:.2f} s\n"
        f"  projections  tokens · 2 · layer weights · layers        {projections / 1e15:8.3f} PFLOP\n"
        f"  attention    pairs · 4 · hidden · layers                {attention / 1e15:8.3f} PFLOP\n"
        f"  logits       rows · 2 · hidden · vocabulary             {logits / 1e15:8.3f} PFLOP\n"
        f"  time         {flops / 1e15:.2f} PFLOP at {H100['flops_reached']} of 989 TFLOP/s {compute:9.1f} s\n"
        f"               {traffic / 1e12:.2f} TB at {H100['bytes_reached']} of 3.35 TB/s   {memory:9.1f} s\n"
        f"  reading {weights / 1e9:.1f} GB of weights at 3 GB/s adds {weights / 3e9:.1f} s; one pass per request would "
        f"take {planned['naive'] / planned['trie']:.1f} times the projections"
    )


def peak(programs):
    return json.loads(Timed([programs / "couplingd-bench-speed", "peak"], stdout=subprocess.PIPE).out)


def build_packs(programs, specs, folder):
    """The folders of the packs that the benchmarks' files give."""
    for kind, path in specs.items():
        command = [programs / "couplingctl", "pack", "build", kind, path, "--out", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=CLEAN)
    return [str(pack) for pack in sorted(folder.iterdir())]


def to_first_forward(programs, model, packs, work):
    """Seconds from the start of a process that evaluates to its first forward pass."""
    request = {"checkpoint": str(model), "packs": packs, "scores_dir": str(work / "scores"), "device": "cpu"}
    (work / "request.json").write_text(json.dumps(request))
    timed = Timed([programs / "couplingd-probe", "evaluate", "--request", work / "request.json"], stdout=subprocess.PIPE)
    frames = [json.loads(line) for line in timed.out.decode().splitlines()]
    seconds = next(frame["seconds"] for frame in frames if frame["frame"] == "result")
    return timed.wall - seconds["score"] - seconds["record"]


def start_up(programs, model, work, source):
    """(to the first forward pass, a program with the same libraries that reads the same bytes), in seconds."""
    specs, _ = write_items(source, work / "one", 1)
    packs = build_packs(programs, {"piqa": specs["piqa"]}, work / "one-pack")
    weights = sorted(model.glob("*.safetensors")) + [model / "tokenizer.json"]
    ours = min(to_first_forward(programs, model, packs, work / "one") for _ in range(5))
    least = min(Timed([programs / "couplingd-bench-speed", "read", *weights]).wall for _ in range(5))
    return ours, least


# ---- lm-eval's Hugging Face backend ----


def lm_eval_worker(arguments):
    """In a process of its own: import, load, score, write."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    tasks = json.loads(pathlib.Path(arguments.requests).read_text())
    import torch

    torch.set_num_threads(arguments.threads)
    lm = HFLM(pretrained=str(arguments.model), dtype="float32", device="cpu", batch_size=arguments.batch)
    pairs = [tuple(p) for items in tasks.values() for item in items for p in item]
    instances = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    answers = lm.loglikelihood(instances, disable_tqdm=True)
    pathlib.Path(arguments.answers).write_text(json.dumps([[float(a), bool(b)] for a, b in answers]))


def run_lm_eval(model, tasks, work, batch, threads):
    pairs = {
        task: [[list(p) for p in zip(i["contexts"], i["continuations"])] for i in items] for task, items in tasks.items()
    }
    requests, answers = work / "requests.json", work / "lm-eval.json"
    requests.write_text(json.dumps(pairs))
    timed = Timed(
        [sys.executable, __file__, "lm-eval", "--model", model, "--requests", requests, "--answers", answers]
        + ["--batch", str(batch), "--threads", str(threads)],
        env=os.environ,
    )
    return timed, json.loads(answers.read_text())


def compare(tasks, samples, answers):
    """(largest difference of a log-likelihood per character scored, same greedy flags, choices)."""
    at, worst, same = 0, 0.0, 0
    for task, items in tasks.items():
        rows = parity.read_samples(samples, task)
        if len(rows) != len(items):
            sys.exit(f"speed: {task}: {len(rows)} rows of ours and {len(items)} items")
        for _, continuations, lls, greedy in rows:
            for text, ll, flag in zip(continuations, lls, greedy):
                theirs, their_flag = answers[at]
                at += 1
                worst = max(worst, abs(ll - theirs) / max(1, len(text) / 4))
                same += flag == their_flag
    return worst, same, at


# ---- llama.cpp ----


def text_bytes(text):
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def answers_bytes(answers, labels):
    return (
        struct.pack("<I", len(answers))
        + b"".join(map(text_bytes, answers))
        + struct.pack(f"<{len(labels)}i", *labels)
    )


def multiple_choice_file(path, items):
    """The binary that llama-perplexity --multiple-choice reads; answers follow the question and a blank there."""
    bodies = []
    for item in items:
        answers = [c.strip() for c in item["continuations"]]
        body = answers_bytes(answers, item["labels"])
        bodies.append(text_bytes(item["contexts"][0]) + body + body)
    at = 4 + 4 * len(bodies)
    places = []
    for body in bodies:
        places.append(at)
        at += len(body)
    path.write_bytes(struct.pack("<I", len(bodies)) + struct.pack(f"<{len(places)}I", *places) + b"".join(bodies))


def llama_tasks(tasks):
    """It can do items whose choices follow one context, with one right answer."""
    return {
        task: [i for i in items if sum(i["labels"]) == 1]
        for task, items in tasks.items()
        if task not in ("truthfulqa_mc2", "winogrande")
    }


def run_llama(llama, model, tasks, work, threads):
    weights = work / "smollm2-f32.gguf"
    if not weights.exists():
        converter = llama / "source" / "convert_hf_to_gguf.py"
        environment = {**os.environ, "PYTHONPATH": f"{llama}/source/gguf-py:{os.environ.get('PYTHONPATH', '')}"}
        command = [sys.executable, converter, model, "--outtype", "f32", "--outfile", weights]
        Timed(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    seconds = 0.0
    for task, items in llama_tasks(tasks).items():
        path = work / f"{task}.bin"
        multiple_choice_file(path, items)
        command = [llama / "bin" / "llama-perplexity", "-m", weights, "--multiple-choice", "-bf", path]
        command += ["-c", "64", "-np", "64", "-b", "4096", "-ub", "512", "-t", str(threads), "-tb", str(threads)]
        timed = Timed(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if b"Final result" not in timed.out:
            sys.exit(f"speed: llama-perplexity gave no result for {task}: {timed.out.decode(errors='replace')[-400:]}")
        seconds += timed.wall
    return seconds


# ---- what is printed ----


def account(ours, profile, peaks):
    """`peaks`: before and behind the evaluation, each the median round and the best one of many."""
    gflops, cpu_gflops = (sum(p[k] for p in peaks) / len(peaks) for k in ("gflops", "cpu_gflops"))
    best = max(p["best_gflops"] for p in peaks)
    result, operators = profile["result"], profile["operators"]
    tokens = result["tokens"]
    useful = (profile["flops_per_token"] * tokens["trie"] + profile["flops_per_row"] * tokens["rows"]) / 1e9
    print(
        f"tokens: {tokens['naive']} one pass per request, {tokens['trie']} in the trie, {tokens['forwarded']} forwarded "
        f"({tokens['forwarded'] / tokens['trie']:.3f}); {tokens['rows']} rows of logits"
    )
    print(
        f"useful matrix products: {useful:.0f} GFLOP in {ours.wall:.1f} s from process start to result file = "
        f"{useful / ours.wall / gflops:.3f} of the peak ({gflops:.0f} GFLOP/s in the median round at 2048³, same libtorch; {best:.0f} in the best)"
    )
    print(f"by core time, whatever else the machine does: {useful / ours.cpu / cpu_gflops:.3f} ({cpu_gflops:.0f} per core)")
    print("\nwhere the time goes, with every operator timed   core s   share")
    groups = dict.fromkeys([*GROUPS, "element by element"], 0.0)
    for name, spent in operators.items():
        group = next((group for group, names in GROUPS.items() if name in names), "element by element")
        groups[group] += spent
    whole = profile["cpu_seconds"]
    groups["outside operators"] = max(0.0, whole - sum(groups.values()))
    for name, spent in groups.items():
        print(f"  {name:44}{spent:9.2f}{100 * spent / whole:7.1f} %")
    print("seconds by step: " + ", ".join(f"{k} {v:.2f}" for k, v in result["seconds"].items()))


def versions(llama):
    print(f"machine: {cpu_name()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    for package in ("lm_eval", "transformers", "torch", "tokenizers"):
        try:
            print(f"  {package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            pass
    if (llama / "bin" / "llama-perplexity").exists():
        print("  llama.cpp inside llama-cpp-python 0.3.36")


def cpu_name():
    match = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return match.group(1) if match else platform.machine()


def batches(text):
    return [int(size) for size in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--items-from", type=pathlib.Path, required=True, help="folder of the benchmarks' files")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for what is made on the way")
    parser.add_argument("--llama", type=pathlib.Path, default=pathlib.Path("llama.cpp"))
    parser.add_argument("--items", type=int, default=100, help="first items of each task")
    parser.add_argument("--all", action="store_true", help="every item")
    parser.add_argument("--peers", default="lm-eval,llama.cpp", help="none for ours alone")
    parser.add_argument("--batch", type=batches, default=[16], help="lm-eval's batch sizes, one after the other: 8,16,32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--plots", action="store_true", help="only draw cost against items, length and model size")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/bin"))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.plots:
        work = arguments.work / "plots"
        speed_plots.make(arguments.programs, arguments.model, arguments.items_from, work, pathlib.Path("docs/pictures"))
        return
    count = 10**9 if arguments.all else arguments.items
    peers = [p for p in arguments.peers.split(",") if p not in ("", "none")]

    versions(arguments.llama)
    if (busy := others_use()) > 0.1:
        print(f"WARNING: other work keeps {busy:.1f} cores busy; only ratios by core time mean anything")
    specs, tasks = write_items(arguments.items_from, arguments.work / "items", count)
    requests = sum(len(i["contexts"]) for items in tasks.values() for i in items)
    print(f"{TASKS} tasks, {sum(map(len, tasks.values()))} items, {requests} requests, {arguments.threads} threads\n")

    before = peak(arguments.programs)
    ours, samples = run_ours(arguments.programs, arguments.model, specs, arguments.work, arguments.threads)
    after = peak(arguments.programs)
    profiled = profile(arguments.programs, arguments.model, specs, arguments.work, arguments.threads)
    account(ours, profiled, [before, after])

    weights = 4 * profiled["result"]["parameters"]
    allowed = 1.15 * weights + 300e6
    print(
        f"\npeak resident memory: {ours.peak_bytes / 1e6:.0f} MB of {allowed / 1e6:.0f} "
        f"(weights in fp32 {weights / 1e6:.0f} MB × 1.15 + 300 MB)"
    )
    first, least = start_up(arguments.programs, arguments.model, arguments.work, arguments.items_from)
    print(f"start to first forward: {first:.2f} s; the same libraries and bytes alone: {least:.2f} s ({first / least:.2f}×)")

    every, _ = write_items(arguments.items_from, arguments.work / "every", 10**9)
    paper(plan(arguments.programs, arguments.model, every, arguments.work, CUDA_BUDGET))

    print(f"\nprocess start to result file      seconds   core s   ratio  by core time\n  {'couplingctl evaluate':30}{ours.wall:9.1f}{ours.cpu:9.1f}")
    if "lm-eval" in peers:
        for batch in arguments.batch:
            theirs, answers = run_lm_eval(arguments.model, tasks, arguments.work, batch, arguments.threads)
            again, _ = run_ours(arguments.programs, arguments.model, specs, arguments.work, arguments.threads)
            wall, cpu = (ours.wall + again.wall) / 2, (ours.cpu + again.cpu) / 2
            print(f"  {f'lm-eval, batch {batch}':30}{theirs.wall:9.1f}{theirs.cpu:9.1f}{theirs.wall / wall:7.1f}×{theirs.cpu / cpu:13.1f}×")
            print(f"  {'couplingctl once more':30}{again.wall:9.1f}{again.cpu:9.1f}  (the ratios are to the mean of both)")
            ours = again
            worst, same, choices = compare(tasks, samples, answers)
            print(f"    {same} of {choices} greedy flags equal, log-likelihoods within {worst:.1e} per four characters", flush=True)
    if "llama.cpp" in peers:
        some = {k: v for k, v in specs.items() if k not in ("winogrande",)}
        print(f"  of these, what llama.cpp can do ({', '.join(llama_tasks(tasks))}):")
        mine = run_ours(arguments.programs, arguments.model, some, arguments.work, arguments.threads)[0]
        seconds = run_llama(arguments.llama, arguments.model, tasks, arguments.work, arguments.threads)
        print(f"  {'couplingctl, with MC2 as well':30}{mine.wall:9.1f}{mine.cpu:9.1f}")
        print(f"  {'llama-perplexity, f32':30}{seconds:9.1f}{'':9}{seconds / mine.wall:7.1f}×")


def worker_main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--requests", required=True)
    parser.add_argument("--answers", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    lm_eval_worker(parser.parse_args(sys.argv[2:]))


if __name__ == "__main__":
    worker_main() if sys.argv[1:2] == ["lm-eval"] else main()
