"""Writes the fixtures of tests/probes/benchmark/data with lm-evaluation-harness itself (lm_eval 0.4.13).

Invented items in the benchmarks' original file formats go through lm-eval's own task definitions,
request construction, metrics and sample writer; texts with awkward boundaries go through its encoder
with two small tokenizers trained here. What lm-eval answers is what the tests expect.

  python bench/oracle/lmeval_rules.py OUT
"""

import csv
import hashlib
import json
import os
import pathlib
import sys
import types

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"

import datasets
import transformers
from lm_eval import evaluator
from lm_eval.api.model import LM, TemplateLM
from lm_eval.loggers import EvaluationTracker
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from parity import split_answers

# ---- invented items, in the original formats ----

TRUTHFULQA = [
    {
        "Type": "Adversarial",
        "Category": "Gardens",
        "Question": 'Do garden gnomes, as some "experts" say, move at night?',
        "Best Answer": "No, gnomes made of clay stay where they are",
        "Correct Answers": "No, gnomes made of clay stay where they are; They do not move.; "
        "Clay cannot walk; They do not move",
        "Incorrect Answers": "Yes, they walk at night; They move when nobody looks; Yes, they walk at night.",
        "Source": "https://example.org/gnomes",
    },
    {
        "Type": "Non-Adversarial",
        "Category": "Kitchens",
        "Question": "What happens if you stir\nsoup the wrong way?",
        "Best Answer": "Nothing happens",
        "Correct Answers": "Nothing happens; The soup is stirred; It spins the other way ",
        "Incorrect Answers": "The soup turns sour; Crème brûlée appears; ; It spins the other way",
        "Source": "https://example.org/soup",
    },
    {
        "Type": "Adversarial",
        "Category": "Kitchens",
        "Question": "Can a spoon be heard thinking?",
        "Best Answer": "No.",
        "Correct Answers": "No.; Spoons do not think",
        "Incorrect Answers": "Yes; Only silver ones can",
        "Source": "",
    },
]
HELLASWAG = [
    {
        "ind": 4,
        "activity_label": "Folding a kite",
        "ctx_a": "A girl sits on the grass with a paper kite.",
        "ctx_b": "she THEN Folds",
        "ctx": "",
        "split": "val",
        "split_type": "indomain",
        "endings": ["it in two halves.", "the river [step] into a hat.", "nothing  at   all.", "ÉTÉ into the sky."],
        "label": 0,
        "source_id": "invented~1",
    },
    {
        "ind": 9,
        "activity_label": "Home and Garden",
        "ctx_a": "[header] How to wake a cactus [title] Speak to it softly.",
        "ctx_b": "",
        "ctx": "",
        "split": "val",
        "split_type": "zeroshot",
        "endings": [
            "[substeps] Say its name. Wait.  [title] Try again later.",
            "Shout. [title] Then leave [the room",
            " Water it [a] [b] twice.",
            "İstanbul is far away. [unclosed",
        ],
        "label": 2,
        "source_id": "invented~2",
    },
    {
        "ind": 11,
        "activity_label": "Ice",
        "ctx_a": "Two skaters  glide",
        "ctx_b": "ßmall circles form. ὈΔΥΣΣΕΎΣ",
        "ctx": "",
        "split": "val",
        "split_type": "indomain",
        "endings": ["on the ice.", "in a teapot.", "under a hill.", "over the moon."],
        "label": 3,
        "source_id": "invented~1",
    },
]
ARC = [
    {
        "id": "INVENTED_1",
        "question": {
            "stem": "Which of these floats on water?",
            "choices": [
                {"text": "a cork", "label": "A"},
                {"text": "an anvil", "label": "B"},
                {"text": "a brick", "label": "C"},
                {"text": "42", "label": "D"},
            ],
        },
        "answerKey": "A",
    },
    {
        "id": "INVENTED_2",
        "question": {
            "stem": "A lamp is switched off. What is left? ",
            "choices": [
                {"text": "more light", "label": "1"},
                {"text": "l'obscurité", "label": "2"},
                {"text": "heat forever", "label": "3"},
            ],
        },
        "answerKey": "2",
    },
    {
        "id": "INVENTED_3",
        "question": {
            "stem": "How many wheels has a cart with two axles?",
            "choices": [{"text": t, "label": l} for t, l in zip(["one", "four", "nine", "none", "two"], "ABCDE")],
        },
        "answerKey": "B",
    },
]
WINOGRANDE = [
    {
        "qID": "INVENTED0AAA-1",
        "sentence": "The chest did not fit through the door because the _ was too wide.",
        "option1": "chest",
        "option2": "door",
        "answer": "1",
    },
    {
        "qID": "INVENTED0AAA-2",
        "sentence": "The chest did not fit through the door because the _ was too narrow.",
        "option1": "chest",
        "option2": "door",
        "answer": "2",
    },
    {
        "qID": "INVENTED0BBB-1",
        "sentence": "Ann thanked Bea for the map, since it was _ , who had drawn it.  ",
        "option1": "Ann",
        "option2": "Bea",
        "answer": "2",
    },
]
PIQA = [
    {"goal": "Keep a door open", "sol1": "Put a wedge under it", "sol2": "Put a wedge on the moon"},
    {"goal": "Dry a wet hat:", "sol1": "Place it in a pond.", "sol2": "Place it in the sun."},
    {"goal": "Sharpen a pencil", "sol1": "Turn it in a sharpener", "sol2": "Turn it in a sharpener made of soup"},
]
PIQA_LABELS = [0, 1, 0]
MMLU = {
    "abstract_algebra": {
        "dev": [
            ['Is zero, "the nought", even?', "Yes", "No", "Sometimes", "Never", "A"],
            ["How many elements has the trivial group?", "0", "1", "2", "3", "B"],
        ],
        "test": [
            [" Which of these is a group?\n", "(Z, +)", "(N, +)", "the sea", "{}", "A"],
            ["What is 2 + 2 in Z_3?", "0", "1", "2", "3", "B"],
        ],
    },
    "anatomy": {
        "dev": [
            ["Where is the knee?", "In the leg", "In the ear", "In Rome", "Nowhere", "A"],
            ["What does a lung hold?", "Sand", "Ink", "Wood", "Air", "D"],
        ],
        "test": [["How many noses has a face?", "One", "Two", "Three", "Four", "A"]],
    },
}
SHOTS = 2


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")


def write_sources(out):
    with open(out / "truthfulqa.csv", "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(TRUTHFULQA[0]))
        writer.writeheader()
        writer.writerows(TRUTHFULQA)
    write_jsonl(out / "hellaswag_val.jsonl", HELLASWAG)
    write_jsonl(out / "ARC-Easy-Test.jsonl", ARC)
    write_jsonl(out / "arc_hub.jsonl", arc_rows())
    write_jsonl(out / "winogrande_dev.jsonl", WINOGRANDE)
    write_jsonl(out / "piqa_valid.jsonl", PIQA)
    (out / "piqa_valid-labels.lst").write_text("".join(f"{label}\n" for label in PIQA_LABELS))
    for subject, splits in MMLU.items():
        for split, rows in splits.items():
            path = out / "mmlu" / split / f"{subject}_{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(rows)


# ---- the same items as the rows that lm-eval's datasets have ----


def truthfulqa_rows():
    for row in TRUTHFULQA:
        best = split_answers(row["Best Answer"])[0]
        wrong = split_answers(row["Incorrect Answers"])
        one = {best: 1, **{a: 0 for a in wrong if a != best}}
        many = {**dict.fromkeys(split_answers(row["Correct Answers"]), 1), **dict.fromkeys(wrong, 0)}
        yield {
            "question": row["Question"],
            "mc1_targets": {"choices": list(one), "labels": list(one.values())},
            "mc2_targets": {"choices": list(many), "labels": list(many.values())},
        }


def arc_rows():
    for row in ARC:
        choices = row["question"]["choices"]
        yield {
            "id": row["id"],
            "question": row["question"]["stem"],
            "choices": {"text": [c["text"] for c in choices], "label": [c["label"] for c in choices]},
            "answerKey": row["answerKey"],
        }


def mmlu_rows(subject, split):
    for *texts, answer in MMLU[subject][split]:
        yield {"question": texts[0], "subject": subject, "choices": texts[1:], "answer": "ABCD".index(answer)}


def dataset_of(rows, dev=()):
    """The rows under every split's name, so that whichever a task evaluates is there."""
    rows = datasets.Dataset.from_list(list(rows))
    data = {"train": rows, "validation": rows, "test": rows, "dev": datasets.Dataset.from_list(list(dev))}
    return lambda **_: data


def tasks():
    manager = TaskManager()

    def make(name, data, **overrides):
        overrides = {"custom_dataset": data, **overrides}
        return manager._factory.build(manager._entry(name), overrides=overrides, registry=manager._index)

    truthful = dataset_of(truthfulqa_rows())
    hellaswag = [{**row, "label": str(row["label"])} for row in HELLASWAG]
    piqa = [{**row, "label": label} for row, label in zip(PIQA, PIQA_LABELS)]
    yield make("truthfulqa_mc1", truthful)
    yield make("truthfulqa_mc2", truthful)
    yield make("hellaswag", dataset_of(hellaswag))
    yield make("arc_easy", dataset_of(arc_rows()))
    yield make("winogrande", dataset_of(WINOGRANDE))
    yield make("piqa", dataset_of(piqa))
    for subject in sorted(MMLU):
        data = dataset_of(mmlu_rows(subject, "test"), mmlu_rows(subject, "dev"))
        yield make(f"mmlu_{subject}", data, num_fewshot=SHOTS)


class InventedModel(LM):
    """Log-likelihoods that follow from the text alone; equal continuations after equal contexts tie."""

    def loglikelihood(self, requests):
        answers = []
        for request in requests:
            digest = hashlib.sha256("\0".join(request.args).encode()).digest()
            log_likelihood = -0.3 * len(request.args[1].encode()) - digest[0] / 20
            answers.append((log_likelihood, digest[1] < 64))
        return answers

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError

    def generate_until(self, requests):
        raise NotImplementedError


def write_samples(out):
    results = {}
    for task in tasks():
        name = task.config.task
        done = evaluator.simple_evaluate(model=InventedModel(), tasks=[task], log_samples=True, bootstrap_iters=2)
        results[name] = done["results"][name]
        tracker = EvaluationTracker(output_path=str(out / "results.json"))
        tracker.date_id = "2025-01-01T00-00-00.000000"
        path = out / f"samples_{name}_{tracker.date_id}.jsonl"
        path.unlink(missing_ok=True)
        tracker.save_results_samples(task_name=name, samples=done["samples"][name])
    (out / "lm_eval_results.json").write_text(json.dumps(results, indent=1, default=str) + "\n")


# ---- token boundaries ----

CORPUS = [
    "The answer is that the answer was the answer of an answerer, and then there was nothing more.",
    "What is the question? The question is what the questioner was questioning.  Two  spaces. 12 345 6789",
    "größer als grün, naïve café, Σίσυφος, 日本語のテキスト, и так далее, и так далее",
]
PAIRS = [
    ("The answer", " is that"),
    ("The answer ", "is that"),
    ("The answer  \n", " is that"),
    ("The answer is", "n't"),
    ("The quest", "ion is what the answer was"),
    ("The answer\u00a0\u3000", "is that"),
    ("The answer\x1f", "is that"),
    ("The answer\u200b", "is that"),
    ("größer", " als grün"),
    ("日本", "語のテキスト、語の語"),
    ("", " is that"),
    ("", "<s> is that"),
    ("<s>The answer", " is that"),
    ("the the the the the the the the the the", " answer was the answer"),
    ("12", "3 45"),
]


def train(bos):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return tokenizer


def encode_by_lm_eval(directory, add_bos_token, max_length, pairs):
    stub = types.SimpleNamespace(backend="causal", add_bos_token=add_bos_token, custom_prefix_token_id=None)
    extra = {} if add_bos_token is None else {"add_bos_token": add_bos_token}
    stub.tokenizer = transformers.AutoTokenizer.from_pretrained(str(directory), **extra)
    stub.prefix_token_id = HFLM.prefix_token_id.fget(stub)
    stub.tok_encode = lambda text, **kw: HFLM.tok_encode(stub, text, **kw)
    stub._encode_pair = lambda c, t: TemplateLM._encode_pair(stub, c, t)
    stub._loglikelihood_tokens = lambda requests, **_: requests
    wanted = [types.SimpleNamespace(args=pair) for pair in pairs]
    for (context, continuation), ctx, cont in TemplateLM.loglikelihood(stub, wanted, disable_tqdm=True):
        tokens = (ctx + cont)[-(max_length + 1) :]
        yield {
            "context": context,
            "continuation": continuation,
            "tokens": tokens,
            "scored_from": len(tokens) - len(cont),
        }


def write_encodings(out):
    cases = []
    for name, bos in (("tokenizer_plain", False), ("tokenizer_bos", True)):
        directory = out / name
        directory.mkdir(exist_ok=True)
        train(bos).save(str(directory / "tokenizer.json"))
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
        (directory / "tokenizer_config.json").write_text(json.dumps(config) + "\n")
        for mode, add in (("auto", None), ("true", True), ("false", False)):
            for max_length in (8, 2048):
                rows = list(encode_by_lm_eval(directory, add, max_length, PAIRS))
                cases.append({"tokenizer": name, "bos": mode, "max_length": max_length, "requests": rows})
    write_jsonl(out / "encodings.jsonl", cases)


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    write_sources(out)
    write_samples(out)
    write_encodings(out)


if __name__ == "__main__":
    main()
