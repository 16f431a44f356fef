"""What a kept worker saves on a GPU, and how long a budget of seconds takes there, with the models that gpu.py made.

A process of its own, since a worker is only kept on a GPU where nobody else computes.

  python bench/oracle/gpu_kept.py [--work DIR] [--shapes 135m,7b] [--budget 5s] [--programs build/bin]
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import time


class Worker:
    """A couplingd-probe that serves one request after the other, as the daemon's do."""

    def __init__(self, programs):
        command = [programs / "couplingd-probe", "serve"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, request):
        """(result frame, notes, seconds from the request to the last frame)"""
        start = time.time()
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        result, notes = None, []
        while True:
            frame = json.loads(self.process.stdout.readline())
            if frame["frame"] == "error":
                raise SystemExit(f"gpu: {frame['message']}")
            if frame["frame"] == "result":
                result = frame
            if frame["frame"] == "note":
                notes.append(frame)
            if frame["frame"] == "exit":
                return result, notes, time.time() - start

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def scores_of(result):
    return [pack["scores_hash"] for pack in result["packs"]]


def started(notes):
    """Whether a process was started for it: only then it says what its sandbox holds."""
    return any(note["topic"] == "sandbox" for note in notes)


def bench_kept(programs, request, again):
    alone = []
    for _ in range(again):
        with Worker(programs) as worker:
            alone.append(worker.ask(request))
    with Worker(programs) as worker:
        first = worker.ask(request)
        kept = [worker.ask(request) for _ in range(again)]
    if any(started(notes) for _, notes, _ in kept):
        print("    the worker was not kept: " + str([note["text"] for _, notes, _ in kept for note in notes]))
        return
    if any(scores_of(result) != scores_of(first[0]) for result, _, _ in alone + kept):
        raise SystemExit("gpu: a kept worker gave other scores than a process of its own")
    cold, warm = min(run[2] for run in alone), min(run[2] for run in kept)
    print(f"    a process of its own {cold:.2f} s, a kept one {warm:.2f} s ({cold - warm:.2f} s less), the same scores")
    print("    kept: " + ", ".join(f"{step} {s:.2f}" for step, s in kept[-1][0]["seconds"].items() if s >= 0.005))


def bench_budget(programs, request, budget):
    with Worker(programs) as worker:
        result, notes, seconds = worker.ask({**request, "budget": budget})
    texts = [note["text"] for note in notes if note["topic"] == "budget"]
    print(f"    a budget of {budget}: {seconds:.2f} s from the request to the result; " + "; ".join(texts))
    with Worker(programs) as worker:
        again, _, seconds = worker.ask({**request, "budget": f"{result.get('items') or 10**6}items"})
    if scores_of(again) != scores_of(result):
        raise SystemExit("gpu: the same number of items gave other scores")
    print(f"    the run's next checkpoint with these items: {seconds:.2f} s, the same scores")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/dev/shm/couplingd-gpu"))
    parser.add_argument("--shapes", default="135m,7b")
    parser.add_argument("--budget", default="5s")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--again", type=int, default=3)
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/bin"))
    arguments = parser.parse_args()
    for shape in arguments.shapes.split(","):
        work = arguments.work / shape
        scores = work / "kept-scores"
        shutil.rmtree(scores, ignore_errors=True)
        scores.mkdir()
        request = {
            "checkpoint": str(work / "model"), "read_roots": [str(work)], "scores_dir": str(scores), "device": arguments.device,
            "packs": [str(pack) for pack in sorted((work / "every-packs").iterdir())],
        }  # fmt: skip
        print(f"\n{shape}, every item, the plan kept")
        with Worker(arguments.programs) as worker:
            worker.ask(request)
        bench_kept(arguments.programs, request, arguments.again)
        bench_budget(arguments.programs, request, arguments.budget)


if __name__ == "__main__":
    main()
