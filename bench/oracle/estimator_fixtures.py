#!/usr/bin/env python3
"""Expected numbers for the estimators behind `couplingctl reproduce`, from NumPy and SciPy.

    python bench/oracle/estimator_fixtures.py tests/coupling/data

estimators.json  scipy.stats.pearsonr with its Fisher interval; eigenvalues of numpy.cov and numpy.corrcoef;
                 the coefficient of variation of scaled losses; numpy.polyfit turns of fixed draws; the permutation null of scores over width.
"""
import itertools
import json
import sys
from pathlib import Path

import numpy as np
from scipy import stats


def correlation_cases():
    rng = np.random.default_rng(21)
    cases = []
    for n, slope in ((3, 1.0), (8, -3.0), (63, 0.1), (20, 0.0)):
        x = rng.normal(size=n)
        y = slope * x + rng.normal(size=n)
        found = stats.pearsonr(x, y)
        low, high = found.confidence_interval(0.95) if n > 3 else (-1.0, 1.0)
        cases.append({"x": x, "y": y, "r": found.statistic, "p": found.pvalue, "low": low, "high": high})
    return cases


def eigen_cases():
    rng = np.random.default_rng(22)
    cases = []
    for rows, columns in ((8, 5), (30, 3), (4, 5)):
        scores = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns))
        case = {"scores": scores}
        for kind, matrix in (("covariance", np.cov(scores.T)), ("correlation", np.corrcoef(scores.T))):
            values = np.linalg.eigvalsh(matrix)[::-1]
            case[kind] = {"values": values, "leading": np.linalg.eigh(matrix)[1][:, -1],
                          "effective_dimension": values.sum() ** 2 / (values**2).sum()}
        cases.append(case)
    return cases


def blindness_case():
    n = np.array([7e7, 1.6e8, 4.1e8, 1e9, 1.4e9, 2.8e9, 6.9e9, 1.2e10])
    loss = np.array([3.64, 3.23, 2.91, 2.66, 2.57, 2.4, 2.23, 2.15])
    scaled = n**0.238 * (loss - 1.533)
    return {"parameters": n, "losses": loss, "E": 1.533, "alpha": 0.238, "blindness": np.std(scaled) / np.mean(scaled)}


def turn_cases():
    rng = np.random.default_rng(25)
    x = np.log10([70e6, 160e6, 410e6, 1e9, 1.4e9, 2.8e9, 6.9e9, 12e9, 7e9, 13e9, 65e9, 7e9, 13e9, 70e9])
    y = np.array([47.64, 43.52, 40.34, 38.67, 38.66, 35.56, 32.76, 32.47, 34.33, 39.48, 43.43, 38.98, 37.4, 44.9])
    draws, turns = [], []
    while len(draws) < 200:
        rows = rng.integers(0, 14, 14)
        a, b, _ = np.polyfit(x[rows] - x.mean(), y[rows], 2)
        draws.append(rows)
        turns.append(x.mean() - b / (2 * a) if a > 0 else None)
    return {"x": x, "y": y, "draws": draws, "turns": turns}


def width_cases():
    rng = np.random.default_rng(26)
    cases = []
    for n in (3, 6):
        reasoning, truthfulness = np.sort(rng.uniform(20, 80, n)), rng.uniform(30, 50, n)
        widths = np.array([512, 768, 1024, 2048, 2560, 4096])[:n]
        over = lambda scores: np.corrcoef(reasoning / (widths / 512), scores / (widths / 512))[0, 1]
        null = np.array([over(truthfulness[list(order)]) for order in itertools.permutations(range(n))])
        observed = over(truthfulness)
        cases.append({"reasoning": reasoning, "truthfulness": truthfulness, "widths": widths,
                      "r_raw": np.corrcoef(reasoning, truthfulness)[0, 1], "r_normalised": observed,
                      "null_mean": null.mean(), "p": (null >= observed - 1e-12).mean(), "orders": len(null)})
    return cases


def jackknife_case():
    values = np.random.default_rng(27).normal(size=9)
    means = np.array([np.delete(values, k).mean() for k in range(9)])
    return {"left_out": means, "mean": values.mean(), "standard_error": values.std(ddof=1) / 3}


if __name__ == "__main__":
    cases = {"correlation": correlation_cases(), "eigen": eigen_cases(), "blindness": blindness_case(),
             "turn": turn_cases(), "width": width_cases(), "jackknife": jackknife_case()}
    Path(sys.argv[1], "estimators.json").write_text(json.dumps({"cases": cases}, default=lambda value: value.tolist()) + "\n")
