#!/usr/bin/env python3
"""How hard the items of real evaluations are and how much each wanders between checkpoints, for bench/false-alarms.

    python bench/oracle/item_fixture.py STATE_DIRECTORY bench/data/items.csv web-64 curated-64 …
    python bench/oracle/item_fixture.py --samples NAME bench/data/items.csv bench/data/NAME_items.csv samples_*.jsonl

The first form reads the score files of a couplingd store. An item's margin is the log-likelihood of its right choice less the
best wrong one, in nats; the common level of a checkpoint (the median over items) is taken out. Per item: `margin`, the mean
over the checkpoints; `fast`, the standard deviation of what is independent between neighbouring checkpoints (each against the
line between its neighbours); `slow`, that of the rest.

The second form reads the items of one checkpoint from `couplingctl evaluate --samples` (truthfulqa_mc1 is truthfulness, all
other tasks are reasoning; truthfulqa_mc2 has no right choice and is left out). One checkpoint does not show how its items wander:
each takes `slow` and `fast` from the item of the same rank among those of the first form, scaled by how much wider its axis is
spread (the median distance from the median).
"""
import csv
import json
import sqlite3
import struct
import sys
from pathlib import Path

import numpy as np


class Bytes:
    def __init__(self, path):
        self.data, self.at = path.read_bytes(), 0

    def take(self, form):
        value = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value[0]

    def text(self):
        size = self.take("I")
        return self.take(f"{size}s").decode()


def right_choices(path):
    plan = Bytes(path)
    plan.take("8s"), plan.take("I"), plan.text()
    [plan.text() for _ in range(plan.take("Q"))]
    golds = []
    for _ in range(plan.take("Q")):
        plan.text(), plan.text()
        golds.append([i for i in range(plan.take("Q")) if [plan.take("I"), plan.take("I"), plan.take("I"), plan.take("B")][3]])
    return golds


def margins(path, golds):
    scores = Bytes(path)
    scores.take("8s"), scores.take("I"), scores.text(), scores.take("32s")
    result = []
    for item in range(scores.take("Q")):
        choices = [(scores.take("d"), scores.take("B"))[0] for _ in range(scores.take("Q"))]
        right = max(choices[i] for i in golds[item])
        result.append(right - max(v for i, v in enumerate(choices) if i not in golds[item]))
    return result


def of_samples(paths):
    margins = {"reasoning": [], "truthfulness": []}
    for path in paths:
        for line in open(path):
            row = json.loads(line)
            if row["task"] == "truthfulqa_mc2":
                continue
            scores, gold = [float(score[0]) for score in row["filtered_resps"]], int(row["target"])
            axis = "truthfulness" if row["task"].startswith("truthfulqa") else "reasoning"
            margins[axis].append(scores[gold] - max(v for i, v in enumerate(scores) if i != gold))
    return {axis: np.sort(np.array(values) - np.median(values)) for axis, values in margins.items()}


def spread(values):
    return np.median(np.abs(values - np.median(values)))


def rows_like(name, margins, known):
    rows = []
    for axis, values in margins.items():
        like = sorted((float(r["margin"]), float(r["slow"]), float(r["fast"])) for r in known if r["source"].endswith(":" + axis))
        like = np.array(like)
        wider = spread(values) / spread(like[:, 0])
        ranks = np.round(np.linspace(0, len(like) - 1, len(values))).astype(int)
        for margin, (_, slow, fast) in zip(values, like[ranks]):
            rows.append([f"{name}:{axis}"] + [f"{v:.2f}" for v in (margin, wider * slow, wider * fast)])
    return rows


def write(out, rows):
    with open(out, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["source", "margin", "slow", "fast"])
        writer.writerows(rows)


def main():
    if sys.argv[1] == "--samples":
        name, known, out, paths = sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
        rows = rows_like(name, of_samples(paths), list(csv.DictReader(open(known))))
        write(out, rows)
        print(f"{len(rows)} items of {name}")
        return
    state, out, runs = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    database = sqlite3.connect(f"file:{state}/history.db?mode=ro", uri=True)
    rows = []
    for run in runs:
        found = database.execute(
            "SELECT DISTINCT s.task, e.plan_hash, e.scores_hash, c.step FROM scores s JOIN evaluations e ON e.id = s.evaluation_id "
            "JOIN checkpoints c ON c.id = e.checkpoint_id JOIN runs r ON r.id = c.run_id WHERE r.name = ? ORDER BY s.task, c.step", (run,)).fetchall()
        for task in sorted({row[0] for row in found}):
            mine = [row for row in found if row[0] == task]
            golds = right_choices(state / "scores" / f"{mine[0][1]}.plan")
            table = np.array([margins(state / "scores" / f"{row[2]}.scores", golds) for row in mine])
            x = np.log10([row[3] for row in mine])
            table -= np.median(table, axis=1, keepdims=True)
            after = ((x[1:-1] - x[:-2]) / (x[2:] - x[:-2]))[:, None]
            rough = (table[1:-1] - (1 - after) * table[:-2] - after * table[2:]) / np.sqrt(1 + after**2 + (1 - after) ** 2)
            fast = np.mean(rough**2, axis=0)
            slow = np.maximum(np.var(table, axis=0, ddof=1) - fast, 0)
            for values in zip(table.mean(axis=0), np.sqrt(slow), np.sqrt(fast)):
                rows.append([f"{run}:{task}"] + [f"{v:.2f}" for v in values])
    write(out, rows)
    print(f"{len(rows)} items of {len(runs)} runs")


main()
