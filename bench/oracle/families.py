"""Compares our logits of tiny models of every family with those of transformers, in fp32 and bf16.

  python bench/oracle/families.py --program build/bin/couplingd-bench-family-logits --work DIR [--only PREFIX]

One line per family and variant (family_models.py); ends with 1 where a line is outside its limit. In bf16 the measure is
what rounding does to transformers itself: our distance to its fp32 logits may be three times its own at the worst logit
and one and a half times over all of them (root of the mean square), or 2 % of the largest logit. In a model with experts a
rounded router may choose another expert, which moves all logits of a token, for transformers as for us.
The first variant of each family is then saved in every format that the family meets (family_formats.py), and the logits
through each must be those through its safetensors file, bit for bit.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import torch

import family_formats
import family_models

FP32_LIMIT = 1e-4
BF16_TIMES, BF16_RMS_TIMES, BF16_SHARE = 3.0, 1.5, 0.02


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

    names = [n for n in family_models.VARIANTS if n.startswith(arguments.only)]
    largest, theirs, theirs_rms = {}, {}, {}
    first_of_family = {}
    for name in names:
        directory = arguments.work / name
        expected = family_models.write(directory, name)
        kind, config = family_models.VARIANTS[name]
        if first_of_family.setdefault(config.model_type, name) == name:
            family_formats.write(directory, config)
        rounded = family_models.logits(kind, directory, family_models.tokens_of(name), torch.bfloat16)
        largest[name], theirs[name] = float(expected.abs().max()), float((rounded - expected).abs().max())
        theirs_rms[name] = float((rounded - expected).square().mean().sqrt())

    command = [str(arguments.program)] + [str(arguments.work / name) for name in names]
    ours = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PYTHONPATH")}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=ours)
    lines = {pathlib.Path(line["directory"]).name: line for line in map(json.loads, done.stdout.splitlines())}

    print(f"{'':30}{'largest difference to fp32 of transformers':>47}{'root mean square':>18}")
    print(f"{'variant':30}{'fp32':>8}{'batched':>9}{'v4 keys':>9}{'bf16':>7}{'theirs':>8}{'bf16':>14}{'theirs':>9}")
    failed = []
    for name in names:
        line = lines.get(name, {"error": "no answer"})
        if "error" in line:
            failed.append(name)
            print(f"{name:30}  FAIL  {line['error']}")
            continue
        least = BF16_SHARE * largest[name]
        good = all(number(line, k) <= FP32_LIMIT for k in ("fp32", "batched", "v4"))
        good = good and number(line, "bf16") <= max(BF16_TIMES * theirs[name], least)
        good = good and number(line, "bf16_rms") <= max(BF16_RMS_TIMES * theirs_rms[name], least)
        failed += [] if good else [name]
        print(f"{name:30}{number(line, 'fp32'):8.1e}{number(line, 'batched'):9.1e}{number(line, 'v4'):9.1e}"
              f"{number(line, 'bf16'):7.3f}{theirs[name]:8.3f}{number(line, 'bf16_rms'):14.4f}{theirs_rms[name]:9.4f}"
              f"  {'pass' if good else 'FAIL'}")
    print()
    for family, name in first_of_family.items():
        formats = lines.get(name, {}).get("formats", {})
        wrong = {format: said for format, said in formats.items() if said != "equal"}
        failed += [f"{family} as {format}" for format in wrong] if formats else [f"{family} in no format"]
        print(f"{family:12} bit for bit through {len(formats) - len(wrong)} of {len(formats)} formats: {', '.join(formats)}")
        for format, said in wrong.items():
            print(f"    FAIL {format}: {said}")
    if failed:
        sys.exit(f"families: outside the limits: {', '.join(failed)}")
    print(f"{len(names)} variants: every logit in fp32 within {FP32_LIMIT:g} of transformers', in bf16 within the limit")


if __name__ == "__main__":
    main()
