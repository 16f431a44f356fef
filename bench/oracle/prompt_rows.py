"""The rows of prompts.py: real ones where they are at hand, else generated, each in the benchmark's own file format and as the rows
that lm-eval's datasets have."""

import csv
import dataclasses
import io
import json

import parity
from prompt_texts import Texts, array, lines, table

# ---- benchmarks ----


@dataclasses.dataclass
class Task:
    name: str
    file: str  # lm-eval's, below its folder of tasks
    split: str  # that it evaluates
    pool: str = "train"  # that it takes shots from


class Lines:
    """A benchmark of one task; `load` makes lm-eval's rows of those that its own file holds."""

    def __init__(self, kind, task, generate, write, load):
        self.kind, self.task, self.generate, self.write_file, self.load = kind, task, generate, write, load

    def write(self, folder, rows, split="evaluated"):
        folder.mkdir(parents=True, exist_ok=True)
        return [self.write_file(folder / split, rows)]

    def packs(self, rows, pool):
        splits = {self.task.pool: pool or rows[:1], self.task.split: rows}
        return [(self.task.name, [(self.task, {split: list(map(self.load, part)) for split, part in splits.items()})])]


class TruthfulQa:
    kind = "truthfulqa"

    def write(self, folder, rows, split="evaluated"):
        path = folder / "TruthfulQA.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return [path]

    def packs(self, rows, pool):
        def targets(right, wrong):
            labels = {**dict.fromkeys(right, 1), **dict.fromkeys(wrong, 0)}
            return {"choices": list(labels), "labels": list(labels.values())}

        hub = []
        for row in rows:
            best = parity.split_answers(row["Best Answer"])[0]
            right, wrong = (parity.split_answers(row[f"{kind} Answers"]) for kind in ("Correct", "Incorrect"))
            one = targets([best], [a for a in wrong if a != best])
            hub.append({"question": row["Question"], "mc1_targets": one, "mc2_targets": targets(right, wrong)})
        for name in ("truthfulqa_mc1", "truthfulqa_mc2"):
            yield name, [(Task(name, f"truthfulqa/{name}.yaml", "validation"), {"validation": hub})]


class Mmlu:
    kind = "mmlu"

    def write(self, folder, rows, split="test"):
        for subject, questions in rows.items():
            name = "dev" if split == "train" else "test"
            path = folder / ("" if split == "train" else "test") / f"{subject}_{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([r["question"], *r["choices"], "ABCD"[r["answer"]]] for r in questions)
        return [folder]

    def packs(self, rows, pool):
        tasks = [
            (
                Task(f"mmlu_{subject}", f"mmlu/default/mmlu_{subject}.yaml", "test", "dev"),
                {"test": rows[subject], "dev": (pool or rows)[subject]},
            )
            for subject in sorted(rows)
        ]
        return [("mmlu", tasks)]


# ---- rows as lm-eval's datasets have them ----


def hellaswag_row(texts, i, split):
    return {
        "ind": i,
        "activity_label": texts.text(1, 3),
        "ctx_a": texts.text(),
        "ctx_b": texts.random.choice(("", texts.text(1, 4), texts.text(1, 4).upper())),
        "ctx": "",
        "endings": texts.texts(4),
        "source_id": f"generated~{i // 2}",
        "split": split,
        "split_type": "indomain",
        "label": str(texts.random.randrange(4)),
    }


def arc_row(texts, i, split):
    options = texts.texts(texts.random.choice((3, 4, 4, 4, 5)))
    labels = list(texts.random.choice(("ABCDE", "12345"))[: len(options)])
    return {
        "id": f"{split}_{i}",
        "question": texts.text(),
        "choices": {"text": options, "label": labels},
        "answerKey": texts.random.choice(labels),
    }


def arc_lines(path, rows):
    def own(row):
        choices = [{"text": t, "label": l} for t, l in zip(row["choices"]["text"], row["choices"]["label"])]
        return {"id": row["id"], "question": {"stem": row["question"], "choices": choices}, "answerKey": row["answerKey"]}

    return lines(path, map(own, rows))


def winogrande_row(texts, i, split):
    after = texts.random.choice((" " + texts.text(1, 5), ", " + texts.words(1, 3), ".", texts.text(1, 3) + "  ", ""))
    return {
        "sentence": f"{texts.text()}_{after}",
        "option1": texts.words(1, 2),
        "option2": texts.words(1, 2),
        "answer": texts.random.choice("12"),
    }


def piqa_row(texts, i, split):
    one, two = texts.texts(2)
    return {"goal": texts.text(), "sol1": one, "sol2": two, "label": texts.random.randrange(2)}


def mmlu_rows(texts, subjects, n):
    def question():
        choices = texts.texts(4)
        return {"question": texts.random.choice(("", " ", "\n")) + texts.text(), "choices": choices, "answer": texts.random.randrange(4)}

    return {subject: [question() for _ in range(n)] for subject in subjects}


def sciq_row(texts, i, split):
    choices = dict(zip(("distractor1", "distractor2", "distractor3", "correct_answer"), texts.texts(4)))
    support = texts.random.choice(("", " \n", "")) + texts.random.choice(("", texts.text(5, 20)))
    return {"question": texts.text(), **choices, "support": support}


def logiqa_row(texts, i, split):
    def line():
        return " ".join(texts.text(3, 8).split()) or "nothing."

    return {"label": texts.random.choice("abcd"), "context": line(), "question": line(), "options": [line() for _ in range(4)]}


def logiqa_text(path, rows):
    path = path.with_suffix(".txt")
    blocks = []
    for row in rows:
        options = [f"{letter}.{option}" for letter, option in zip("ABCD", row["options"])]
        blocks.append("\n".join([row["label"], row["context"], row["question"], *options]))
    path.write_text("\n" + "\n\n".join(blocks) + "\n", encoding="utf-8")
    return path


def logiqa_load(row):
    def spaced(text):
        return text.replace(".", ". ").strip()

    options = list(map(spaced, row["options"]))
    return {**row, "context": spaced(row["context"]), "question": spaced(row["question"]), "options": options}


def wsc_row(texts, i, split):
    words = [w for w in texts.text(8, 16).replace("\u3000", " ").split() if w] + ["( it )", "did n't", "\" so \"", "end", "."]
    at = texts.random.randrange(len(words))
    words[at] = texts.random.choice(("it", "he", "日本"))
    text = texts.random.choice((" ", " ", "  ")).join(words)
    return {
        "text": text,
        "span1_index": 0,
        "span2_index": len(" ".join(words[:at]).split()),
        "span1_text": text.split()[0],
        "span2_text": words[at],
        "idx": i,
        "label": texts.random.randrange(2),
    }


def wsc_lines(path, rows):
    def own(row):
        target = {key: value for key, value in row.items() if key.startswith("span")}
        return {"text": row["text"], "target": target, "idx": row["idx"], "label": row["label"] == 1}

    return lines(path, map(own, rows))


def crows_row(texts, i, split):
    more, less = texts.texts(2, 4, 9)
    return {"id": i, "sent_more": more, "sent_less": less, "stereo_antistereo": "stereo", "bias_type": texts.random.choice(("age", "gender"))}


def gpqa_row(texts, i, split):
    names = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
    answers = dict(zip(names, texts.texts(4)))
    return {"Record ID": f"rec{split}{i}", "Question": texts.text(), **answers, "High-level domain": "Physics"}


def lambada_row(texts, i, split):
    return {"text": texts.text(6, 20) + " " + texts.words(1, 1)}


# ---- real rows, as far as they are at hand ----


def real_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def real_arc(path):
    for i, row in enumerate(real_lines(path)):
        labels = list("ABCDE"[: len(row["choices"])])
        question = row["query"].removeprefix("Question: ")
        choices = {"text": row["choices"], "label": labels}
        yield {"id": f"real_{i}", "question": question, "choices": choices, "answerKey": labels[row["gold"]]}


def real_winogrande(path):
    for row in real_lines(path):
        one, two = row["context_options"]
        same = next((i for i, (a, b) in enumerate(zip(one, two)) if a != b), min(len(one), len(two)))
        yield {
            "sentence": f"{one[:same]}_ {row['continuation']}",
            "option1": one[same:],
            "option2": two[same:],
            "answer": str(row["gold"] + 1),
        }


def real_piqa(path):
    for row in real_lines(path):
        one, two = row["choices"]
        yield {"goal": row["query"].removeprefix("Question: "), "sol1": one, "sol2": two, "label": row["gold"]}


def real_truthfulqa(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


# ---- cases ----


@dataclasses.dataclass
class Case:
    benchmark: object
    rows: object
    origin: str
    preset: str
    shots: int | None = None  # lm-eval's num_fewshot
    pool: object = None
    options: tuple = ()

    @property
    def title(self):
        return f"{self.benchmark.kind} {self.preset} {self.origin}"


LINES = {
    kind: Lines(kind, Task(task or kind, file, split), generate, write, logiqa_load if kind == "logiqa" else dict)
    for kind, task, file, split, generate, write in (
        ("hellaswag", "", "hellaswag/hellaswag.yaml", "validation", hellaswag_row, lines),
        ("arc_easy", "", "arc/arc_easy.yaml", "test", arc_row, arc_lines),
        ("arc_challenge", "", "arc/arc_challenge.yaml", "test", arc_row, arc_lines),
        ("winogrande", "", "winogrande/default.yaml", "validation", winogrande_row, lines),
        ("piqa", "", "piqa/piqa.yaml", "validation", piqa_row, lines),
        ("sciq", "", "sciq/sciq.yaml", "test", sciq_row, array),
        ("logiqa", "", "logiqa/logiqa.yaml", "test", logiqa_row, logiqa_text),
        ("wsc", "", "super_glue/wsc/default.yaml", "validation", wsc_row, wsc_lines),
        ("crows_pairs_english", "", "crows_pairs/crows_pairs_english.yaml", "test", crows_row, table),
        ("crows_pairs_french", "", "crows_pairs/crows_pairs_french.yaml", "test", crows_row, lines),
        ("gpqa_diamond", "gpqa_diamond_zeroshot", "gpqa/zeroshot/gpqa_diamond_zeroshot.yaml", "train", gpqa_row, table),
        ("lambada_openai", "", "lambada/lambada_openai.yaml", "test", lambada_row, lines),
    )
}
WITHOUT_SHOTS = ("crows_pairs_english", "crows_pairs_french", "gpqa_diamond", "lambada_openai")
WITHOUT_ITSELF = ("hellaswag", "winogrande", "piqa", "wsc")  # never among their own shots, however often a row is there
LEADERBOARD = {"hellaswag": 10, "arc_challenge": 25, "winogrande": 5, "mmlu": 5}
REAL = {"arc_easy": real_arc, "winogrande": real_winogrande, "piqa": real_piqa}
SUBJECTS = ("abstract_algebra", "anatomy", "high_school_us_history", "us_foreign_policy", "world_religions")


def line_cases(items, benchmark):
    name = benchmark.kind
    texts = Texts(f"{name} rows")
    generated = [benchmark.generate(texts, i, "evaluated") for i in range(150)]
    train = [benchmark.generate(texts, i, "train") for i in range(400)]
    yield Case(benchmark, generated, "generated", "lm-eval")
    if name in WITHOUT_SHOTS:
        return
    rows, origin = generated, "generated"
    if name in REAL:
        [path] = items.glob(f"{name}.jsonl")
        rows, origin = list(REAL[name](path)), "real"
        yield Case(benchmark, rows, origin, "lm-eval")
    if name in LEADERBOARD:
        preset, shots = "leaderboard-v1", LEADERBOARD[name]
        yield Case(benchmark, rows, origin, preset, shots, train, ("--fewshot", preset))
    yield Case(benchmark, rows, f"{origin}, 400 to draw", "3", 3, train, ("--shots", "3"))
    yield Case(benchmark, generated[:60], "from themselves", "7", 7, generated[:60], ("--shots", "7"))
    if name in WITHOUT_ITSELF:
        repeated = generated[:4] * 3 + generated[4:8]
        yield Case(benchmark, repeated, "themselves, repeated", "4", 4, repeated, ("--shots", "4"))


def cases(items):
    yield Case(TruthfulQa(), real_truthfulqa(items / "truthfulqa.csv"), "real", "lm-eval")
    yield Case(TruthfulQa(), real_truthfulqa(items / "truthfulqa.csv")[:50], "real", "leaderboard-v1", 0, None, ("--fewshot", "leaderboard-v1"))
    for benchmark in LINES.values():
        yield from line_cases(items, benchmark)
    texts = Texts("mmlu rows")
    rows, dev = mmlu_rows(texts, SUBJECTS, 20), mmlu_rows(texts, SUBJECTS, 6)
    yield Case(Mmlu(), rows, "generated", "lm-eval")
    yield Case(Mmlu(), rows, "generated", "leaderboard-v1", 5, dev, ("--fewshot", "leaderboard-v1"))
    yield Case(Mmlu(), rows, "generated", "2", 2, dev, ("--shots", "2"))


def fixture_cases():
    for benchmark in LINES.values():
        texts = Texts(f"{benchmark.kind} fixtures")
        rows = [benchmark.generate(texts, i, "evaluated") for i in range(5)]
        if benchmark.kind in WITHOUT_SHOTS:
            yield Case(benchmark, rows, "generated", "lm-eval")
            continue
        train = [benchmark.generate(texts, i, "train") for i in range(30)]
        yield Case(benchmark, rows, "generated", "2", 2, train, ("--shots", "2"))
        if benchmark.kind in WITHOUT_ITSELF:
            yield Case(benchmark, rows[:2] * 3 + rows, "themselves", "4", 4, rows[:2] * 3 + rows, ("--shots", "4"))
        if benchmark.kind in LEADERBOARD:
            preset = "leaderboard-v1"
            yield Case(benchmark, rows[:3], "generated", preset, LEADERBOARD[benchmark.kind], train, ("--fewshot", preset))
    texts = Texts("mmlu fixtures")
    rows, dev = mmlu_rows(texts, SUBJECTS[:2], 2), mmlu_rows(texts, SUBJECTS[:2], 6)
    yield Case(Mmlu(), rows, "generated", "leaderboard-v1", 5, dev, ("--fewshot", "leaderboard-v1"))
