"""Compares our reader of safetensors files with the reference library on files that are almost right.

  safetensors_parity.py --program FILE --work DIR [--files N] [--seed N]

One line for each kind of mutation (safetensors_mutations.py) with who accepts. Ends with 1 where we accept a file that the
reference refuses, or read one otherwise: another name, dtype, shape or place. A file that it accepts and we refuse is
counted by our reason, and WHY_STRICTER says why that is meant; a reason that does not stand there ends the run with 1 too.
"""

import argparse
import collections
import json
import pathlib
import random
import re
import subprocess
import sys

from safetensors import safe_open

import safetensors_mutations as mutations

BATCH = 5000
WHY_STRICTER = {
    "a name stands twice": "the reference keeps one of the two tensors, and which one is nobody's promise",
    "a key of the metadata stands twice": "the same",
    "the header does not begin with {": "the format says that it does",
    "an array stands for an object": "the format has no such form; Rust's deserializer takes structs by position",
    "an object stands for a dtype": "the same for enumerations",
    "an unknown field is nested deeper than 32": "no writer makes such; the depth bounds the stack",
    "more than 64 dimensions": "no framework has such a tensor",
    "a size beyond 63 bits": "sizes are signed in every framework; only beside a 0 does the reference take it",
}


def reason_of(message):
    """The entry of WHY_STRICTER that a message of ours falls under; else the message without its names and numbers."""
    for words, reason in (("stands twice", "a name stands twice"), ("__metadata__ has the key", "a key of the metadata stands twice"),
                          ("begin with '{'", "the header does not begin with {"), ("an array", "an array stands for an object"), ("dtype is an object", "an object stands for a dtype"),
                          ("nested", "an unknown field is nested deeper than 32"), ("64 dimensions", "more than 64 dimensions"),
                          ("fits 63 bits", "a size beyond 63 bits"),
                          ("product of its shape overflows", "a size beyond 63 bits")):
        if words in message:
            return reason
    return re.sub(r'.*model.safetensors: |"[^"]*"|\d+', "", message)


def reference(path):
    """What the library reads, or None where it refuses."""
    try:
        with safe_open(path, framework="numpy") as opened:
            names = list(opened.keys())
            return {name: (opened.get_slice(name).get_dtype(), opened.get_slice(name).get_shape()) for name in names}
    except Exception:  # it has no narrower common class
        return None


def places_of(content):
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8:8 + length].decode())
    return {name: entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"}


def read_alike(content, theirs, ours):
    places = places_of(content)
    expected = {name: [dtype, list(shape), *places[name]] for name, (dtype, shape) in theirs.items()}
    return expected == {name: rest for name, *rest in ours}


def answers_of(program, contents, work):
    (work / "files").write_bytes(b"".join(len(c).to_bytes(4, "little") + c for c in contents))
    run = subprocess.run([program, work / "files", work], capture_output=True)
    lines = run.stdout.splitlines()
    if run.returncode != 0 or len(lines) != len(contents):
        sys.exit(f"safetensors: the reader ended with {run.returncode} after {len(lines)} of {len(contents)} files: {run.stderr.decode()[:300]}")
    return map(json.loads, lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--files", type=int, default=210_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    counts = {m.__name__: collections.Counter() for m in mutations.MUTATIONS}
    stricter, wrong = collections.Counter(), 0
    path = arguments.work / "reference.safetensors"
    for first in range(0, arguments.files, BATCH):
        kinds = [mutations.MUTATIONS[i % len(mutations.MUTATIONS)] for i in range(first, min(first + BATCH, arguments.files))]
        contents = [kind(rng, *mutations.sound(rng)) for kind in kinds]
        for kind, content, answer in zip(kinds, contents, answers_of(arguments.program, contents, arguments.work)):
            path.write_bytes(content)
            theirs, ours = reference(path), answer.get("tensors")
            verdict = {(True, True): "both", (False, False): "neither", (True, False): "reference", (False, True): "ours"}[
                theirs is not None, ours is not None]
            if verdict == "both" and not read_alike(content, theirs, ours):
                verdict = "otherwise"
            counts[kind.__name__][verdict] += 1
            if verdict == "reference":
                reason = reason_of(answer["error"])
                stricter[reason] += 1
                if reason not in WHY_STRICTER and stricter[reason] <= 2:
                    print(f"{kind.__name__}: {answer['error']}: {content[:300]!r}", file=sys.stderr)
            elif verdict in ("ours", "otherwise"):
                wrong += 1
                if wrong <= 10:
                    print(f"{kind.__name__} {verdict}: {content[:300]!r}", file=sys.stderr)
    print(f"{'mutation':18}{'files':>8}{'both accept':>13}{'both refuse':>13}{'only reference':>16}{'only we':>9}{'read otherwise':>16}")
    for name, row in counts.items():
        print(f"{name:18}{row.total():8}{row['both']:13}{row['neither']:13}{row['reference']:16}{row['ours']:9}{row['otherwise']:16}")
    for reason, count in stricter.most_common():
        print(f"  refused here only: {count:6}  {reason}: {WHY_STRICTER.get(reason, 'UNEXPLAINED')}")
    unexplained = sum(count for reason, count in stricter.items() if reason not in WHY_STRICTER)
    print(f"{arguments.files} files, seed {arguments.seed}: {wrong} accepted here that the reference refuses or reads otherwise")
    sys.exit(1 if wrong or unexplained else 0)


if __name__ == "__main__":
    main()
