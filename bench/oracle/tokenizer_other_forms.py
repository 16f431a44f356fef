"""Tokenizers that are no BPE in a tokenizer.json: Unigram models, vocab.json with merges.txt, and SentencePiece's own file.

    python bench/oracle/tokenizer_other_forms.py     (needs tokenizers, transformers and sentencepiece)

Writes their fixtures into tests/probes/tokenizer/data, beside those of tokenizer_fixtures.py and on the same texts. The
reference of a Unigram model is `tokenizers`, of vocab.json and merges.txt transformers' AutoTokenizer, of
tokenizer.model the SentencePiece library; there control tokens are cut out of the text first, as transformers does.
"""

import base64
import json
import pathlib
import re
import sys
import tempfile

import sentencepiece
import tokenizers
import tokenizer_fixtures as fixtures
import transformers
from tokenizers import Tokenizer, trainers

# Replacements of one character and of several, to nothing, and of a grapheme of two characters.
RULES = ["ﬁ\tfi", "½\t1/2", "A\ta", "\u200b\t", "e\u0301\té", "a\u0308\u0323\tX", "１\t1", "\u00a0\t ", "🇩\tD"]


def characters(text):
    return " ".join(f"{ord(c):X}" for c in text)


def trained_sentencepiece(texts, kind, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "texts").write_text("\n".join(t for text in texts for t in text.splitlines()), encoding="utf-8")
        if "rules" in options:
            rules = [f"{characters(a)}\t{characters(b)}" for a, b in (r.split("\t") for r in options.pop("rules"))]
            (path / "rules").write_text("\n".join(rules) + "\n")
            options["normalization_rule_tsv"] = str(path / "rules")
        sentencepiece.SentencePieceTrainer.train(
            input=str(path / "texts"), model_prefix=str(path / "m"), model_type=kind, character_coverage=0.98,
            minloglevel=2, num_threads=1, **options)
        return (path / "m.model").read_bytes()


def charsmap(model):
    """The field of ModelProto.normalizer_spec; found by parsing, not by guessing."""
    from transformers.convert_slow_tokenizer import import_protobuf
    proto = import_protobuf().ModelProto()
    proto.ParseFromString(model)
    return base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()


def unigram(texts, size, normalizer=None, byte_fallback=False):
    metaspace = dict(fixtures.METASPACE, prepend_scheme="always")
    file = dict(version="1.0", truncation=None, padding=None, added_tokens=[], normalizer=normalizer,
                pre_tokenizer=metaspace, post_processor=None, decoder=metaspace,
                model=dict(type="Unigram", unk_id=0, vocab=[["<unk>", 0.0]], byte_fallback=byte_fallback))
    tokenizer = Tokenizer.from_str(json.dumps(file))
    trainer = trainers.UnigramTrainer(vocab_size=size, unk_token="<unk>", special_tokens=["<unk>", "<s>", "</s>"],
                                      show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    model["byte_fallback"] = byte_fallback
    if byte_fallback:
        model["vocab"] += [[f"<0x{b:02X}>", -30.0] for b in range(256)]
    file["model"] = model
    file["added_tokens"] = [dict(id=i, **fixtures.added(t)) for i, t in enumerate(["<unk>", "<s>", "</s>"])]
    processor = fixtures.template(after=("</s>",))
    file["post_processor"] = fixtures.fill_template(processor, {"</s>": 2})
    return file


def write(name, files, rows):
    directory = fixtures.DATA / name
    directory.mkdir(exist_ok=True)
    for file, content in files.items():
        (directory / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    (directory / "expected.json").write_text(json.dumps(rows, separators=(",", ":")) + "\n")
    print(name, {k: len(v) for k, v in files.items()})


def as_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def words_of(kind, texts, config):
    """The kind as vocab.json and merges.txt, and what AutoTokenizer makes of them."""
    file = fixtures.build(fixtures.KINDS[kind], texts, 520)
    vocabulary = file["model"]["vocab"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in file["model"]["merges"]]
    config = dict(config, added_tokens_decoder={
        str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in file["added_tokens"]})
    files = {"vocab.json": as_json(vocabulary), "merges.txt": "#version: 0.2\n" + "\n".join(merges) + "\n",
             "tokenizer_config.json": as_json(config)}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (pathlib.Path(folder) / name).write_text(content, encoding="utf-8")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in fixtures.texts_for_tests():
        plain = tokenizer(text, add_special_tokens=False)["input_ids"]
        special = tokenizer(text)["input_ids"]
        row = dict(ids=plain)
        if special != plain:
            row["special_ids"] = special
        decoded = tokenizer.decode(plain, clean_up_tokenization_spaces=False)
        if decoded != text:
            row["decoded"] = decoded
        rows.append(row)
    return files, rows


def sentencepiece_rows(model, kind):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    control = {processor.id_to_piece(i): i for i in range(processor.get_piece_size()) if processor.is_control(i)}
    pattern = re.compile("(" + "|".join(map(re.escape, sorted(control, key=len, reverse=True))) + ")")
    rows = []
    for text in fixtures.texts_for_tests():
        ids, decoded = [], ""
        for part in pattern.split(text):
            if part in control:
                ids.append(control[part])
                decoded += part
            elif part:
                pieces = processor.encode(part)
                ids += pieces
                decoded += processor.decode(pieces)
        # Of many cuts with almost the same score versions 0.1.97 and 0.2.3 of the library choose different ones.
        if kind == "unigram" and re.search(r"(.{1,2})\1{60,}", text):
            rows.append(None)
            continue
        row = dict(ids=ids, special_ids=[processor.bos_id()] + ids)
        if decoded != text:
            row["decoded"] = decoded
        rows.append(row)
    return rows


def main():
    # A Unigram vocabulary holds every character that it was trained on: letters of few scripts.
    texts = ["".join(c for c in text if c < "\u0180" or c in "γ▁—") for text in fixtures.training_texts()]
    rules = trained_sentencepiece(texts, "unigram", vocab_size=500, rules=RULES)
    precompiled = dict(type="Precompiled", precompiled_charsmap=charsmap(rules))
    tests = fixtures.texts_for_tests()
    for name, file in {"unigram": unigram(texts, 420),
                       "unigram_bytes": unigram(texts, 300, byte_fallback=True),
                       "unigram_precompiled": unigram(texts, 300, normalizer=precompiled)}.items():
        write(name, {"tokenizer.json": as_json(file)}, fixtures.expected_of(file, tests))
    end = dict(bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>")
    write("gpt2_words", *words_of("gpt2", texts, dict(end, tokenizer_class="GPT2Tokenizer")))
    write("opt_words", *words_of("gpt2", texts, dict(end, tokenizer_class="GPT2Tokenizer", add_bos_token=True)))
    qwen = dict(tokenizer_class="Qwen2Tokenizer", bos_token=None, eos_token="<|endoftext|>", unk_token=None)
    write("qwen_words", *words_of("qwen", texts, qwen))
    for kind, rules in {"bpe": dict(normalization_rule_name="identity"), "unigram": dict(rules=RULES)}.items():
        model = trained_sentencepiece(texts, kind, vocab_size=800, byte_fallback=True, **rules)
        write(f"sentencepiece_{kind}", {"tokenizer.model": model}, sentencepiece_rows(model, kind))
    print(f"tokenizers {tokenizers.__version__}, transformers {transformers.__version__}, "
          f"sentencepiece {sentencepiece.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
