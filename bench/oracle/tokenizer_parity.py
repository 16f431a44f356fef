"""Compares the project's tokenizer with Hugging Face `tokenizers` on megabytes of mixed text.

    python bench/oracle/tokenizer_parity.py BUILD_DIR/tests/tokenize_file [--real DIR ...] [--bytes N]

The text is made of Python's standard library, the licences of the system, this project, and generated scripts,
emoji, numbers and blanks (seeded; only code points that Unicode 14 assigns). Every kind of
tokenizer_fixtures.py is trained on a part of it, each --real directory holds a tokenizer.json of its own.
Prints one line per kind; exits 1 where a single document differs. Both sides encode in one thread.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tokenizers import Tokenizer  # noqa: E402

import tokenizer_fixtures as fixtures  # noqa: E402

SCRIPTS = {
    "latin": [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F)],
    "greek": [(0x370, 0x3FF), (0x1F00, 0x1FFF)],
    "cyrillic": [(0x400, 0x4FF)],
    "hebrew": [(0x591, 0x5F4)],
    "arabic": [(0x600, 0x6FF)],
    "devanagari": [(0x900, 0x97F)],
    "thai": [(0xE01, 0xE5B)],
    "han": [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x203FF)],
    "kana": [(0x3041, 0x3096), (0x30A1, 0x30FF), (0xFF66, 0xFF9F)],
    "hangul": [(0xAC00, 0xD7A3), (0x1100, 0x11FF)],
    "symbols": [(0x2000, 0x2BFF), (0x1D400, 0x1D7FF), (0xFF01, 0xFF60)],
    "marks": [(0x300, 0x36F), (0x61, 0x7A)],
    "anything": [(0x80, 0xD7FF), (0xE000, 0x1FAFF), (0xE0001, 0xE01EF)],
}
EMOJI = [chr(c) for c in list(range(0x1F300, 0x1F650)) + list(range(0x1F900, 0x1F9FF)) + [0x2764, 0x263A]]
JOINERS = ["\u200d", "\ufe0f", "\U0001f3fb", "\U0001f3fd", "\U0001f3ff", "\u20e3", ""]
BLANKS = list(fixtures.UNICODE_SPACES) + ["  ", "   ", "\r\n", "\n\n", "\t\t", " \n", "\u200b", "\u180e", "\ufeff"]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["...", "—", "«", "»", "、", "。", "'s", "'LL", "'ſ"]


def is_usable(code):
    return code != 0 and not 0xD800 <= code < 0xE000 and unicodedata.category(chr(code)) != "Cn"


def read_files(patterns, limit):
    texts, size = [], 0
    for root, pattern in patterns:
        for path in sorted(pathlib.Path(root).glob(pattern)):
            try:
                text = path.read_text(encoding="utf-8")
            except (UnicodeDecodeError, OSError):
                continue
            text = "".join(c for c in text.replace("\0", "") if is_usable(ord(c)))
            texts.append(text[:60_000])
            size += len(texts[-1])
            if size > limit:
                return texts
    return texts


def generated_word(rng, letters):
    kind = rng.random()
    if kind < 0.08:
        return str(rng.randrange(10 ** rng.randrange(1, 12)))
    if kind < 0.13:
        return "".join(rng.choice(EMOJI) + rng.choice(JOINERS) for _ in range(rng.randrange(1, 5)))
    if kind < 0.25:
        return "".join(rng.choice(PUNCTUATION) for _ in range(rng.randrange(1, 4)))
    return "".join(rng.choice(letters) for _ in range(rng.randrange(1, 9)))


def generated_texts(rng, per_script):
    texts = []
    for name, blocks in SCRIPTS.items():
        letters = [chr(c) for first, last in blocks for c in range(first, last + 1) if is_usable(c)]
        size = 0
        while size < per_script:
            words = []
            for _ in range(rng.randrange(1, 120)):
                words.append(generated_word(rng, letters))
                words.append(rng.choice(BLANKS) if rng.random() < 0.15 else " " if name not in ("han", "kana") else "")
            text = "".join(words)
            if rng.random() < 0.3:
                text = unicodedata.normalize("NFD", text)
            texts.append(text)
            size += len(text.encode())
    return texts


def with_special_tokens(rng, texts, spelled):
    out = []
    for text in texts:
        if rng.random() < 0.2:
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(text) + 1)
                text = text[:at] + rng.choice(spelled) + text[at:]
        out.append(text)
    return out


def cut(rng, texts):
    """Documents of a few characters to a few thousand, and some long ones."""
    documents = []
    for text in texts:
        while text:
            size = len(text) if rng.random() < 0.02 else int(10 ** rng.uniform(1, 3.7))
            documents.append(text[:size])
            text = text[size:]
    return documents


def make_documents(size):
    rng = random.Random(20240607)
    stdlib = sysconfig.get_paths()["stdlib"]
    texts = read_files([(stdlib, "*.py"), (stdlib, "email/*.py"), (stdlib, "asyncio/*.py")], size // 3)
    texts += read_files([("/usr/share/common-licenses", "*"), (fixtures.ROOT, "docs/*.md"), (fixtures.ROOT, "base/*"),
                         (fixtures.ROOT, "records/*"), ("/usr/share/perl5", "**/*.pod")], size // 3)
    texts += generated_texts(rng, size // 3 // len(SCRIPTS))
    spelled = sorted({t["content"] for spec in fixtures.KINDS.values() for t in spec["added"]})
    return cut(rng, with_special_tokens(rng, texts, spelled)) + [t.replace("\0", "") for t in fixtures.texts_for_tests()]


def encode_here(directory, documents):
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    start = time.perf_counter()
    encoded = tokenizer.encode_batch_fast(documents, add_special_tokens=True)
    seconds = time.perf_counter() - start
    return [e.ids for e in encoded], seconds


def encode_there(program, directory, file):
    run = subprocess.run([program, directory, file, "--special"], capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{directory}: {run.stderr}")
    lines = run.stdout.split("\n")[:-1]
    seconds = float(run.stderr.split("seconds:")[1])
    return [[int(i) for i in line.split()] for line in lines], seconds


def show_difference(document, expected, found):
    at = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b), min(len(expected), len(found)))
    print(f"    {ascii(document[:120])}: id {at}: {expected[at:at + 6]} there, {found[at:at + 6]} here")


def compare(name, directory, documents, file, program):
    expected, reference_seconds = encode_here(directory, documents)
    found, seconds = encode_there(program, directory, file)
    differing = [i for i in range(len(documents)) if i >= len(found) or expected[i] != found[i]]
    size = sum(len(d.encode()) for d in documents)
    tokens = sum(map(len, expected))
    print(f"{name:28} {size:10} {tokens:9} {len(documents):6} {len(differing):9} "
          f"{size / seconds / 1e6:8.1f} {size / reference_seconds / 1e6:8.1f} {reference_seconds / seconds:6.1f}x",
          flush=True)
    for i in differing[:3]:
        show_difference(documents[i], expected[i], found[i] if i < len(found) else [])
    return len(differing)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--real", action="append", default=[], type=pathlib.Path)
    parser.add_argument("--bytes", type=int, default=2_000_000)
    parser.add_argument("--vocabulary", type=int, default=6000)
    parser.add_argument("--kinds", nargs="*", default=list(fixtures.KINDS))
    arguments = parser.parse_args()
    documents = make_documents(arguments.bytes)
    training = documents[:: max(1, len(documents) // 1500)]
    print(f"{'kind':28} {'bytes':>10} {'tokens':>9} {'docs':>6} {'differing':>9} {'MB/s':>8} {'their':>8} {'ratio':>7}")
    differing = 0
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch) / "documents"
        file.write_bytes("\0".join(documents).encode())
        for name in arguments.kinds:
            directory = pathlib.Path(scratch) / name
            directory.mkdir()
            made = fixtures.build(name, training, arguments.vocabulary)
            (directory / "tokenizer.json").write_text(json.dumps(made))
            differing += compare(name, directory, documents, file, arguments.program)
        for directory in arguments.real:
            differing += compare(directory.name, directory, documents, file, arguments.program)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
