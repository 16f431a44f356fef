#!/usr/bin/env python3
"""Expected numbers for the tests of levers and frontier, from NumPy, SciPy and statsmodels (none is shipped).

    python bench/oracle/lever_fixtures.py tests/coupling/data

levers.json  lines with prediction intervals (statsmodels.OLS), partial correlations (the t test of a regression with
             the control in it), one-way F, trends of shares (Pearson's r of 0/1 outcomes; exact over all tables with
             scipy.stats.multivariate_hypergeom), effective dimensions (numpy.cov, numpy.corrcoef), spreads of the top
             models with their null by numpy's own normals, scale equivalences (numpy.linalg.lstsq, numpy.polyfit).
"""
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import statsmodels.api as sm
from scipy import stats


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, (np.floating, np.integer)):
        return value.item()
    return value


def line_cases():
    rng = np.random.default_rng(11)
    cases = []
    for n, slope, noise in ((3, 0.5, 0.1), (12, -1.4, 0.02), (34, 0.51, 0.08)):
        x = rng.uniform(0.1, 0.9, n)
        y = 0.4 + slope * x + rng.normal(0, noise, n)
        at = np.array([0.0, 0.5, 1.3])
        fit = sm.OLS(y, sm.add_constant(x)).fit()
        bounds = fit.get_prediction(np.column_stack([np.ones(3), at])).conf_int(obs=True, alpha=0.05)
        ends = fit.conf_int(alpha=0.1)
        cases.append({"x": x, "y": y, "slope": fit.params[1], "intercept": fit.params[0], "slope_stderr": fit.bse[1],
                      "intercept_stderr": fit.bse[0], "residual_sd": np.sqrt(fit.scale), "at": at,
                      "prediction_half_width": (bounds[:, 1] - bounds[:, 0]) / 2,
                      "slope_half_width_90": (ends[1, 1] - ends[1, 0]) / 2,
                      "intercept_half_width_90": (ends[0, 1] - ends[0, 0]) / 2})
    return cases


def partial_cases():
    rng = np.random.default_rng(12)
    cases = []
    for n in (5, 28):
        z = rng.normal(size=n)
        x = 0.8 * z + rng.normal(size=n)
        y = 0.6 * z + 0.3 * x + rng.normal(size=n)
        left = lambda v: sm.OLS(v, sm.add_constant(z)).fit().resid
        r = stats.pearsonr(left(x), left(y)).statistic
        p = sm.OLS(y, sm.add_constant(np.column_stack([x, z]))).fit().pvalues[1]
        half = stats.norm.ppf(0.975) / np.sqrt(n - 4)
        cases.append({"x": x, "y": y, "z": z, "r": r, "p": p, "low": np.tanh(np.arctanh(r) - half),
                      "high": np.tanh(np.arctanh(r) + half)})
    return cases


def group_case():
    rng = np.random.default_rng(13)
    names = ["a"] * 5 + ["b"] * 3 + ["c"] * 7 + ["d"]
    values = rng.normal(size=len(names)) + np.array([0.0, 1.5, 0.2, -1.0])[[ord(n) - 97 for n in names]]
    groups = [values[[m == n for m in names]] for n in "abcd"]
    f = stats.f_oneway(*groups).statistic
    drawn = [stats.f_oneway(*np.split(rng.permutation(values), [5, 8, 15])).statistic for _ in range(20000)]
    return {"values": values, "groups": names, "f": f, "p": np.mean(np.array(drawn) >= f)}


def trend_cases():
    cases = []
    for successes, totals in (([6, 3, 2], [10, 10, 10]), ([1, 4, 5, 9], [8, 9, 10, 11])):
        scores = np.concatenate([[i] * n for i, n in enumerate(totals)])
        hits = np.concatenate([[1] * k + [0] * (n - k) for k, n in zip(successes, totals)])
        z = stats.pearsonr(scores, hits).statistic * np.sqrt(len(hits))
        place = np.arange(len(totals))
        mean = hits.sum() * (place * totals).sum() / sum(totals)
        law = stats.multivariate_hypergeom(totals, hits.sum())
        tables = [t for t in itertools.product(*(range(n + 1) for n in totals)) if sum(t) == hits.sum()]
        far = abs((place * successes).sum() - mean) - 1e-9
        exact = sum(law.pmf(t) for t in tables if abs((place * t).sum() - mean) >= far)
        cases.append({"successes": successes, "totals": totals, "z": z, "p": 2 * stats.norm.sf(abs(z)), "exact_p": exact})
    return cases


def dimension_case():
    rng = np.random.default_rng(14)
    scores = rng.normal(size=(14, 5)) @ rng.normal(size=(5, 5))
    ratio = lambda m: np.linalg.eigvalsh(m).sum() ** 2 / (np.linalg.eigvalsh(m) ** 2).sum()
    covariance, correlation = np.cov(scores.T), np.corrcoef(scores.T)
    return {"scores": scores, "covariance": np.linalg.eigvalsh(covariance)[::-1],
            "correlation": np.linalg.eigvalsh(correlation)[::-1], "d_eff": ratio(covariance),
            "d_eff_correlation": ratio(correlation)}


def spread(chosen, other, top):
    best = np.argsort(-chosen, kind="stable")[:top]
    return np.ptp(chosen[best]), np.ptp(other[best])


def saturation_case():
    rng = np.random.default_rng(15)
    n, top = 34, 5
    x = rng.normal(0.6, 0.17, n)
    y = 0.5 + 0.5 * (x - 0.6) + rng.normal(0, 0.08, n)
    r = np.corrcoef(x, y)[0, 1]
    scale = np.std(x) / np.std(y)
    draws = 400_000
    first = rng.normal(size=(draws, n))
    second = r * first + np.sqrt(1 - r * r) * rng.normal(size=(draws, n))
    best = np.argpartition(-first, top, axis=1)[:, :top]
    ratio = scale * np.ptp(np.take_along_axis(first, best, 1), axis=1) / np.ptp(np.take_along_axis(second, best, 1), axis=1)
    a, b = spread(x, y, top)
    return {"x": x, "y": y, "top": top, "spread": a, "other_spread": b, "sigma": a / b, "null_median": np.median(ratio),
            "null_low": np.quantile(ratio, 0.025), "null_high": np.quantile(ratio, 0.975), "null_p": np.mean(ratio <= a / b),
            "null_trigger": np.mean(ratio < 0.2)}


def equivalence_case():
    rng = np.random.default_rng(16)
    rows = []
    for family, shift in (("a", 0.0), ("b", 0.03), ("c", -0.02), ("d", 0.01)):
        for x in (8.1, 8.9, 9.5, 10.4):
            reasoning = 0.3 + 0.2 * (x - 8) + shift + rng.normal(0, 0.01)
            rows.append((family, x, reasoning, 0.45 - 0.12 * (x - 8) + 0.03 * (x - 8) ** 2 + rng.normal(0, 0.005)))
    steps = [((a[1] + b[1]) / 2, b[2] - a[2], b[3] - a[3]) for a, b in zip(rows, rows[1:]) if a[0] == b[0]]
    place, dr, dt = map(np.array, zip(*steps))
    slope, intercept = np.linalg.lstsq(np.column_stack([place * dr, dr]), dt, rcond=None)[0]
    x, reasoning, truth = (np.array([row[k] for row in rows]) for k in (1, 2, 3))
    gamma, at, score = 0.12, 9.1, 0.52
    curated = [("p", 9.0, 0.6, 0.44), ("p", 9.6, 0.7, 0.47), ("q", 10.0, 0.75, 0.51)]
    curve = np.polyfit(x, truth, 2)
    contrast = np.mean([row[3] - np.polyval(curve, row[1]) for row in curated])
    return {"panel": [{"family": f, "x": a, "reasoning": b, "truthfulness": c} for f, a, b, c in rows],
            "curated": [{"family": f, "x": a, "reasoning": b, "truthfulness": c} for f, a, b, c in curated],
            "gamma": gamma, "at": at, "by_coupling": 10 ** ((gamma - intercept) / slope - at), "score": score,
            "by_reasoning": 10 ** (np.polyval(np.polyfit(reasoning, x, 2), score) - at), "contrast": contrast}


if __name__ == "__main__":
    content = {"lines": line_cases(), "partials": partial_cases(), "groups": group_case(), "trends": trend_cases(),
               "dimension": dimension_case(), "saturation": saturation_case(), "equivalence": equivalence_case()}
    (Path(sys.argv[1]) / "levers.json").write_text(json.dumps(plain(content)) + "\n")
