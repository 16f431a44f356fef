"""Writes tests/coupling/data/score_drop.json: drops of a score below earlier checkpoints, by SciPy and NumPy.

With the argument `levels`, prints instead how often the test of coupling/score_drop.h rejects where nothing fell, over how
often it should: 400,000 simulated runs for each number of checkpoints and share of checkpoint noise.
"""
import json
import sys
from pathlib import Path

import numpy as np
from scipy import stats

rng = np.random.default_rng(20261126)


def rejections(checkpoints, ratio, runs=400_000, width=3):
    """Item noise 1, checkpoint noise of variance `ratio`; the last checkpoint against the best earlier level."""
    places = np.log10(np.geomspace(1, 30, checkpoints))
    earlier, candidates = checkpoints - 1, checkpoints - width
    scores = rng.normal(0, np.sqrt(1 + ratio), (runs, checkpoints))
    weights = np.zeros((earlier - 2, earlier))
    for row in range(earlier - 2):
        after = (places[row + 1] - places[row]) / (places[row + 2] - places[row])
        weights[row, row:row + 3] = np.array([after - 1, 1, -after]) / np.linalg.norm([after - 1, 1, -after])
    total = ((scores[:, :earlier] @ weights.T) ** 2).mean(axis=1)
    nu = (earlier - 2) ** 2 / ((weights @ weights.T) ** 2).sum()
    levels = np.stack([scores[:, j:j + width].mean(axis=1) for j in range(candidates)], axis=1)
    drop, errors = levels.max(axis=1) - scores[:, -1], 1 + 1 / width
    many = earlier - 2 >= 16
    steps = errors * np.maximum(total - 1, 0.75 * total if many else 0)
    variance = errors + steps
    dof = variance ** 2 / ((steps if many else errors * total) ** 2 / nu)
    p = np.minimum(1, candidates * stats.t.sf(drop / np.sqrt(variance), dof))
    return [float((p <= level).mean() / level) for level in (1e-2, 1e-3, 1e-4)]


if sys.argv[1:] == ["levels"]:
    print("checkpoints  noise ratio  rejections over level at 1 %, 0.1 %, 0.01 %")
    for checkpoints in (13, 18, 19, 24, 34):
        for ratio in (0, 0.25, 1, 4, 25):
            print(f"{checkpoints:11}  {ratio:11}  " + "  ".join(f"{x:.2f}" for x in rejections(checkpoints, ratio)))
    sys.exit()

difficulty = rng.normal(0, 1.5, 60)
cases = []
for shift in (0.0, 0.4, 1.2):
    before = (rng.logistic(0, 0.7, 60) - difficulty > 0).astype(float)
    after = (rng.logistic(0, 0.7, 60) - difficulty - shift > 0).astype(float)
    test = stats.ttest_rel(before, after, alternative="greater")
    cases.append({"before": before.tolist(), "after": after.tolist(), "t": test.statistic, "df": int(test.df),
                  "p": test.pvalue})

# Three checkpoints against a fourth: the contrast of item means is a one-sample t-test of its values per item.
items = np.stack([(rng.logistic(0, 0.7, 80) + level > 0).astype(float) for level in (0.5, 0.6, 0.4, -0.2)])
contrast = items[:3].mean(axis=0) - items[3]
test = stats.ttest_1samp(contrast, 0, alternative="greater")
level = {"items": items.tolist(), "drop": contrast.mean(), "standard_error": stats.sem(contrast),
         "t": test.statistic, "p": test.pvalue}

out = Path(__file__).parents[2] / "tests/coupling/data/score_drop.json"
out.write_text(json.dumps({"paired": cases, "level": level}) + "\n")
