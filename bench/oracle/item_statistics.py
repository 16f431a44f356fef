#!/usr/bin/env python3
"""Expected numbers for tests/coupling/data/item_statistics.json, from NumPy, SciPy and statsmodels.

    python bench/oracle/item_statistics.py tests/coupling/data/item_statistics.json
"""
import json
import sys

import numpy as np
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower


def clustered(values, clusters):
    """Mean and cluster-robust standard error of a regression on a constant, with G/(G-1)."""
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False})
    groups = len(set(clusters))
    return fit.params[0], np.sqrt(fit.cov_params()[0, 0] * groups / (groups - 1))


def covariance(a, b, clusters):
    """Covariance of two means on the same items: two constants in one stacked regression."""
    n = len(a)
    design = np.kron(np.eye(2), np.ones((n, 1)))
    groups = np.concatenate([clusters, clusters])
    fit = sm.OLS(np.concatenate([a, b]), design).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
    count = len(set(clusters))
    return fit.cov_params()[0, 1] * count / (count - 1)


def item_case(rng, n, groups):
    clusters = rng.integers(0, groups, n) if groups else np.arange(n)
    shift = rng.normal(0, 0.5, clusters.max() + 1)[clusters]
    ability = rng.normal(0, 1, n) + shift
    a = (ability + rng.normal(0, 0.3, n) > 0).astype(float)
    b = ability + rng.normal(0.2, 0.3, n)
    mean, error = clustered(b, clusters)
    difference, difference_error = clustered(b - a, clusters)
    case = {"a": a.tolist(), "b": b.tolist(),
            "clusters": [f"c{c}" for c in clusters] if groups else [],
            "mean": mean, "stderr": error, "difference": difference,
            "difference_stderr": difference_error, "covariance": covariance(a, b, clusters)}
    if not groups:
        test = stats.ttest_rel(b, a)
        case |= {"paired_t": test.statistic, "paired_p": test.pvalue}
    return case


def step_noise(rng, places):
    x = np.sort(rng.uniform(8, 11, places))
    draw = rng.normal(0, 0.004, (places, places))
    covariance = draw @ draw.T
    y = 0.3 + 0.1 * (x - 8) + rng.multivariate_normal(np.zeros(places), covariance) + rng.normal(0, 0.02, places)
    rows = []
    for k in range(1, places - 1):
        row = np.zeros(places)
        row[k] = 1
        row[k - 1] = -np.interp(x[k], [x[k - 1], x[k + 1]], [1, 0])
        row[k + 1] = -np.interp(x[k], [x[k - 1], x[k + 1]], [0, 1])
        rows.append(row / np.linalg.norm(row))
    weights = np.array(rows)
    m = len(weights)
    dof = m**2 / np.sum((weights @ weights.T) ** 2)
    residuals = weights @ y
    total = residuals @ residuals / m
    items = np.trace(weights @ covariance @ weights.T) / m
    beyond = lambda v: float(np.sqrt(max(0, v - items)))
    design = sm.add_constant(x)
    span = x[-1] - x[0]
    ols = sm.OLS(y, design).fit()
    contrast = np.linalg.pinv(design)[1] * span
    step = beyond(total)
    return {"positions": x.tolist(), "scores": y.tolist(), "covariance": covariance.tolist(),
            "dof": dof, "total": total, "items": items, "deviation": step,
            "low": beyond(dof * total / stats.chi2.ppf(0.975, dof)),
            "high": beyond(dof * total / stats.chi2.ppf(0.025, dof)),
            "change": ols.params[1] * span,
            "change_stderr": float(np.sqrt(contrast @ covariance @ contrast + step**2 * contrast @ contrast))}


def correlation(rng, n):
    a = rng.normal(size=n)
    b = 0.6 * a + rng.normal(size=n)
    result = stats.pearsonr(a, b)
    interval = result.confidence_interval(0.95)
    return {"a": a.tolist(), "b": b.tolist(), "value": result.statistic, "low": interval.low, "high": interval.high}


def welch(rng):
    """Welch's two-sample test: the parts of the variance are those of the two means."""
    n, m = int(rng.integers(4, 40)), int(rng.integers(3, 12))
    a, b = rng.normal(0, 1, n), rng.normal(0.4, 2, m)
    test = stats.ttest_ind(b, a, equal_var=False)
    interval = test.confidence_interval(0.95)
    return {"value": b.mean() - a.mean(), "item_variance": a.var(ddof=1) / n, "item_dof": n - 1,
            "step_variance": b.var(ddof=1) / m, "step_dof": m - 1,
            "p": test.pvalue, "low": interval.low, "high": interval.high}


def relabelling(rng, n, changes):
    x = np.cumsum(rng.normal(0.3, 1, n))
    y = -0.5 * x + rng.normal(0, 1, n)
    a, b = (np.diff(x), np.diff(y)) if changes else (x, y)
    absolute = lambda v: abs(np.corrcoef(v, b)[0, 1])
    test = stats.permutation_test((a,), absolute, permutation_type="pairings", n_resamples=np.inf,
                                  alternative="greater")
    return {"x": x.tolist(), "y": y.tolist(), "changes": changes, "p": test.pvalue,
            "r": float(np.corrcoef(a, b)[0, 1]), "labellings": len(test.null_distribution)}


def loss_law(rng, n, floor, scale, exponent):
    x = np.geomspace(1e8, 1e10, n)
    loss = floor + scale * x**-exponent + rng.normal(0, 0.01, n)
    middle = np.exp(np.mean(np.log(x)))
    law = lambda u, f, a, b: f + a * u**-b
    best, _ = optimize.curve_fit(law, x / middle, loss, p0=[floor, scale * middle**-exponent, exponent],
                                 ftol=1e-15, xtol=1e-15, gtol=1e-15, maxfev=100000)
    return {"x": x.tolist(), "loss": loss.tolist(), "floor": best[0], "exponent": best[2],
            "squares": float(np.sum((loss - law(x / middle, *best)) ** 2))}


def partial(rng, n):
    """By regression on the control (statsmodels), with Fisher's interval for one control."""
    c = rng.normal(size=n)
    a, b = c + rng.normal(size=n), -c + rng.normal(size=n)
    beside = lambda v: sm.OLS(v, sm.add_constant(c)).fit().resid
    r = np.corrcoef(beside(a), beside(b))[0, 1]
    spread = stats.norm.ppf(0.975) / np.sqrt(n - 4)
    return {"a": a.tolist(), "b": b.tolist(), "c": c.tolist(), "value": r,
            "low": np.tanh(np.arctanh(r) - spread), "high": np.tanh(np.arctanh(r) + spread)}


def main():
    rng = np.random.default_rng(20261126)
    p = rng.uniform(0, 0.1, 9)
    # Items per group for a difference of 0.3 standard deviations: the far tail is included there,
    # and below 1e-6 at this size.
    n = NormalIndPower().solve_power(0.3, power=0.8, alpha=0.05, ratio=1)
    json.dump({
        "items": [item_case(rng, 60, 0), item_case(rng, 200, 12), item_case(rng, 150, 40)],
        "step_noise": [step_noise(rng, k) for k in (5, 8, 16)],
        "correlation": [correlation(rng, n) for n in (4, 14)],
        "holm": {"p": p.tolist(), "adjusted": multipletests(p, method="holm")[1].tolist()},
        "welch": [welch(rng) for _ in range(4)],
        "relabelling": [relabelling(rng, 5, False), relabelling(rng, 7, False), relabelling(rng, 7, True)],
        "loss_law": [loss_law(rng, 40, 1.8, 60, 0.15), loss_law(rng, 200, 2.2, 900, 0.3)],
        "partial": partial(rng, 15),
        "detection_factor": float(0.3 * np.sqrt(n / 2)),
    }, open(sys.argv[1], "w"), indent=1)


main()
