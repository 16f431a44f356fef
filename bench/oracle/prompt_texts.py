"""Texts that the benchmarks' rules are about, and the files that rows are written to; for prompt_rows.py."""

import csv
import json
import random

# ---- texts ----

WORDS = (
    "the a of under garden lamp river stone quietly seven 42 3.5 Ann Bea Ümit naïve «quoted» don't it's whose l'été Σίσυφος 日本語 "
    "e.g. (often) co-op 'single' \"double\" A. B) 1) — … [sic] semi;colon per% back\\slash tab\there {{braces}} {% x %} under_score"
).split(" ")
AWKWARD = ["  ", "   ", " [title] ", "[header]", "[a] [b]", " [unclosed", "]", "\u00a0", "\u3000", "\n", " .", "?!", "ß", "İ", "ǆ"]


class Texts:
    """A stream of sentences, some with what the benchmarks' rules are about."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def words(self, low, high):
        return " ".join(self.random.choice(WORDS) for _ in range(self.random.randint(low, high)))

    def text(self, low=2, high=9):
        text = self.words(low, high)
        for _ in range(self.random.choice((0, 0, 0, 1, 2))):
            at = self.random.randint(0, len(text))
            text = text[:at] + self.random.choice(AWKWARD) + text[at:]
        return text

    def texts(self, n, low=1, high=5):
        """Different ones that say something."""
        found = {}
        while len(found) < n:
            text = self.text(low, high)
            if text.strip():
                found[text] = None
        return list(found)


def lines(path, rows):
    path = path.with_suffix(".jsonl")
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def array(path, rows):
    path = path.with_suffix(".json")
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def table(path, rows):
    path = path.with_suffix(".csv")
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
