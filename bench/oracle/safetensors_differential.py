"""Compares couplingd-probe with the reference safetensors reader on damaged files.

    python bench/oracle/safetensors_differential.py build/bin/couplingd-probe [cases] [seed]

Takes the good fixtures, damages header, length or data at random, and asks both. Ends with status 1 if we accept a file that
the reference refuses. Files that it accepts and we refuse are counted by cause: the format's rules leave some room there.
"""

import collections
import json
import random
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors import safe_open

DATA = Path(__file__).resolve().parents[2] / "tests/probes/checkpoint/data"
PIECES = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"0", b"-0", b"1e1", b"4", b"18446744073709551616", b"null", b"\\u0000",
          b"\xff", b" ", b"\0", b'"dtype":', b'"F32"', b'"BF16"', b'"shape":[]', b'"data_offsets":[0,0]', b'"__metadata__":{}']


def damage(content, rng):
    length = struct.unpack("<Q", content[:8])[0]
    header, data = content[8:8 + length], content[8 + length:]
    for _ in range(rng.randint(1, 3)):
        kind, at = rng.randrange(8), rng.randrange(len(header) + 1)
        if kind == 0:
            header = header[:at] + rng.choice(PIECES) + header[at:]
        elif kind == 1:
            header = header[:at] + header[at + rng.randint(1, 8):]
        elif kind == 2:
            header = header[:at] + bytes([rng.randrange(256)]) + header[at + 1:]
        elif kind in (3, 4):
            numbers = list(re.finditer(rb"\d+", header))
            if numbers:
                number = rng.choice(numbers)
                value = rng.choice([0, 1, 2, 3, 4, 8, int(number[0]) + 1, int(number[0]) * 2, 2**32, 2**63, 2**64 - 1])
                header = header[:number.start()] + str(value).encode() + header[number.end():]
        elif kind == 5:
            other = rng.randrange(len(header) + 1)
            header = header[:at] + header[min(at, other):max(at, other)] + header[at:]
        elif kind == 6:
            data = data[:rng.randrange(len(data) + 1)] if rng.random() < 0.5 else data + bytes(rng.randint(1, 9))
        elif rng.random() < 0.3:
            length += rng.choice([-8, -1, 1, 8])
            return struct.pack("<Q", max(length, 0)) + header + data
    return struct.pack("<Q", len(header)) + header + data


def reference_accepts(path):
    try:
        with safe_open(path, framework="numpy") as opened:
            list(opened.keys())
        return True
    except Exception:
        return False


def ours(probe, directory):
    run = subprocess.run([probe, "inspect", str(directory)], capture_output=True, check=False)
    if run.returncode != 0:
        sys.exit(f"couplingd-probe ended with {run.returncode}: {run.stderr.decode()}")
    return json.loads(run.stdout)


def main():
    probe, cases, seed = sys.argv[1], int((sys.argv[2:] or ["2000"])[0]), int((sys.argv[3:] or ["1"])[0])
    rng = random.Random(seed)
    fixtures = [path.read_bytes() for path in sorted(DATA.glob("good/*/model.safetensors"))]
    verdicts, stricter, wrong = collections.Counter(), collections.Counter(), 0
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.safetensors"
        for case in range(cases):
            content = damage(rng.choice(fixtures), rng)
            path.write_bytes(content)
            answer = ours(probe, directory)
            # A directory without any tensor is no model, whatever the file's form.
            accepts = answer["readiness"] == "ready" or answer["reason"].endswith("hold no tensor")
            reference = reference_accepts(path)
            verdicts[(reference, accepts)] += 1
            if accepts and not reference:
                wrong += 1
                Path(f"disagreement-{seed}-{case}.safetensors").write_bytes(content)
            if reference and not accepts:
                stricter[re.sub(r'.*model.safetensors: |"[^"]*"|\d+', "", answer["reason"])] += 1
    print(f"{cases} damaged files, seed {seed}: both accept {verdicts[True, True]}, both refuse {verdicts[False, False]}, "
          f"only the reference accepts {verdicts[True, False]}, only we accept {verdicts[False, True]}")
    for cause, count in stricter.most_common():
        print(f"  stricter {count:5}  {cause}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
