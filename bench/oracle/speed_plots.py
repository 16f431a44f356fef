"""How the cost of an evaluation grows: with items, with the length of a sequence, with the size of the model. Core seconds on
one thread, which a busy machine does not change much; writes one SVG each into docs/pictures.

  python bench/oracle/speed_plots.py --model DIR --items-from DIR --work DIR [--programs build/bin] [--into docs/pictures]
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import subprocess

import parity

ITEMS = (2, 5, 10, 20)
LENGTHS = (64, 128, 256, 512, 1024)
SIZES = ((192, 8), (384, 16), (576, 30), (768, 32))  # hidden size and layers, in the shape of SmolLM2
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 340, 74, 24, 44, 56


def measure(programs, model, packs, work):
    """(core seconds of scoring, result) on one thread."""
    scores = work / "scores"
    scores.mkdir(parents=True, exist_ok=True)
    request = {"checkpoint": str(model), "packs": packs, "scores_dir": str(scores), "device": "cpu", "threads": 1}
    (work / "request.json").write_text(json.dumps(request))
    environment = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PYTHONPATH")}
    done = subprocess.run(
        [programs / "couplingd-bench-speed", "profile", work / "request.json"],
        env={**environment, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    profile = json.loads(done.stdout)
    return profile["score_cpu_seconds"], profile["result"]


def by_items(programs, model, source, work):
    points = []
    for count in ITEMS:
        packs = []
        for kind, (name, _) in parity.SOURCES.items():
            parity.write_rows(work / name, parity.read_rows(source / name)[:count])
            packs.append(f"{kind}={work / name}")
        seconds, _ = measure(programs, model, packs, work)
        points.append((count, seconds))
    return points


def by_length(programs, model, work):
    """Milliseconds a token, for texts of one sequence each that share nothing."""
    points = []
    words = "north south east west red green blue white one two three four five six seven eight".split()
    for length in LENGTHS:
        rows = []
        for item in range(max(1, 1024 // length)):
            text = " ".join(words[(i * 7 + item * 3 + i // 5) % len(words)] for i in range(length - 2))
            rows.append({"id": f"{item}", "context": f"{item} {text}", "choices": [" yes", " no"], "gold": 0})
        path = work / "long.jsonl"
        parity.write_rows(path, rows)
        seconds, result = measure(programs, model, [str(path)], work)
        points.append((length, 1e3 * seconds / result["tokens"]["trie"]))
    return points


def make_model(like, folder, hidden, layers):
    import numpy
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((like / "config.json").read_text())
    heads, wide = hidden // 64, 8 * hidden // 3 // 64 * 64
    groups = next(g for g in (3, 2, 1) if heads % g == 0)
    config.update(
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=heads // groups,
        intermediate_size=wide, head_dim=64, torch_dtype="float32", dtype="float32",
    )  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(like / name, folder / name)
    random = numpy.random.default_rng(1)
    kv = 64 * (heads // groups)

    def weights(*shape):
        return (random.standard_normal(shape, dtype=numpy.float32) / math.sqrt(shape[-1])).astype(numpy.float32)

    tensors = {"model.embed_tokens.weight": weights(config["vocab_size"], hidden), "model.norm.weight": numpy.ones(hidden, "f4")}
    for layer in range(layers):
        stem = f"model.layers.{layer}."
        for name, shape in {
            "self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (kv, hidden), "self_attn.v_proj": (kv, hidden),
            "self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (wide, hidden), "mlp.up_proj": (wide, hidden),
            "mlp.down_proj": (hidden, wide),
        }.items():  # fmt: skip
            tensors[f"{stem}{name}.weight"] = weights(*shape)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{stem}{name}.weight"] = numpy.ones(hidden, "f4")
    save_file(tensors, folder / "model.safetensors")


def by_size(programs, model, source, work):
    """Milliseconds a token against millions of parameters."""
    path = work / "piqa.jsonl"
    parity.write_rows(path, parity.read_rows(source / "piqa.jsonl")[:12])
    points = []
    for hidden, layers in SIZES:
        folder = work / f"model-{hidden}"
        make_model(model, folder, hidden, layers)
        seconds, result = measure(programs, folder, [f"piqa={path}"], work)
        points.append((result["parameters"] / 1e6, 1e3 * seconds / result["tokens"]["trie"]))
        shutil.rmtree(folder)
    return points


def ticks(low, high):
    """1, 2, 5 times powers of ten that span the values."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    all_ticks = [m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)]
    below = max(t for t in all_ticks if t <= low * 1.001)
    above = min(t for t in all_ticks if t >= high * 0.999)
    return [t for t in all_ticks if below <= t <= above]


def svg(title, x_label, y_label, points):
    xs, ys = ticks(min(p[0] for p in points), max(p[0] for p in points)), ticks(min(p[1] for p in points), max(p[1] for p in points))
    if len(ys) == 1:
        ys = [ys[0] / 2, ys[0], ys[0] * 2]

    def x_of(x):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / xs[0]) / math.log(xs[-1] / xs[0])

    def y_of(y):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(y / ys[0]) / math.log(ys[-1] / ys[0])

    def text(x, y, content, anchor="middle", size=12, extra=""):
        return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#333"{extra}>{content}</text>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(LEFT, 24, title, "start", 15),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x_label),
        text(18, (TOP + HEIGHT - BOTTOM) / 2, y_label, extra=f' transform="rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2})"'),
    ]
    for x in xs:
        parts.append(f'<path d="M{x_of(x):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(text(x_of(x), HEIGHT - BOTTOM + 18, f"{x:g}"))
    for y in ys:
        parts.append(f'<path d="M{LEFT} {y_of(y):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(text(LEFT - 8, y_of(y) + 4, f"{y:g}", "end"))
    line = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#1f6feb" stroke-width="2"/>')
    for x, y in points:
        parts.append(f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="4" fill="#1f6feb"><title>{x:g}: {y:.3g}</title></circle>')
    return "\n".join(parts) + "\n</svg>\n"


def make(programs, model, source, work, into):
    work.mkdir(parents=True, exist_ok=True)
    into.mkdir(parents=True, exist_ok=True)
    plots = {
        "speed-items": ("SmolLM2-135M: cost and items", "items of each of four sources", "core seconds of scoring",
                        by_items(programs, model, source, work)),
        "speed-length": ("SmolLM2-135M: cost and length", "tokens of one sequence, nothing shared", "core milliseconds a token",
                         by_length(programs, model, work)),
        "speed-size": ("Cost and model size", "million parameters", "core milliseconds a token",
                       by_size(programs, model, source, work)),
    }  # fmt: skip
    for name, (title, x_label, y_label, points) in plots.items():
        (into / f"{name}.svg").write_text(svg(title, x_label, y_label, points), encoding="utf-8")
        print(f"{title}: " + ", ".join(f"{x:g} → {y:.3g}" for x, y in points) + f"  ({into / name}.svg)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--items-from", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/bin"))
    parser.add_argument("--into", type=pathlib.Path, default=pathlib.Path("docs/pictures"))
    a = parser.parse_args()
    make(a.programs, a.model, a.items_from, a.work, a.into)


if __name__ == "__main__":
    main()
