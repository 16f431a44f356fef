"""Compares every prompt of couplingctl's packs with what lm-evaluation-harness 0.4.13 asks for the same rows.

lm-eval itself runs, with its own task files, on local JSON files: its templates, its filters of rows, its sampler of shots. A model
that only listens keeps the arguments of every request. Rows that are not at hand are generated in the benchmark's own schema, with
the awkward texts that its rules are about. Prints one line per benchmark and way of taking shots.

  python bench/oracle/prompts.py --items DIR --work DIR [--programs build/bin] [--only KIND]
  python bench/oracle/prompts.py --work DIR --fixtures tests/probes/benchmark/data/prompts
The second form writes a few rows of each benchmark and what lm-eval asks for them, for the tests.
"""

import argparse
import json
import logging
import os
import pathlib
import subprocess
import sys
import warnings

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = os.environ["TQDM_DISABLE"] = "1"

import prompt_rows
import yaml

CLEAN = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PYTHONPATH")}


# ---- lm-eval's side ----


class LmEval:
    def __init__(self, work):
        os.environ["HF_HOME"] = str(work / "cache")
        import datasets
        import lm_eval
        from lm_eval.api.model import LM
        from lm_eval.tasks import TaskManager

        datasets.disable_progress_bars()
        logging.disable(logging.WARNING)
        warnings.simplefilter("ignore")  # of choices without characters, divided by their number

        class Listener(LM):
            """Answers nothing of use and keeps what it was asked."""

            def __init__(self):
                super().__init__()
                self.asked = {}

            def loglikelihood(self, requests):
                for request in requests:
                    place = (request.task_name, request.doc_id, request.idx)
                    self.asked[place] = tuple(request.args[:2])
                return [(-1.0, False)] * len(requests)

            def loglikelihood_rolling(self, requests):
                raise NotImplementedError

            def generate_until(self, requests):
                raise NotImplementedError

        self.listener, self.work = Listener, work
        self.tasks = pathlib.Path(lm_eval.__file__).parent / "tasks"
        self.manager = TaskManager(include_defaults=False)

    def prompts(self, task, splits, shots):
        """[(context, continuation)] of all requests, in the order of rows and choices."""
        from lm_eval import evaluator

        folder = self.work / "lm-eval" / task.name
        folder.mkdir(parents=True, exist_ok=True)
        files = {}
        for split, rows in splits.items():
            files[split] = str(folder / f"{split}.jsonl")
            write_lines(folder / f"{split}.jsonl", rows)
        config = {
            "include": str(self.tasks / task.file),
            "task": task.name,
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": files},
        }
        (folder / "task.yaml").write_text(yaml.safe_dump(config))
        listener = self.listener()
        evaluator.simple_evaluate(
            model=listener,
            tasks=[str(folder / "task.yaml")],
            num_fewshot=shots,
            task_manager=self.manager,
            bootstrap_iters=0,
            log_samples=False,
        )
        return [listener.asked[place] for place in sorted(listener.asked)]


def write_lines(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# ---- ours ----


def packs(programs, kind, sources, options, out):
    """{name: [(context, continuation)]} of the packs that couplingctl builds."""
    command = [programs / "couplingctl", "pack", "build", kind, *sources, "--out", out, *options]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=CLEAN)
    if done.returncode != 0:
        sys.exit(f"prompts: {' '.join(map(str, command))} ended with {done.returncode}: {done.stderr}")
    prompts = {}
    for folder in sorted(out.iterdir()):
        delimiter = json.loads((folder / "pack.json").read_text())["delimiter"]
        prompts[folder.name] = [
            (context, delimiter + choice)
            for line in (folder / "items.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
            for item in [json.loads(line)]
            for context, choice in zip(item.get("contexts") or [item["context"]] * len(item["choices"]), item["choices"])
        ]
    return prompts


# ---- comparison ----


def compare(case, lm_eval, programs, work):
    """(rows, prompts compared, prompts that differ, the first difference)."""
    folder = work / "ours" / case.title.replace(" ", "-")
    sources = case.benchmark.write(folder / "files", case.rows)
    options = list(case.options)
    if case.pool is not None:
        for path in case.benchmark.write(folder / "pool", case.pool, "train"):
            options += ["--fewshot-from", path]
    ours = packs(programs, case.benchmark.kind, sources, options, folder / "packs")
    rows = compared = differing = 0
    first = None
    for pack, tasks in case.benchmark.packs(case.rows, case.pool):
        theirs = []
        for task, splits in tasks:
            theirs += lm_eval.prompts(task, splits, case.shots)
            rows += len(splits[task.split])
        mine = ours.pop(pack)
        compared += max(len(mine), len(theirs))
        differing += abs(len(mine) - len(theirs))
        for pair in zip(mine, theirs):
            if pair[0] != pair[1]:
                differing += 1
                first = first or pair
    if ours:
        sys.exit(f"prompts: {case.title}: packs that were not compared: {', '.join(ours)}")
    return rows, compared, differing, first


def write_fixtures(lm_eval, out):
    """Own files of a few rows in a folder per case, and cases.jsonl: what was built from them, and lm-eval's prompts."""
    lines = []
    for case in prompt_rows.fixture_cases():
        name = case.title.replace(" ", "-")
        paths = case.benchmark.write(out / name, case.rows)
        pool = case.benchmark.write(out / name / "shots", case.pool, "train") if case.pool is not None else []
        prompts = {
            pack: [pair for task, splits in tasks for pair in lm_eval.prompts(task, splits, case.shots)]
            for pack, tasks in case.benchmark.packs(case.rows, case.pool)
        }
        options = dict(zip(case.options[::2], case.options[1::2]))
        lines.append(
            {
                "kind": case.benchmark.kind,
                "files": [str(path.relative_to(out)) for path in paths],
                "preset": options.get("--fewshot", "lm-eval"),
                "shots": int(options["--shots"]) if "--shots" in options else None,
                "shots_from": [str(path.relative_to(out)) for path in pool],
                "prompts": prompts,
            }
        )
    write_lines(out / "cases.jsonl", lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=pathlib.Path, help="folder of the benchmarks' files that are at hand")
    parser.add_argument("--fixtures", type=pathlib.Path, help="write those of the tests there, and compare nothing")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="an empty folder")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/bin"))
    parser.add_argument("--only", help="one kind of benchmark")
    arguments = parser.parse_args()
    lm_eval = LmEval(arguments.work)
    if arguments.fixtures:
        return write_fixtures(lm_eval, arguments.fixtures)
    print(f"{'benchmark':18}{'shots':>18}  {'rows':24}{'items':>7}{'prompts':>9}{'differing':>11}", flush=True)
    failed = []
    for number, case in enumerate(prompt_rows.cases(arguments.items)):
        if arguments.only and case.benchmark.kind != arguments.only:
            continue
        rows, compared, differing, first = compare(case, lm_eval, arguments.programs, arguments.work / str(number))
        print(f"{case.benchmark.kind:18}{case.preset:>18}  {case.origin:24}{rows:7}{compared:9}{differing:11}", flush=True)
        if first:
            print(f"  ours    {first[0]!r}\n  lm-eval {first[1]!r}")
        if differing or not compared:
            failed.append(case.title)
    if failed:
        sys.exit(f"prompts: prompts differ: {', '.join(failed)}")
    print("every prompt is lm-eval's, byte for byte")


if __name__ == "__main__":
    main()
