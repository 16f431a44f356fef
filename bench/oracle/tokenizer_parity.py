"""Compares the project's tokenizers with the libraries that define them on megabytes of mixed text, by processor time.

  tokenizer_parity.py --program FILE --packages DIR --sources DIR --site DIR --work DIR [--bytes N] [NAME ...]

Published tokenizers (tokenizer_real.py), then vocabularies trained for every family's pipeline (tokenizer_families.py); one
line each. The reference is Hugging Face `tokenizers` for a tokenizer.json, transformers' AutoTokenizer for vocab.json with
merges.txt, SentencePiece for a tokenizer.model. Then texts of a megabyte that no pre-tokenizer cuts. Ends with 1 where a
document differs or such a text takes a second. Of the cuts of a Unigram model that have the same score, releases of
SentencePiece choose different ones: a document that differs by such a choice alone is counted apart.
"""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy  # noqa: E402
import sentencepiece  # noqa: E402
import transformers  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

import tokenizer_families as families  # noqa: E402
import tokenizer_fixtures as fixtures  # noqa: E402
import tokenizer_real as real  # noqa: E402
import tokenizer_texts as mixed_texts  # noqa: E402

BATCH = 200  # documents; their encodings are large
SAME_SCORE = 1e-5  # of the score: what sums of 32-bit floats leave
ONE_PIECE = ("llama-spm", "gemma-4", "llama2")  # nothing cuts their texts
ONE_PIECE_BYTES, ONE_PIECE_SECONDS = 1_000_000, 1.0


class LibraryTokenizer:
    """tokenizer.json, or vocab.json with merges.txt as transformers reads them."""

    are_tied = staticmethod(lambda left, right: False)

    def __init__(self, directory):
        if (directory / "tokenizer.json").exists():
            self.backend = Tokenizer.from_file(str(directory / "tokenizer.json"))
        else:
            self.backend = transformers.AutoTokenizer.from_pretrained(directory).backend_tokenizer
        self.backend.no_truncation()
        self.backend.no_padding()

    def encode(self, documents):
        return [e.ids for e in self.backend.encode_batch_fast(documents, add_special_tokens=True)]


class SentencePieceTokenizer:
    """tokenizer.model: control tokens are cut out of the text first, as transformers does."""

    def __init__(self, directory):
        self.model = sentencepiece.SentencePieceProcessor(model_file=str(directory / "tokenizer.model"))
        every = range(self.model.get_piece_size())
        self.control = {self.model.id_to_piece(i): i for i in every if self.model.is_control(i)}
        self.pattern = re.compile("(" + "|".join(map(re.escape, sorted(self.control, key=len, reverse=True))) + ")")

    def encode(self, documents):
        return [self.encode_one(document) for document in documents]

    def are_tied(self, left, right):
        """Whether both are cuts of the same text with the same score."""
        if self.model.decode(left.tolist()) != self.model.decode(right.tolist()):
            return False
        scores = [sum(self.model.get_score(int(i)) for i in ids) for ids in (left, right)]
        return abs(scores[0] - scores[1]) <= SAME_SCORE * abs(scores[0])

    def encode_one(self, document):
        ids = [self.model.bos_id()] if self.model.bos_id() >= 0 else []
        for part in self.pattern.split(document):
            if part in self.control:
                ids.append(self.control[part])
            elif part:
                ids += self.model.encode(part)
        return ids


def reference_of(directory):
    return SentencePieceTokenizer(directory) if (directory / "tokenizer.model").exists() else LibraryTokenizer(directory)


def encode_there(tokenizer, documents):
    ids, seconds = [], 0.0
    for at in range(0, len(documents), BATCH):
        batch = documents[at:at + BATCH]
        start = time.process_time()
        encoded = tokenizer.encode(batch)
        seconds += time.process_time() - start
        ids += [numpy.array(e, dtype=numpy.int32) for e in encoded]
    return ids, seconds


def write_documents(path, documents):
    encoded = [document.encode() for document in documents]
    path.write_bytes(b"".join(len(e).to_bytes(4, "little") + e for e in encoded))


def encode_here(program, directory, file, work):
    ours = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PYTHONPATH")}
    run = subprocess.run([program, directory, file, work / "ids"], capture_output=True, text=True, env=ours)
    if run.returncode != 0:
        return None, run.stderr.strip()
    flat, ids, at = numpy.fromfile(work / "ids", dtype=numpy.int32), [], 0
    while at < len(flat):
        ids.append(flat[at + 1:at + 1 + flat[at]])
        at += 1 + flat[at]
    return ids, float(run.stdout)


def first_difference(document, expected, found):
    at = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b), min(len(expected), len(found)))
    return f"{ascii(document[:100])}: id {at}: {expected[at:at + 6].tolist()} there, {found[at:at + 6].tolist()} here"


class Table:
    def __init__(self, program, documents, work):
        self.program, self.documents, self.work = program, documents, work
        self.size, self.failed = sum(len(d.encode()) for d in documents), []
        write_documents(work / "documents", documents)
        print(f"{self.size} bytes in {len(documents)} documents, the same for all; one thread each")
        print(f"{'tokenizer':24} {'form':10} {'entries':>8} {'tokens':>9} {'differing':>9} {'MB/s':>7} {'their':>7} {'ratio':>7}")

    def compare(self, name, directory, remark=""):
        reference = reference_of(directory)
        expected, their_seconds = encode_there(reference, self.documents)
        found, seconds = encode_here(self.program, directory, self.work / "documents", self.work)
        if found is None:
            self.failed.append(name)
            print(f"{name:24} FAIL {seconds}", flush=True)
            return
        differing = [i for i, ids in enumerate(expected) if not numpy.array_equal(ids, found[i])]
        tied = {i for i in differing if reference.are_tied(expected[i], found[i])}
        differing = [i for i in differing if i not in tied]
        remark += f"; {len(tied)} documents cut otherwise at the same score" if tied else ""
        print(f"{name:24} {form_of(directory):10} {entries_of(directory):8} {sum(map(len, expected)):9} {len(differing):9} "
              f"{self.size / seconds / 1e6:7.1f} {self.size / their_seconds / 1e6:7.1f} {their_seconds / seconds:6.1f}x {remark}", flush=True)
        self.failed += [name] if differing else []
        for i in differing[:3]:
            print("    " + first_difference(self.documents[i], expected[i], found[i]), flush=True)


def form_of(directory):
    return next(form for file, form in (("tokenizer.json", "json"), ("vocab.json", "words"), ("tokenizer.model", "model"))
                if (directory / file).exists())


def entries_of(directory):
    if form_of(directory) == "model":
        return sentencepiece.SentencePieceProcessor(model_file=str(directory / "tokenizer.model")).get_piece_size()
    if form_of(directory) == "words":
        return len(json.loads((directory / "vocab.json").read_text()))
    return len(json.loads((directory / "tokenizer.json").read_text())["model"]["vocab"])


def trained(name, texts, size):
    """The files of one family's directory."""
    as_file = lambda file: {"tokenizer.json": json.dumps(file, ensure_ascii=False)}
    if name in families.FAMILIES:
        return as_file(fixtures.build(families.FAMILIES[name], texts, size))
    if name == "opt as words":
        end = dict(tokenizer_class="GPT2Tokenizer", bos_token="</s>", eos_token="</s>", unk_token="</s>", add_bos_token=True)
        return real.as_words(fixtures.build(families.FAMILIES["opt"], texts, size), end)
    if name.startswith("sentencepiece"):
        return {"tokenizer.model": families.trained_sentencepiece(texts, name.split()[1], size)}
    return as_file(families.trained_unigram(texts, size, byte_fallback="bytes" in name))


TRAINED = (*families.FAMILIES, "opt as words", "t5", "t5 with bytes", "sentencepiece bpe", "sentencepiece unigram")


def one_piece_texts(documents):
    rng = random.Random(1)
    prose = " ".join(documents)
    letters = "".join(rng.choices("etaoinshrdlucmfwypvbgk", k=ONE_PIECE_BYTES))
    return {"one letter": "a" * ONE_PIECE_BYTES, "letters": letters,
            "mixed": prose.encode()[:ONE_PIECE_BYTES].decode(errors="ignore").replace("<", "(")}


def compare_one_piece(table, directories):
    """A megabyte without a pre-tokenizer to cut it: the merges must not take quadratic time."""
    for name in ONE_PIECE:
        if name not in directories:
            continue
        took = {}
        for kind, text in one_piece_texts(table.documents).items():
            write_documents(table.work / "piece", [text])
            found, seconds = encode_here(table.program, directories[name], table.work / "piece", table.work)
            expected, _ = encode_there(reference_of(directories[name]), [text])
            took[kind] = seconds if found and numpy.array_equal(found[0], expected[0]) else float("inf")
        good = all(seconds < ONE_PIECE_SECONDS for seconds in took.values())
        table.failed += [] if good else [f"{name} in one piece"]
        print(f"{name:24} 1 MB as one piece: " + ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in took.items())
              + ("" if good else "  FAIL"), flush=True)


def lay_out_trained(work, documents, names, size):
    training = documents[:: max(1, len(documents) // 1500)]
    for name in TRAINED:
        if names and name not in names:
            continue
        directory = work / f"trained_{name.replace(' ', '_')}"
        directory.mkdir()
        for file, content in trained(name, training, size).items():
            (directory / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        yield name, directory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("program", "packages", "sources", "site", "work"):
        parser.add_argument(f"--{option}", type=pathlib.Path, required=True)
    parser.add_argument("--bytes", type=int, default=10_000_000)
    parser.add_argument("--vocabulary", type=int, default=6000)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    spelled = sorted({t["content"] for spec in families.FAMILIES.values() for t in spec["added"]})
    table = Table(arguments.program, mixed_texts.make(arguments.bytes, arguments.packages, arguments.site, spelled), arguments.work)
    directories = {}
    for name, directory in real.lay_out(arguments.packages / "laid_out", arguments.packages, arguments.sources, arguments.names).items():
        wrong = real.check(directory, arguments.sources, name)
        table.failed += [f"{name} as described here"] if wrong else []
        table.compare(name, directory, "published" + ("" if wrong is None else f"; {wrong} texts other than transformers'"))
        directories[name] = directory
    for name, directory in lay_out_trained(arguments.work, table.documents, arguments.names, arguments.vocabulary):
        table.compare(name, directory, "as " + families.SHARED[name] if name in families.SHARED else "")
        directories[name] = directory
    compare_one_piece(table, directories)
    if table.failed:
        sys.exit(f"tokenizers: {', '.join(table.failed)}")


if __name__ == "__main__":
    main()
