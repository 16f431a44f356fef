#!/usr/bin/env python3
"""Expected numbers for tests/coupling, from NumPy, SciPy, mpmath and pysindy (none is shipped).

    python bench/oracle/coupling_fixtures.py tests/coupling/data

york.json        straight lines with errors in both axes: scipy.odr where the errors are not correlated,
                 and the least of York's sum of squares over the line's angle (mpmath, 40 digits) everywhere.
stlsq.json       coefficients of pysindy.STLSQ on random systems and on the Lorenz system.
fieller.json     the ratios at which statsmodels' t test of numerator − ratio·denominator = 0 turns, by
                 scipy.optimize.brentq.
ode.json         scipy.integrate.solve_ivp (DOP853, 1e-12) on a quadratic system.
statistics.json  numpy.quantile, scipy.stats.
"""
import json
import sys
import warnings
from pathlib import Path

import mpmath
import numpy as np
import pysindy
import statsmodels.api as sm
from scipy import integrate, optimize, stats

warnings.filterwarnings("ignore")
mpmath.mp.dps = 40


def york_sum(angle, x, y, vx, vy, cov):
    c, s = np.cos(angle), np.sin(angle)
    w = 1 / (c * c * vy + s * s * vx - 2 * s * c * cov)
    d = c * y - s * x
    return float(np.sum(w * (d - np.sum(w * d) / np.sum(w)) ** 2))


def york_sum_mp(angle, x, y, vx, vy, cov):
    c, s = mpmath.cos(angle), mpmath.sin(angle)
    rows = [tuple(map(mpmath.mpf, row)) for row in zip(x, y, vx, vy, cov)]
    w = [1 / (c * c * b + s * s * a - 2 * s * c * k) for _, _, a, b, k in rows]
    d = [c * v - s * u for u, v, *_ in rows]
    mean = sum(i * j for i, j in zip(w, d)) / sum(w)
    return sum(i * (j - mean) ** 2 for i, j in zip(w, d))


def york(x, y, vx, vy, cov):
    grid = np.linspace(-np.pi / 2, np.pi / 2, 4001)
    best = grid[np.argmin([york_sum(a, x, y, vx, vy, cov) for a in grid])]
    # The derivative's zero, in 40 digits: the minimum itself is flat.
    slope_of = lambda a: mpmath.diff(lambda t: york_sum_mp(t, x, y, vx, vy, cov), a)
    step = grid[1] - grid[0]
    angle = float(mpmath.findroot(slope_of, (best - step, best + step), solver="anderson", tol=1e-25))
    b = np.tan(angle)
    w = 1 / (vy + b * b * vx - 2 * b * cov)
    xm, ym = np.sum(w * x) / np.sum(w), np.sum(w * y) / np.sum(w)
    u, v = x - xm, y - ym
    beta = w * (u * vy + b * v * vx - (b * u + v) * cov)
    adjusted = xm + beta
    mean = np.sum(w * adjusted) / np.sum(w)
    slope_se = np.sqrt(1 / np.sum(w * (adjusted - mean) ** 2))
    return {
        "slope": b,
        "intercept": ym - b * xm,
        "slope_stderr": slope_se,
        "intercept_stderr": np.sqrt(1 / np.sum(w) + mean**2 * slope_se**2),
        "chi_squared": york_sum(angle, x, y, vx, vy, cov),
    }


def odr_slope(x, y, vx, vy):
    from scipy import odr

    data = odr.RealData(x, y, sx=np.sqrt(vx), sy=np.sqrt(vy))
    fit = odr.ODR(data, odr.Model(lambda p, t: p[0] * t + p[1]), beta0=np.polyfit(x, y, 1),
                  sstol=1e-16, partol=1e-16, maxit=10000).run()
    return {"odr_slope": fit.beta[0], "odr_intercept": fit.beta[1]}


def york_cases():
    rng = np.random.default_rng(7)
    cases = []
    # Pearson's points with York's weights, the classical example (York 1966, table II).
    x = np.array([0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
    y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
    wx = np.array([1000, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1.0])
    wy = np.array([1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500.0])
    cases.append(("pearson-york", x, y, 1 / wx, 1 / wy, np.zeros(10)))
    for name, n, slope, correlated in (("shallow", 8, -0.4, False), ("steep", 6, 6.0, False),
                                       ("falling steeply", 6, -25.0, True),
                                       ("correlated", 12, 0.8, True), ("two points", 2, 1.5, True)):
        truth = np.sort(rng.uniform(0.2, 0.9, n)) / max(1, abs(slope))
        vx, vy = rng.uniform(1e-5, 4e-4, n) / max(1, slope**2), rng.uniform(1e-5, 4e-4, n)
        cov = (rng.uniform(-0.7, 0.7, n) if correlated else np.zeros(n)) * np.sqrt(vx * vy)
        noise = np.array([rng.multivariate_normal([0, 0], [[a, c], [c, b]])
                          for a, b, c in zip(vx, vy, cov)])
        cases.append((name, truth + noise[:, 0], 0.5 + slope * truth + noise[:, 1], vx, vy, cov))
    out = []
    for name, x, y, vx, vy, cov in cases:
        case = {"name": name, "x": x, "y": y, "variance_x": vx, "variance_y": vy, "covariance": cov}
        case |= york(x, y, vx, vy, cov)
        if not cov.any() and len(x) > 2:
            case |= odr_slope(x, y, vx, vy)
        out.append(case)
    return out


def stlsq_cases():
    rng = np.random.default_rng(11)
    out = []

    def add(name, library, targets, **options):
        fit = pysindy.STLSQ(**options).fit(library, targets)
        out.append({"name": name, "library": library, "targets": targets,
                    "coefficients": fit.coef_.T, **options})

    for name, rows, terms, options in (
        ("dense", 12, 4, dict(threshold=0.0, alpha=0.0)),
        ("sparse", 20, 6, dict(threshold=0.3, alpha=0.0)),
        ("ridge", 20, 6, dict(threshold=0.3, alpha=0.05)),
        ("ridge kept", 20, 6, dict(threshold=0.3, alpha=0.5, unbias=False)),
        ("normalized", 20, 6, dict(threshold=0.8, alpha=0.05, normalize_columns=True)),
        ("everything dropped", 8, 3, dict(threshold=1e6, alpha=0.05)),
    ):
        library = rng.normal(size=(rows, terms)) * np.linspace(0.5, 3, terms)
        truth = rng.normal(size=(terms, 2)) * (rng.random((terms, 2)) < 0.6)
        add(name, library, library @ truth + 0.1 * rng.normal(size=(rows, 2)), **options)
    # pysindy's own example: the Lorenz system.
    lorenz = lambda t, z: [10 * (z[1] - z[0]), z[0] * (28 - z[2]) - z[1], z[0] * z[1] - 8 / 3 * z[2]]
    t = np.arange(0, 2, 0.02)
    z = integrate.solve_ivp(lorenz, (0, 2), [-8, 8, 27], t_eval=t, rtol=1e-12, atol=1e-12).y.T
    library = pysindy.PolynomialLibrary(degree=2).fit_transform(z)
    add("lorenz", np.asarray(library), np.asarray(pysindy.FiniteDifference()._differentiate(z, t)),
        threshold=0.1, alpha=0.5)
    out[-1]["states"] = z
    return out


def ode_case():
    # Terms 1, a, b, a², ab, b²; columns are the two equations.
    coefficients = np.array([[0.2, -0.3], [0.5, 0.1], [-0.2, 0.4], [-0.4, 0.3], [0.1, 0.2], [0.0, -0.1]])
    terms = lambda s: np.array([1, s[0], s[1], s[0] ** 2, s[0] * s[1], s[1] ** 2])
    rate = lambda _, s: terms(s) @ coefficients
    at = np.linspace(0, 3, 13)
    solved = integrate.solve_ivp(rate, (0, 3), [0.3, 0.5], t_eval=at, method="DOP853", rtol=1e-12,
                                 atol=1e-12, dense_output=True)
    gamma = lambda x: rate(0, solved.sol(x))[1] * rate(0, solved.sol(x))[0]
    grid = np.linspace(0, 3, 3001)
    values = [gamma(x) for x in grid]
    turn = next(i for i in range(3000) if values[i] * values[i + 1] < 0)
    return {"coefficients": coefficients, "start": [0.3, 0.5], "at": at, "states": solved.y.T,
            "sign_change": optimize.brentq(gamma, grid[turn], grid[turn + 1], xtol=1e-14)}


def statistics_cases():
    values = np.random.default_rng(3).normal(size=37)
    p = [0, 0.025, 0.16, 0.5, 0.84, 0.975, 1]
    dof = [1, 2, 3.4, 6, 30]
    return {"values": values, "p": p, "quantiles": np.quantile(values, p),
            "normal": stats.norm.ppf(0.975), "dof": dof,
            "student": [stats.t.ppf(0.975, d) for d in dof]}


def fieller_cases():
    """Means of two groups of correlated observations, whose ratio's set is found from p-values alone."""
    rng = np.random.default_rng(13)
    out = []
    for name, n, means, scale, correlation in (
            ("well told", 12, (0.6, 2.0), 0.3, 0.4), ("negative", 20, (-1.1, 0.7), 0.5, -0.6),
            ("just told", 10, (1.0, 0.55), 0.7, 0.2), ("complement", 9, (2.0, 0.2), 0.9, 0.3),
            ("complement below 0", 14, (1.5, -0.15), 0.8, 0.0), ("everything", 8, (0.1, 0.05), 1.0, 0.5)):
        noise = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n)
        noise = (noise - noise.mean(0)) * scale
        values = noise + np.array(means)
        covariance = np.cov(values.T) / n

        def excess(ratio):  # above 0 where the test rejects at 5 %
            design = sm.OLS(values[:, 0] - ratio * values[:, 1], np.ones(n)).fit()
            return 0.05 - design.t_test([1]).pvalue.item()

        # The set's ends lie on either side of the ratio itself, or of the ratio that is rejected most.
        grid = np.tan(np.linspace(-np.pi / 2, np.pi / 2, 4001)[1:-1])
        signs = np.array([excess(r) for r in grid])
        turns = [optimize.brentq(excess, grid[i], grid[i + 1], xtol=1e-15, rtol=1e-15)
                 for i in range(len(grid) - 1) if signs[i] * signs[i + 1] < 0]
        shape = "everything" if not turns else "complement" if signs[0] < 0 else "interval"
        out.append({"name": name, "numerator": means[0], "denominator": means[1],
                    "variance_numerator": covariance[0, 0], "variance_denominator": covariance[1, 1],
                    "covariance": covariance[0, 1], "dof": n - 1, "critical": stats.t.ppf(0.975, n - 1),
                    "shape": shape, **({"low": turns[0], "high": turns[1]} if turns else {})})
    return out


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, (np.floating, np.integer)):
        return value.item()
    return value


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, content in (("york", york_cases()), ("stlsq", stlsq_cases()), ("ode", ode_case()),
                          ("statistics", statistics_cases()), ("fieller", fieller_cases())):
        (folder / f"{name}.json").write_text(json.dumps({"cases": plain(content)}) + "\n")
