#!/usr/bin/env python3
"""Expected numbers for the evidence behind phase alerts, from NumPy and SciPy (none is shipped).

    python bench/oracle/evidence_fixtures.py tests/coupling/data    writes evidence.json
    python bench/oracle/evidence_fixtures.py --levels               prints the true levels of the test

tails: P(sqrt(known) Z + sqrt(measured) T_dof > change), by integrating Student's density against the normal tail.
runs:  item-level runs, their evidence computed item by item from the definition in coupling/phase_evidence.h.
The true level of the test with one variance known and one estimated, by integrating over the estimate, must not
exceed what it is run at.
"""
import json
import sys
from pathlib import Path

import numpy as np
from scipy import integrate, optimize, stats

NOISE_PLACES, FEWEST_MEANS, FEWEST_OWN, CLEARLY_LARGER = 32, 24, 6, 2.0
EXPECTED_NOISE, EXPECTED_DOF = 0.01, 10
BOUNDS = {"tax": -0.1, "bonus": 0.1}


def tail(change, known, measured, dof):
    d = abs(change)
    if known == 0:
        return float(stats.t.sf(d / np.sqrt(measured), dof))
    a, b = np.sqrt(known), np.sqrt(measured)
    edges = [-np.inf, -30 * a / b + d / b, d / b - 6 * a / b, d / b, d / b + 6 * a / b, d / b + 30 * a / b, np.inf]
    part = lambda t: stats.t.pdf(t, dof) * stats.norm.sf((d - b * t) / a)
    return float(sum(integrate.quad(part, u, v, epsabs=0, epsrel=1e-11, limit=400)[0] for u, v in zip(edges, edges[1:])))


def rough_weights(x):
    """Rows that take each inner value against the line between its neighbours, unit length."""
    rows = np.zeros((len(x) - 2, len(x)))
    for k in range(1, len(x) - 1):
        after = (x[k] - x[k - 1]) / (x[k + 1] - x[k - 1])
        rows[k - 1, k - 1 : k + 2] = [after - 1, 1, -after]
        rows[k - 1] /= np.linalg.norm(rows[k - 1])
    return rows


def rough_dof(count):
    """(trace M)^2 / trace M^2 of the quadratic form, for even spacing."""
    rows = rough_weights(np.arange(count + 2.0))
    gram = rows @ rows.T
    return np.trace(gram) ** 2 / np.sum(gram**2)


def noise_of(y, x, first):
    window = len(x) - first
    used = max(window, min(len(x), NOISE_PLACES))
    yy, xx = y[-used:], x[-used:]
    single = np.mean((rough_weights(xx) @ yy) ** 2)
    variance, dof = single, rough_dof(used - 2)
    if FEWEST_OWN <= window < used:
        variance = max(variance, np.mean((rough_weights(x[-window:]) @ y[-window:]) ** 2))
    size = 2
    while used // size >= FEWEST_MEANS:
        count = used // size
        means = lambda v: v[-count * size :].reshape(count, size).mean(axis=1)
        scaled = size * np.mean((rough_weights(means(xx)) @ means(yy)) ** 2)
        if scaled > variance:
            variance = scaled
            if scaled > CLEARLY_LARGER * single:
                dof = rough_dof(count - 2)
        size *= 2
    return variance, dof


def sides(items, x, first, step, expected):
    """items: one row per item, one column per place of the run."""
    y = items.mean(axis=0)
    xw, span = x[first:], x[-1] - x[first]
    weights = np.array([np.polyfit(xw, unit, 1)[0] * span for unit in np.eye(len(xw))])
    change = weights @ y[first:]
    n = len(items)
    sampling = np.var(items[:, first:] @ weights, ddof=1) / n
    flips = np.mean(np.var(items[:, first:] @ rough_weights(xw).T, axis=0, ddof=1)) / n
    variance, dof = noise_of(y, x, first)
    if expected > 0:
        variance = max(variance, np.average([variance, flips + expected**2], weights=[dof, EXPECTED_DOF]))
        dof += EXPECTED_DOF
    length = weights @ weights
    common = max(sampling - length * flips, 0)
    p = max(tail(change, common, length * max(variance, step**2), dof), stats.t.sf(abs(change) / np.sqrt(sampling), n - 1))
    return (p, 1 - p) if change > 0 else (1 - p, p)  # not rising, not falling


def evidence(reasoning, truthfulness, x, first, expected):
    """Two axes on the same items, so that the difference can be taken item by item."""
    n = len(reasoning)
    rises, _ = sides(reasoning, x, first, 0.5 / n, expected)
    result = {"reasoning_rises": float(rises)}
    for name, bound in BOUNDS.items():
        up, down = sides(truthfulness - bound * reasoning, x, first, np.hypot(0.5, bound * 0.5) / n,
                         np.hypot(expected, bound * expected))
        result["below_" + name], result["above_" + name] = float(down), float(up)
    return result


def run(places, items, first, slope, noise, seed, fractions=True):
    rng = np.random.default_rng(seed)
    x = np.log10(np.arange(4, places + 4.0))
    ability = np.linspace(-0.6, 0.9, places)
    difficulty = rng.normal(size=(2, items))
    lingering = np.zeros(places)
    for k in range(1, places):
        lingering[k] = 0.6 * lingering[k - 1] + noise * rng.normal()
    draw = lambda level, d: (d[:, None] + 0.3 * rng.normal(size=(items, places)) < level).astype(float)
    reasoning = draw(ability + lingering, difficulty[0])
    truthfulness = draw(slope * ability - lingering, difficulty[1])
    text = lambda m: ["".join(str(int(v)) for v in row) for row in m.T]
    return {"positions": x.tolist(), "first": first, "reasoning": text(reasoning), "truthfulness": text(truthfulness),
            "fractions": fractions,
            "expected": evidence(reasoning, truthfulness, x, first, EXPECTED_NOISE if fractions else 0)}


def true_level(level, ratio, dof):
    """Of "reject if tail <= level" where the known variance is 1 and the measured one `ratio`, by integrating over
    the estimate; the tail as a mixture over chi-squared, which `tail` confirms."""
    logs = np.linspace(-140 / dof - np.sqrt(280 / dof), np.log(2 + 280 / dof) + 1, 2001)
    ratios = np.exp(logs)
    weights = np.exp(dof / 2 * (logs - ratios + 1))
    weights /= weights.sum()
    def bound(estimate):
        mixture = lambda d: weights @ stats.norm.sf(d / np.sqrt(1 + estimate / ratios))
        return optimize.brentq(lambda d: np.log(mixture(d)) - np.log(level), 0.01, 1e9, rtol=1e-8)
    sample = weights > 1e-12
    hits = [stats.norm.sf(bound(ratio * w) / np.sqrt(1 + ratio)) for w in ratios[sample][::7]]
    return float(np.average(hits, weights=weights[sample][::7]))


def main():
    if sys.argv[1] == "--levels":
        worst = 0
        for dof in (1.5, 3, 5, 16):
            for ratio in (0.05, 0.3, 1, 3, 20):
                for level in (1e-2, 1e-3, 1e-4):
                    measured = true_level(level, ratio, dof)
                    worst = max(worst, measured / level)
                    print(f"dof {dof:4}  measured/known {ratio:5}  level {level:.0e}  true {measured:.2e}  {measured / level:.2f}")
        print(f"largest ratio {worst:.3f}")
        return
    tails = [dict(change=c, known=k, measured=m, dof=f, p=tail(c, k, m, f))
             for c, k, m, f in [(1, 1, 1, 3), (4, 1, 0.5, 5.4), (9, 1, 1, 1.4), (5, 0, 1, 7), (4.4, 1, 0.01, 2),
                                (6, 0.2, 1, 16), (5, 1, 0.3, 120), (30, 1, 4, 3), (0.2, 1, 1, 30)]]
    runs = [run(12, 60, 4, -0.8, 0.0, 1), run(12, 60, 4, 0.1, 0.0, 2), run(40, 80, 18, -1.0, 0.05, 3),
            run(40, 80, 0, 0.6, 0.05, 4), run(120, 60, 52, -0.5, 0.3, 5), run(120, 60, 52, -0.1, 0.0, 6),
            run(60, 60, 54, 0.0, 0.2, 7), run(12, 60, 4, -0.8, 0.0, 8, fractions=False)]
    lines = lambda cases: ",\n".join(json.dumps(case) for case in cases)
    Path(sys.argv[1], "evidence.json").write_text(f'{{"tails": [\n{lines(tails)}],\n"runs": [\n{lines(runs)}]}}\n')


main()
