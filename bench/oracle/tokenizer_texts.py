"""Mixed text for bench/tokenizers, the same for the same seed: what packages ship and what is generated.

Code and prose of Python's standard library, of the reference's packages and of the system, the translations of Django into
a hundred languages, Faker's word lists, and generated scripts, emoji, combining marks, control characters, bytes made valid
UTF-8, and lines of up to a hundred thousand characters. Every code point may occur, assigned or not.
"""

import ast
import pathlib
import random
import re
import sysconfig
import unicodedata

import tokenizer_fixtures as fixtures

SEED = 20240607
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
    "marks": [(0x300, 0x36F), (0x61, 0x7A), (0x1AB0, 0x1ACE), (0x20D0, 0x20F0)],
    "controls": [(0x0, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x61, 0x66)],
    # Assigned since Unicode 14.
    "newer": [(0x1E4D0, 0x1E4F9), (0x11F00, 0x11F59), (0x31350, 0x323AF), (0x2EBF0, 0x2EE5D), (0x105C0, 0x105F3), (0x10D40, 0x10D85),
              (0x1CC00, 0x1CCF9), (0xA7CB, 0xA7DC), (0x1C89, 0x1C8A), (0x61, 0x7A)],
    "anything": [(0x80, 0xD7FF), (0xE000, 0x1FAFF), (0xE0001, 0xE01EF)],
}
WITHOUT_BLANKS = ("han", "kana", "thai")
EMOJI = [chr(c) for c in list(range(0x1F300, 0x1F650)) + list(range(0x1F900, 0x1F9FF)) + [0x2764, 0x263A]]
JOINERS = ["\u200d", "\ufe0f", "\U0001f3fb", "\U0001f3fd", "\U0001f3ff", "\u20e3", ""]
BLANKS = list(fixtures.UNICODE_SPACES) + ["  ", "   ", "\r\n", "\n\n", "\t\t", " \n", "\u200b", "\u180e", "\ufeff"]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["...", "—", "«", "»", "、", "。", "'s", "'LL", "'ſ"]


def is_usable(code):
    return not 0xD800 <= code < 0xE000


def usable(text):
    return "".join(c for c in text if is_usable(ord(c)))


def read_files(rng, patterns, size, taken=60_000):
    """Texts of the files, in a random order, up to that many bytes."""
    paths = [path for root, pattern in patterns for path in sorted(pathlib.Path(root).glob(pattern))]
    rng.shuffle(paths)
    texts = []
    for path in paths:
        try:
            text = usable(path.read_text(encoding="utf-8")[:taken])
        except (UnicodeDecodeError, OSError):
            continue
        texts.append(text)
        size -= len(text.encode())
        if size <= 0:
            break
    return texts


def translations(rng, packages, size):
    """What Django says in every language, each catalogue a text of its own."""
    texts = []
    for text in read_files(rng, [(packages, "django/**/LC_MESSAGES/django.po")], 3 * size):
        strings = re.findall(r'^msgstr(?:\[\d\])? "(.+)"$', text, re.M)
        if strings:
            texts.append("\n".join(s.replace("\\n", "\n").replace('\\"', '"') for s in strings))
    return texts


def word_lists(rng, packages, size):
    """Sentences of the words that Faker draws from."""
    texts = []
    for path in sorted(packages.glob("faker/providers/lorem/*/__init__.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str) and " " not in n.value]
        if len(words) < 50:
            continue
        joint = "" if path.parent.name[:2] in ("ja", "zh", "th") else " "
        texts.append(". ".join(joint.join(rng.choices(words, k=rng.randrange(3, 20))) for _ in range(1 + size // 4000)))
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
                words.append(rng.choice(BLANKS) if rng.random() < 0.15 else "" if name in WITHOUT_BLANKS else " ")
            text = "".join(words)
            if rng.random() < 0.3:
                text = unicodedata.normalize("NFD", text)
            texts.append(text)
            size += len(text.encode())
    return texts


def random_bytes(rng, size):
    """Bytes made valid: what is no UTF-8 becomes U+FFFD, or a character of Latin 1."""
    texts = []
    while size > 0:
        raw = rng.randbytes(rng.randrange(1, 3000))
        texts.append(usable(raw.decode(rng.choice(["utf-8", "latin-1"]), errors="replace")))
        size -= len(texts[-1].encode())
    return texts


def long_lines(rng, words, size):
    """Without a line end, some without a blank, some of one character or a short pattern again and again."""
    texts = []
    while size > 0:
        length = int(10 ** rng.uniform(3, 5))
        kind = rng.randrange(4)
        if kind == 0:
            unit = rng.choice(["a", " ", "\n", "ab", "!?", "é", "字", "\u0301", "👍🏽", "0", "\t ", "▁"])
            text = unit * (length // len(unit))
        else:
            joint = "" if kind == 1 else " "
            text = joint.join(rng.choice(words) for _ in range(length // 6))[:length]
        texts.append(text)
        size -= len(text.encode())
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


def make(size, packages, site, spelled):
    """At least `size` bytes; `packages`: the unpacked Django and Faker; `site`: the reference's packages."""
    rng = random.Random(SEED)
    stdlib = sysconfig.get_paths()["stdlib"]
    part = size // 10
    prose = read_files(rng, [("/usr/share/common-licenses", "*"), (fixtures.ROOT, "docs/*.md"),
                             ("/usr/share/perl5", "**/*.pod"), (site, "**/*.md")], part)
    code = read_files(rng, [(stdlib, "*.py"), (stdlib, "*/*.py"), (site, "transformers/models/*/*.py"),
                            (fixtures.ROOT, "base/*"), (fixtures.ROOT, "coupling/*")], part)
    words = [w for text in prose[:20] + code[:20] for w in text.split()]
    texts = prose + code + translations(rng, packages, 2 * part) + word_lists(rng, packages, part)
    texts += generated_texts(rng, 3 * part // len(SCRIPTS)) + random_bytes(rng, part)
    documents = cut(rng, with_special_tokens(rng, texts, spelled)) + fixtures.texts_for_tests()
    missing = max(size - sum(len(d.encode()) for d in documents), part)
    return documents + long_lines(rng, words, missing)
