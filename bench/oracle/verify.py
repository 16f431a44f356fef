"""Checks the causes that `couplingctl verify` names against samples that lm-evaluation-harness 0.4.13 really wrote.

One evaluation by couplingctl, and several by lm-eval's Hugging Face backend of the same items, each with one thing different. Prints
one line each.

  python bench/oracle/verify.py --model DIR --items-from DIR --work DIR [--items N] [--programs build/bin]
"""

import argparse
import contextlib
import io
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

os.environ["HF_DATASETS_OFFLINE"] = "1"

import prompt_rows
import yaml
from prompt_texts import lines

CLEAN = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PYTHONPATH")}
WINDOW = 110  # positions; longer than every choice, shorter than some items with their shots
SHOTS = 2
# name, expected cause, lm-eval's model arguments, its shots, changes of its task
WAYS = (
    ("as couplingctl", None, "dtype=float32", SHOTS, {}),
    ("no shots", "template", "dtype=float32", 0, {}),
    ("other words", "template", "dtype=float32", SHOTS, {"doc_to_text": "Q: {{goal}}\nAnswer:"}),
    ("no blank", "spacing", "dtype=float32", SHOTS, {"target_delimiter": ""}),
    ("BOS", "bos", "dtype=float32,add_bos_token=True", SHOTS, {}),
    ("short window", "truncation", f"dtype=float32,max_length={WINDOW}", SHOTS, {}),
    ("bf16", "dtype", "dtype=bfloat16", SHOTS, {}),
    ("other merges", "tokenizer", "dtype=float32", SHOTS, {}),
)


def other_tokenizer(model, folder):
    """The model with a tokenizer that lacks the later half of its merges: other tokens, all of them known to the model."""
    folder.mkdir()
    for path in model.iterdir():
        if path.name != "tokenizer.json":
            (folder / path.name).symlink_to(path.resolve())
    tokenizer = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    merges = tokenizer["model"]["merges"]
    tokenizer["model"]["merges"] = merges[: len(merges) // 2]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    return folder


def lm_eval_samples(model, arguments, shots, changes, rows, folder):
    """The samples file that lm-eval writes, its results beside it."""
    import lm_eval
    from lm_eval import evaluator
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    folder.mkdir()
    task = {
        "include": str(pathlib.Path(lm_eval.__file__).parent / "tasks/piqa/piqa.yaml"),
        "task": "piqa",
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"train": str(rows), "validation": str(rows)}},
        **changes,
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(task))
    results = evaluator.simple_evaluate(
        model="hf",
        model_args=f"pretrained={model},{arguments}",
        tasks=[str(folder / "task.yaml")],
        num_fewshot=shots,
        batch_size=8,
        device="cpu",
        task_manager=TaskManager(include_defaults=False),
        bootstrap_iters=0,
        log_samples=True,
    )
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.model_name_sanitized = "model"
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples(task_name="piqa", samples=samples["piqa"])
    [path] = folder.glob("model/samples_piqa_*.jsonl")
    return path


def call(command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, env=CLEAN)
    if done.returncode != 0:
        sys.exit(f"verify: {' '.join(map(str, command))} ended with {done.returncode}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--items-from", type=pathlib.Path, required=True, help="folder of the benchmarks' files")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="an empty folder")
    parser.add_argument("--items", type=int, default=12)
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/bin"))
    arguments = parser.parse_args()
    os.environ["HF_HOME"] = str(arguments.work / "cache")
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")

    rows = lines(arguments.work / "piqa", list(prompt_rows.real_piqa(arguments.items_from / "piqa.jsonl"))[: arguments.items])
    ctl = arguments.programs / "couplingctl"
    ours = arguments.work / "ours.jsonl"
    call([ctl, "pack", "build", "piqa", rows, "--shots", SHOTS, "--fewshot-from", rows, "--out", arguments.work / "packs"])
    evaluate = [ctl, "evaluate", arguments.model, "--pack", arguments.work / "packs" / "piqa", "--samples", ours]
    call([*evaluate, "--device", "cpu", "--dtype", "fp32", "--quiet", "--json"])

    print(f"{'lm-eval with':18}{'choices':>8}{'differing':>11}  causes found")
    failed = []
    for number, (name, expected, model_arguments, shots, changes) in enumerate(WAYS):
        model = other_tokenizer(arguments.model, arguments.work / "other") if expected == "tokenizer" else arguments.model
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars
            samples = lm_eval_samples(model, model_arguments, shots, changes, rows, arguments.work / str(number))
        facts = ["--tokenizer", arguments.model, "--their-tokenizer", model, "--dtype", "fp32", "--bos", "auto", "--max-length", 8192]
        answer = json.loads(call([ctl, "verify", "--against", samples, "--ours", ours, *facts, "--json"]))
        causes = {c["cause"]: c["choices"] for c in answer["causes"]}
        differing = answer["choices"] - answer["agree"]
        found = ", ".join(f"{cause} {n}" for cause, n in causes.items()) or "none"
        print(f"{name:18}{answer['choices']:8}{differing:11}  {found}", flush=True)
        if set(causes) != ({expected} if expected else set()):
            failed.append(name)
        shutil.rmtree(arguments.work / str(number))
    if failed:
        sys.exit(f"verify: another cause than the one that was made: {', '.join(failed)}")
    print("every cause is the one that was made")


if __name__ == "__main__":
    main()
