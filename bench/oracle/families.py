"""Compares our logits of tiny models of every family with those of transformers, in fp32 and bf16.

  python bench/oracle/families.py --program build/bin/couplingd-bench-family-logits --work DIR [--only PREFIX]

One line per family and variant (family_models.py); ends with 1 where a line is outside its limit. In bf16 the limit is
what rounding does to transformers itself: three times its own distance to its fp32 logits, or 2 % of the largest logit.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import torch
import transformers

import family_models

FP32_LIMIT = 1e-4
BF16_TIMES, BF16_SHARE = 3.0, 0.02


def number(line, key):
    value = line.get(key)
    return float("inf") if value is None else value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the models")
    parser.add_argument("--only", default="", help="variants whose name begins so")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()

    names = [n for n in family_models.VARIANTS if n.startswith(arguments.only)]
    largest, theirs = {}, {}
    for name in names:
        directory = arguments.work / name
        expected = family_models.write(directory, name)
        kind, _ = family_models.VARIANTS[name]
        rounded = family_models.logits(kind, directory, family_models.tokens_of(name), torch.bfloat16)
        largest[name], theirs[name] = float(expected.abs().max()), float((rounded - expected).abs().max())

    command = [str(arguments.program)] + [str(arguments.work / name) for name in names]
    ours = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PYTHONPATH")}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=ours)
    lines = {pathlib.Path(line["directory"]).name: line for line in map(json.loads, done.stdout.splitlines())}

    head = ("variant", "fp32", "plain", "v4 keys", "bf16", "bf16 of HF", "limit")
    print(f"{head[0]:30}{head[1]:>10}{head[2]:>10}{head[3]:>10}{head[4]:>9}{head[5]:>12}{head[6]:>9}")
    failed = []
    for name in names:
        line = lines.get(name, {"error": "no answer"})
        if "error" in line:
            failed.append(name)
            print(f"{name:30}  FAIL  {line['error']}")
            continue
        limit = max(BF16_TIMES * theirs[name], BF16_SHARE * largest[name])
        good = all(number(line, k) <= FP32_LIMIT for k in ("fp32", "plain", "v4")) and number(line, "bf16") <= limit
        failed += [] if good else [name]
        print(f"{name:30}{number(line, 'fp32'):10.1e}{number(line, 'plain'):10.1e}{number(line, 'v4'):10.1e}"
              f"{number(line, 'bf16'):9.4f}{theirs[name]:12.4f}{limit:9.4f}  {'pass' if good else 'FAIL'}")
    if failed:
        sys.exit(f"families: outside the limits: {', '.join(failed)}")
    print(f"{len(names)} variants: every logit in fp32 within {FP32_LIMIT:g} of transformers', in bf16 within the limit")


if __name__ == "__main__":
    main()
