"""The bootstrap of N_c in NumPy, beside couplingd-bench-bootstrap: times, ratios and equality."""
import json
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

PROGRAM = sys.argv[1]
REPLICATES, REPEATS = 10_000, 100
warnings.filterwarnings("ignore")  # polyfit warns of draws with too few distinct places


def crosses(turn, opens):
    return turn[opens & (turn > 7) & (turn < 12)]


def loop(x, y, rng):
    """A resample at a time through numpy.polyfit."""
    turns = []
    for _ in range(REPLICATES):
        rows = rng.integers(0, len(x), len(x))
        a, b, _ = np.polyfit(x[rows], y[rows], 2)
        if a > 0 and 7 < -b / (2 * a) < 12:
            turns.append(-b / (2 * a))
    return np.array(turns)


def from_sums(sums, centre, n):
    """The turns of quadratics from their power sums: normal equations in closed form."""
    s1, s2, s3, s4, t0, t1, t2 = sums
    uu, uq, qq = s2 - s1 * s1 / n, s3 - s1 * s2 / n, s4 - s2 * s2 / n
    uv, qv = t1 - s1 * t0 / n, t2 - s2 * t0 / n
    curvature = qv * uu - uv * uq
    with np.errstate(all="ignore"):
        turn = centre - (uv * qq - qv * uq) / (2 * curvature)
    return turn, (curvature > 0) & (uu * qq - uq * uq > 1e-12 * uu * qq)


def terms(x, y):
    u, v = x - x.mean(), y - y.mean()
    return np.stack([u, u**2, u**3, u**4, v, u * v, u * u * v])


def draw(rng, n):
    return rng.integers(0, n, (REPLICATES, n), dtype=np.uint32)


def gathered(x, y, rng):
    """The terms of every draw gathered, then summed."""
    rows = draw(rng, len(x))
    return crosses(*from_sums(terms(x, y)[:, rows].sum(axis=2), x.mean(), len(x)))


def counted(x, y, rng):
    """How often each point was drawn, times the terms: one matrix product."""
    n = len(x)
    rows = draw(rng, n)
    rows += np.arange(0, REPLICATES * n, n, dtype=np.uint32)[:, None]
    counts = np.bincount(rows.ravel(), minlength=REPLICATES * n).reshape(REPLICATES, n)
    return crosses(*from_sums(terms(x, y) @ counts.T.astype(float), x.mean(), n))


def paired(x, y, rng):
    """Two points at a time from a table of all pairs, gathered, then summed."""
    n = len(x)
    single = terms(x, y).T
    table = (single[:, None, :] + single[None, :, :]).reshape(n * n, -1)
    rows = rng.integers(0, n * n, (n // 2, REPLICATES), dtype=np.uint16)
    sums = table[rows[0]]
    for row in rows[1:]:
        sums += table[row]
    return crosses(*from_sums(np.ascontiguousarray(sums.T), x.mean(), n))


def multinomial(x, y, rng):
    """The counts drawn as such."""
    n = len(x)
    counts = rng.multinomial(n, np.full(n, 1 / n), REPLICATES)
    return crosses(*from_sums(terms(x, y) @ counts.T.astype(float), x.mean(), n))


def summary(turns):
    return np.quantile(turns, [0.5, 0.025, 0.975])


def timed(method, x, y, repeats):
    seconds, answers = [], []
    for seed in range(repeats):
        rng = np.random.Generator(np.random.SFC64(seed))  # NumPy's fastest
        start = time.perf_counter()
        answers.append(summary(method(x, y, rng)))
        seconds.append(time.perf_counter() - start)
    return 1e3 * min(seconds), 1e3 * float(np.median(seconds)), np.array(answers)


def ours():
    text = subprocess.run([PROGRAM, "--replicates", str(REPLICATES), "--repeats", str(REPEATS)],
                          check=True, capture_output=True, text=True).stdout
    return json.loads(text)


def follow(x, y):
    """Largest difference of a turn, draw by draw, from couplingd's on the same draws."""
    rng = np.random.default_rng(5)
    rows = draw(rng, len(x))
    with tempfile.TemporaryDirectory() as folder:
        draws, turns = Path(folder, "draws"), Path(folder, "turns")
        draws.write_bytes(rows.astype("<u4").tobytes())
        subprocess.run([PROGRAM, "--draws", draws, "--turns", turns], check=True)
        other = np.frombuffer(turns.read_bytes(), "<f8")
    worst, compared, agree = 0.0, 0, 0
    for k, row in enumerate(rows):
        valid = len(set(x[row])) >= 3
        a, b, _ = np.polyfit(x[row], y[row], 2) if valid else (0, 0, 0)
        agree += (a > 0) == bool(np.isfinite(other[k]))
        if a > 0 and abs(a) > 1e-6 and np.isfinite(other[k]):
            worst = max(worst, abs(other[k] + b / (2 * a)) / max(1, abs(b / (2 * a))))
            compared += 1
    return worst, compared, agree


def main():
    answer = ours()
    x, y = np.array(answer["x"]), np.array(answer["y"])
    rows = [("numpy.polyfit in a loop", *timed(loop, x, y, 3))]
    for name, method in (("NumPy, gathered terms", gathered), ("NumPy, gathered terms of pairs", paired),
                         ("NumPy, counts (bincount) × terms", counted),
                         ("NumPy, counts (multinomial) × terms", multinomial)):
        rows.append((name, *timed(method, x, y, REPEATS)))
    again = ours()  # the machine may have changed pace meanwhile
    best, median = min(answer["best_ms"], again["best_ms"]), min(answer["median_ms"], again["median_ms"])
    print(f"{REPLICATES} resamples of {len(x)} models, one thread; NumPy {np.__version__}, "
          f"Python {platform.python_version()}")
    print(f"{'':38}{'best':>11}{'median':>11}{'ratio':>8}   N_c [95 %]")
    show = lambda q: "{:.2f}B [{:.2f}B, {:.1f}B]".format(*(10 ** np.array(q) / 1e9))
    for name, low, mid, answers in rows:
        print(f"{name:38}{low:8.2f} ms{mid:8.2f} ms{mid / median:7.1f}x   {show(np.median(answers, axis=0))}")
    print(f"{'couplingd':38}{best:8.2f} ms{median:8.2f} ms{'':8}   "
          f"{show([answer['median'], answer['low'], answer['high']])}")
    worst, compared, agree = follow(x, y)
    print(f"same draws: {agree} of {REPLICATES} agree on whether there is a turn; of {compared} turns the worst "
          f"relative difference from polyfit is {worst:.1e}")
    noise = np.std(rows[1][3], axis=0)
    off = np.abs(np.array([answer["median"], answer["low"], answer["high"]]) - np.mean(rows[1][3], axis=0)) / noise
    print("couplingd's median and ends lie {:.1f}, {:.1f} and {:.1f} seed-to-seed deviations from NumPy's mean".format(*off))
    loop_ratio, batch_ratio = rows[0][2] / median, min(row[2] for row in rows[1:]) / median
    print(f"ratio to the loop {loop_ratio:.0f} (at least 100), to the fastest batched form {batch_ratio:.1f} (at least 3)")
    holds = loop_ratio >= 100 and batch_ratio >= 3 and worst < 1e-9 and agree == REPLICATES and (off < 4).all()
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
