#!/usr/bin/env python3
"""Every estimator beside the library that is its reference, on the same inputs, in one table.

    python bench/oracle/science.py build/bin/couplingd-bench-science

A section names its cases and what the reference gives for each; couplingd-bench-science computes the same
cases. A new section is a function with @section here and one in bench/science.cc.
"""
import json
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas
import pysindy
import statsmodels.api as sm
from scipy import integrate, optimize, stats
from statsmodels.multivariate.pca import PCA
from statsmodels.regression.mixed_linear_model import MixedLMParams

sys.path.insert(0, str(Path(__file__).parent))
import coupling_fixtures as fixtures

warnings.filterwarnings("ignore")
SECTIONS = []


def section(name, what, reference, tolerance):
    """The function yields (case name, inputs, expected numbers)."""
    def register(function):
        SECTIONS.append((name, what, reference, tolerance, function))
        return function
    return register


def versions(*packages):
    return ", ".join(f"{p} {version(p)}" for p in packages)


def examples():
    """The systems of pysindy's own introduction: names, rates, starts, times, degree, threshold."""
    yield "linear damped oscillator", lambda t, z: [-0.1 * z[0] + 2 * z[1], -2 * z[0] - 0.1 * z[1]], [2, 0], 25, 0.01, 5, 0.05
    yield "cubic damped oscillator", lambda t, z: [-0.1 * z[0]**3 + 2 * z[1]**3, -2 * z[0]**3 - 0.1 * z[1]**3], [2, 0], 25, 0.01, 5, 0.05
    yield "linear 3-D system", lambda t, z: [-0.1 * z[0] + 2 * z[1], -2 * z[0] - 0.1 * z[1], -0.3 * z[2]], [2, 0, 1], 50, 0.02, 2, 0.1
    yield "Lorenz system", lambda t, z: [10 * (z[1] - z[0]), z[0] * (28 - z[2]) - z[1], z[0] * z[1] - 8 / 3 * z[2]], [-8, 8, 27], 4, 0.002, 2, 0.1


@section("stlsq", "STLSQ on pysindy's examples", versions("pysindy"), 1e-9)
def _():
    for name, rate, start, end, step, degree, threshold in examples():
        t = np.arange(0, end, step)
        z = integrate.solve_ivp(rate, (0, t[-1]), start, t_eval=t, rtol=1e-12, atol=1e-12).y.T
        optimizer = pysindy.STLSQ(threshold=threshold, alpha=0.05)
        model = pysindy.SINDy(optimizer=optimizer, feature_library=pysindy.PolynomialLibrary(degree=degree))
        model.fit(z, t=t)
        library = np.asarray(pysindy.PolynomialLibrary(degree=degree).fit_transform(z))
        targets = np.asarray(pysindy.FiniteDifference()._differentiate(z, t))
        inputs = {"targets": targets, "threshold": threshold, "alpha": 0.05}
        yield name, inputs | ({"states": z} if degree == 2 else {"library": library}), model.coefficients().T
    for case in fixtures.stlsq_cases():
        if "states" not in case:
            yield case["name"], case, case["coefficients"]


@section("york", "errors in variables, York", versions("scipy", "mpmath"), 1e-8)
def _():
    for case in fixtures.york_cases():
        yield case["name"], case, [case["slope"], case["intercept"], case["chi_squared"]]


@section("fieller", "Fieller sets of a ratio", versions("statsmodels", "scipy"), 1e-8)
def _():
    for case in fixtures.fieller_cases():
        shape = ["interval", "complement", "everything"].index(case["shape"])
        yield case["name"], case, [shape] + ([] if shape == 2 else [case["low"], case["high"]])


@section("quantiles", "quantiles", versions("numpy"), 1e-8)
def _():
    rng = np.random.default_rng(5)
    for n in (1, 2, 29, 1000):
        values, p = rng.standard_t(3, n), np.r_[0, 0.025, rng.random(20), 0.975, 1]
        yield f"{n} values", {"values": values, "p": p}, np.quantile(values, p)


@section("critical", "normal and Student quantiles", versions("scipy"), 1e-8)
def _():
    for level in (0.5, 0.8, 0.95, 0.999):
        dof = [1, 2, 3.4, 17, 400]
        yield str(level), {"level": level, "dof": dof}, [stats.norm.ppf(0.5 + level / 2)] + [
            stats.t.ppf(0.5 + level / 2, d) for d in dof]


@section("polynomial", "polynomials by least squares", versions("numpy"), 1e-8)
def _():
    rng = np.random.default_rng(6)
    for degree in (1, 2, 3):
        x, at = rng.uniform(7.8, 11.2, 30), np.linspace(7, 12, 9)
        y = 0.5 + 0.1 * (x - 9)**2 + 0.03 * rng.normal(size=30)
        yield f"degree {degree}", {"x": x, "y": y, "degree": degree, "at": at}, np.polynomial.Polynomial.fit(x, y, degree)(at)


@section("pearson", "Pearson's r, p and interval", versions("scipy"), 1e-8)
def _():
    rng = np.random.default_rng(7)
    for n, r in ((4, 0.9), (30, -0.4), (200, 0.05)):
        x, y = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], n).T
        found = stats.pearsonr(x, y)
        yield f"{n} points", {"x": x, "y": y}, [found.statistic, found.pvalue, *found.confidence_interval(0.95)]


@section("pca", "principal components", versions("statsmodels"), 1e-8)
def _():
    rng = np.random.default_rng(9)
    for n, k in ((8, 5), (40, 3), (27, 5)):
        scores = rng.normal(size=(n, k)) @ rng.normal(size=(k, k)) * 0.05 + 0.4
        for correlation in (False, True):
            found = PCA(scores, standardize=correlation, demean=True).eigenvals / (n if correlation else n - 1)
            yield f"{n} x {k}, correlation {correlation}", {"scores": scores, "correlation": correlation}, np.sort(found)[::-1]


@section("integrate", "integration and sign change", versions("scipy") + " (DOP853)", 1e-5)
def _():
    case = fixtures.ode_case()
    yield "quadratic system", case, np.r_[np.ravel(case["states"]), case["sign_change"]]


@section("pooling", "partial pooling of families", versions("statsmodels") + " (MixedLM, ML)", 1e-3)
def _():
    rng = np.random.default_rng(8)
    for families in (6, 12):
        groups, frames = [], []
        for g in range(families):
            x, constant = np.linspace(0, 3, 8), 0.5 + 0.1 * rng.normal()
            b = [0.2]
            for _ in x[1:]:
                b.append(b[-1] + (x[1] - x[0]) * (constant - 0.5 * b[-1]) + 0.01 * rng.normal())
            b = np.array(b)
            groups.append({"x": x, "scores": b[:, None]})
            frames.append(pandas.DataFrame({"family": g, "state": (b[1:] + b[:-1]) / 2, "rate": np.diff(b) / np.diff(x)}))
        rows = pandas.concat(frames)
        centre = rows.state.mean()
        rows["moved"] = rows.state - centre
        free = MixedLMParams.from_components(fe_params=np.ones(2), cov_re=np.eye(2))
        fit = sm.MixedLM(rows.rate, sm.add_constant(rows.moved), groups=rows.family,
                         exog_re=sm.add_constant(rows.moved)).fit(reml=False, free=free, method=["bfgs", "cg"], gtol=1e-10, maxiter=2000)
        constant, slope = fit.fe_params
        rates = [constant + fit.random_effects[g].iloc[0] for g in range(families)]
        yield f"{families} families", {"groups": groups}, [constant - slope * centre, slope, *rates]


def difference(found, wanted):
    if len(found) != len(wanted):
        return float("inf")
    found = np.array([np.nan if v is None else v for v in found], float)
    wanted = np.array(wanted, float)
    infinite = ~np.isfinite(wanted)
    if np.any(np.isfinite(found[infinite])):
        return float("inf")
    off = np.abs(found - wanted)[~infinite] / np.maximum(1, np.abs(wanted[~infinite]))
    return float(off.max(initial=0))


def main(program):
    asked = []
    for name, _, _, _, cases in SECTIONS:
        asked.append((name, list(cases())))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump([{"name": name, "cases": [fixtures.plain(inputs) for _, inputs, _ in cases]} for name, cases in asked], file)
        file.flush()
        answered = json.loads(subprocess.run([program, file.name], check=True, stdout=subprocess.PIPE).stdout)
    print(f"{'estimator':<33}{'cases':>6}  {'largest difference':<20}{'allowed':<9}reference")
    bad = 0
    for (_, what, reference, tolerance, _), (_, cases), found in zip(SECTIONS, asked, answered):
        off = [difference(f, np.ravel(np.asarray(wanted, float))) for f, (_, _, wanted) in zip(found, cases)]
        worst = int(np.argmax(off))
        verdict = "" if off[worst] <= tolerance else f"   FAILS: {cases[worst][0]}"
        bad += off[worst] > tolerance
        print(f"{what:<33}{len(cases):>6}  {off[worst]:<20.1e}{tolerance:<9.0e}{reference}{verdict}")
    print("Differences are relative to the larger of 1 and the reference.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
