"""Writes probes/tokenizer/newer_code_points.inc: code points that the reference's Unicode tables know and ours do not.

    python bench/oracle/newer_code_points.py     (under a Python whose unicodedata is of Unicode 14, as PCRE2's tables here are)

A row is the first and last code point of a run, and one that Unicode 14 knows, of as many bytes in UTF-8, to which the regexes of
`tokenizers` give the same categories and properties; of all such the one that was assigned last, since regexes of published
tokenizers that list letters themselves list older ones. The versions are ICU's, Debian's libicu72.
"""

import ctypes
import pathlib
import sys
import unicodedata

from tokenizers import Regex, pre_tokenizers

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cf Co".split()
PROPERTIES = [rf"\p{{{name}}}" for name in CATEGORIES + ["Alphabetic", "Lowercase", "Uppercase", "Han", "White_Space"]] + [r"\w", r"[\w]"]
TARGET = pathlib.Path(__file__).resolve().parents[2] / "probes/tokenizer/newer_code_points.inc"


def age_of(code, icu=ctypes.CDLL("libicuuc.so.72")):
    version = (ctypes.c_uint8 * 4)()
    icu.u_charAge_72(code, version)
    return tuple(version)


def members(pattern, text):
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return {ord(c) for piece, _ in split.pre_tokenize_str(text) for c in piece}


def main():
    assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
    every = [c for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000 and not 0xE000 <= c < 0xF900 and c < 0xF0000]
    text = "".join(map(chr, every))
    held = {pattern: members(pattern, text) for pattern in PROPERTIES}
    # What a code point is to a regex, and how long.
    kind = lambda c: (len(chr(c).encode()), *(c in held[pattern] for pattern in PROPERTIES))
    known, newer = {}, []
    assigned_there = set().union(*held.values())
    for c in every:
        if unicodedata.category(chr(c)) != "Cn":
            known.setdefault(kind(c), []).append(c)
        elif c in assigned_there:
            newer.append(c)
    rows, without, latest = [], [], {}
    for c in newer:
        candidates = known.get(kind(c))
        if not candidates:
            without.append(c)
            continue
        if kind(c) not in latest:
            latest[kind(c)] = max(candidates, key=age_of)
        stands = latest[kind(c)]
        if rows and rows[-1][1] == c - 1 and kind(rows[-1][0]) == kind(c):
            rows[-1][1] = c
        else:
            rows.append([c, c, stands])
    lines = ["{0x%X, 0x%X, 0x%X}," % tuple(row) for row in rows]
    TARGET.write_text("\n".join(lines) + "\n")
    print(f"{len(newer)} code points in {len(rows)} rows; without a stand-in: {[hex(c) for c in without]}", file=sys.stderr)


if __name__ == "__main__":
    main()
