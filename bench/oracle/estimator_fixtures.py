#!/usr/bin/env python3
"""Expected numbers for the estimators behind `couplingctl reproduce`, from NumPy, SciPy and statsmodels.

    python bench/oracle/estimator_fixtures.py tests/coupling/data

estimators.json  scipy.stats.pearsonr with its Fisher interval; eigenvalues of numpy.cov and numpy.corrcoef;
                 statsmodels.OLS with prediction intervals; scipy.optimize.curve_fit of a power law;
                 numpy.polyfit turns of fixed draws; the permutation null of scores over width.
"""
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import statsmodels.api as sm
from scipy import optimize, stats


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


def line_cases():
    rng = np.random.default_rng(23)
    cases = []
    for n in (5, 34):
        x = rng.uniform(20, 90, n)
        y = 46 + 0.5 * x + 8 * rng.normal(size=n)
        fit = sm.OLS(y, sm.add_constant(x)).fit()
        at = np.array([10.0, 55.0, 95.0])
        frame = fit.get_prediction(sm.add_constant(at)).summary_frame(alpha=0.05)
        influence = fit.get_influence()
        inside = stats.t.ppf(0.975, n - 2) * np.sqrt(fit.mse_resid * (1 - influence.hat_matrix_diag))
        cases.append({"x": x, "y": y, "intercept": fit.params[0], "slope": fit.params[1],
                      "intercept_stderr": fit.bse[0], "slope_stderr": fit.bse[1],
                      "deviation": np.sqrt(fit.mse_resid), "at": at, "predicted": frame["mean"].to_numpy(),
                      "half_width": ((frame["obs_ci_upper"] - frame["obs_ci_lower"]) / 2).to_numpy(),
                      "residuals": fit.resid, "residual_half_width": inside})
    return cases


def loss_cases():
    rng = np.random.default_rng(24)
    pythia = ([7e7, 1.6e8, 4.1e8, 1e9, 1.4e9, 2.8e9, 6.9e9, 1.2e10], [3.64, 3.23, 2.91, 2.66, 2.57, 2.4, 2.23, 2.15])
    sizes = np.logspace(7, 11, 12)
    noisy = 1.8 + 400 * sizes**-0.34 * (1 + 0.01 * rng.normal(size=12))
    cases = []
    for n, loss in (pythia, (sizes, noisy)):
        n, loss = np.array(n), np.array(loss)
        scale = np.exp(np.log(n).mean())
        law = lambda m, e, a, k: e + k * (m / scale) ** -a
        found, covariance = optimize.curve_fit(law, n, loss, p0=[1.5, 0.25, 1], xtol=1e-15, ftol=1e-15,
                                               gtol=1e-15, maxfev=100000)
        e, a, k = found
        # Standard error of k·scale^a by the delta method.
        gradient = np.array([0, k * scale**a * np.log(scale), scale**a])
        residuals = loss - law(n, *found)
        scaled = n**a * (loss - e)
        cases.append({"parameters": n, "losses": loss, "E": e, "alpha": a, "k": k * scale**a,
                      "E_stderr": np.sqrt(covariance[0, 0]), "alpha_stderr": np.sqrt(covariance[1, 1]),
                      "k_stderr": np.sqrt(gradient @ covariance @ gradient),
                      "r_squared": 1 - (residuals**2).sum() / ((loss - loss.mean()) ** 2).sum(),
                      "blindness": np.std(scaled) / np.mean(scaled)})
    return cases


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
    cases = {"correlation": correlation_cases(), "eigen": eigen_cases(), "line": line_cases(),
             "loss": loss_cases(), "turn": turn_cases(), "width": width_cases(), "jackknife": jackknife_case()}
    Path(sys.argv[1], "estimators.json").write_text(json.dumps({"cases": cases}, default=lambda value: value.tolist()) + "\n")
