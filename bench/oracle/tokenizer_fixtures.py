"""Tokenizers of every kind that probes/tokenizer reads, made with the Hugging Face `tokenizers` library.

Run as a program it writes the fixtures of tests/probes/tokenizer/data:

    python bench/oracle/tokenizer_fixtures.py

tokenizer_parity.py takes the same kinds with larger vocabularies.
"""

import json
import pathlib
import platform
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "probes" / "tokenizer" / "data"

CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+|[\p{Han}]+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

UNICODE_SPACES = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def added(content, **flags):
    token = dict(content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    token.update(flags)
    return token


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return dict(type="Split", pattern={kind: pattern}, behavior=behavior, invert=invert)


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def byte_level(add_prefix_space=False, use_regex=True):
    return dict(type="ByteLevel", add_prefix_space=add_prefix_space, trim_offsets=True, use_regex=use_regex)


def template(*tokens_before, after=()):
    """`$A` between special tokens; ids are filled in once the vocabulary is known."""
    single = [{"SpecialToken": {"id": t, "type_id": 0}} for t in tokens_before]
    single.append({"Sequence": {"id": "A", "type_id": 0}})
    single += [{"SpecialToken": {"id": t, "type_id": 0}} for t in after]
    pair = single + [{"Sequence": {"id": "B", "type_id": 1}}]
    names = list(tokens_before) + list(after)
    return dict(type="TemplateProcessing", single=single, pair=pair, special_tokens={t: None for t in names})


LLAMA_DECODER = sequence(
    "decoders",
    dict(type="Replace", pattern=dict(String="▁"), content=" "),
    dict(type="ByteFallback"),
    dict(type="Fuse"),
    dict(type="Strip", content=" ", start=1, stop=0),
)
METASPACE = dict(type="Metaspace", replacement="▁", prepend_scheme="first", split=True)

# Every kind: components as they stand in tokenizer.json, flags of the model, added tokens, and how its
# vocabulary is trained ("byte_level" starts from the 256 bytes; "bytes" adds <0x00>…<0xFF>).
KINDS = {
    "gpt2": dict(pre_tokenizer=byte_level(), post_processor=byte_level(True), decoder=byte_level(True),
                 added=[added("<|endoftext|>")]),
    "neox": dict(normalizer=dict(type="NFC"), pre_tokenizer=byte_level(), decoder=byte_level(True),
                 added=[added("<|endoftext|>"), added("<|padding|>")]
                 + [added(" " * n, normalized=True, special=False) for n in range(24, 1, -1)]
                 + [added("\t\t", special=False), added("Ame\u0301lie", normalized=True, special=False),
                    added("\u212b", normalized=True, special=False)]),
    "llama3": dict(pre_tokenizer=sequence("pretokenizers", split(CL100K % r"\p{N}{1,3}"), byte_level(use_regex=False)),
                   post_processor=sequence("processors", byte_level(True), template("<|begin_of_text|>")),
                   decoder=byte_level(True), model=dict(ignore_merges=True), merge_pairs=True,
                   added=[added("<|begin_of_text|>"), added("<|end_of_text|>"), added("<|eot_id|>")]),
    "qwen": dict(normalizer=dict(type="NFC"),
                 pre_tokenizer=sequence("pretokenizers", split(CL100K % r"\p{N}"), byte_level(use_regex=False)),
                 post_processor=byte_level(use_regex=False), decoder=byte_level(use_regex=False),
                 added=[added("<|endoftext|>"), added("<|im_start|>"), added("<|im_end|>"),
                        added("<tool_call>", special=False)]),
    "smollm2": dict(pre_tokenizer=sequence("pretokenizers", dict(type="Digits", individual_digits=True), byte_level()),
                    decoder=byte_level(True), added=[added("<|endoftext|>"), added("<|im_start|>")]),
    "llama2": dict(normalizer=sequence("normalizers", dict(type="Prepend", prepend="▁"),
                                       dict(type="Replace", pattern=dict(String=" "), content="▁")),
                   post_processor=template("<s>"), decoder=LLAMA_DECODER, bytes=True,
                   model=dict(byte_fallback=True, fuse_unk=True, unk_token="<unk>"),
                   added=[added("<unk>"), added("<s>"), added("</s>")]),
    "gemma": dict(normalizer=dict(type="Replace", pattern=dict(String=" "), content="▁"),
                  pre_tokenizer=split(" ", "MergedWithPrevious", kind="String"),
                  post_processor=template("<bos>"), decoder=sequence("decoders", *LLAMA_DECODER["decoders"][:3]),
                  bytes=True, model=dict(byte_fallback=True, fuse_unk=True, unk_token="<unk>"),
                  added=[added("<unk>"), added("<bos>"), added("\n\n", special=False), added("▁▁", special=False)]),
    "metaspace": dict(pre_tokenizer=METASPACE, post_processor=template("<s>", after=("</s>",)), decoder=METASPACE,
                      model=dict(unk_token="<unk>", fuse_unk=True),
                      added=[added("<unk>"), added("<s>"), added("</s>")]),
    "metaspace_legacy": dict(pre_tokenizer=dict(type="Metaspace", replacement="_", add_prefix_space=False,
                                               prepend_scheme="never"),
                             decoder=dict(type="Metaspace", replacement="_", prepend_scheme="never", split=False),
                             model=dict(unk_token="<unk>"), added=[added("<unk>")]),
    "falcon": dict(pre_tokenizer=sequence("pretokenizers", dict(type="Punctuation", behavior="Contiguous"),
                                          byte_level(), dict(type="Digits", individual_digits=False),
                                          split("[0-9][0-9][0-9]")),
                   decoder=byte_level(True), added=[added("<|endoftext|>"), added(">>QUESTION<<")]),
    "bloom": dict(pre_tokenizer=sequence("pretokenizers", split(BLOOM), byte_level(use_regex=False)),
                  decoder=byte_level(), added=[added("<s>"), added("</s>")]),
    "o200k": dict(pre_tokenizer=sequence("pretokenizers", split(O200K, "Removed", True), byte_level(use_regex=False)),
                  decoder=byte_level(), added=[added("<|endoftext|>")]),
    "deepseek": dict(pre_tokenizer=sequence(
        "pretokenizers", split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"),
        dict(type="Digits", individual_digits=True), byte_level(use_regex=False)),
        post_processor=template("<｜begin▁of▁sentence｜>"), decoder=byte_level(True),
        added=[added("<｜begin▁of▁sentence｜>"), added("<｜end▁of▁sentence｜>", normalized=True)]),
    "roberta": dict(pre_tokenizer=byte_level(True),
                    post_processor=dict(type="RobertaProcessing", sep=["</s>", 2], cls=["<s>", 0], trim_offsets=True,
                                        add_prefix_space=True),
                    decoder=byte_level(True), end_of_word_suffix="",
                    added=[added("<s>"), added("<pad>"), added("</s>"), added("<mask>", lstrip=True, normalized=True),
                           added("word", single_word=True, special=False), added("<r>", rstrip=True),
                           added(" x", special=False)]),
    "affixes": dict(normalizer=sequence("normalizers", dict(type="NFKD"), dict(type="Lowercase"),
                                        dict(type="Strip", strip_left=True, strip_right=True),
                                        dict(type="Replace", pattern=dict(Regex=r"\d+"), content="0")),
                    pre_tokenizer=dict(type="Whitespace"), decoder=None, model=dict(unk_token="<unk>"),
                    prefix="##", suffix="</w>", added=[added("<unk>"), added("HELLO", normalized=True, special=False)]),
    "words": dict(normalizer=dict(type="NFKC"),
                  pre_tokenizer=sequence("pretokenizers", dict(type="WhitespaceSplit"),
                                         dict(type="Punctuation", behavior="MergedWithPrevious"),
                                         split("[aeiou]+", "MergedWithNext"), split(r"q\B|\bz", "Removed")),
                  decoder=dict(type="Fuse"), model=dict(unk_token="<unk>", fuse_unk=False), added=[added("<unk>")]),
    "plain": dict(normalizer=dict(type="NFD"), decoder=dict(type="Fuse"), added=[added("<unk>")],
                  model=dict(unk_token=None)),
    "demo": dict(pre_tokenizer=byte_level(), decoder=byte_level(), model=dict(ignore_merges=True), untrained=True,
                 post_processor=template("<s>"), added=[added("<pad>"), added("<s>"), added("</s>")]),
}

DEMO_WORDS = "the every actually is a fox owl robin stone river sings swims falls glows sleeps . apple copper".split()


def byte_alphabet():
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def is_byte_level(spec):
    return "ByteLevel" in json.dumps(spec.get("pre_tokenizer"))


def blank(spec, vocabulary, merges):
    """The file without added tokens and template ids."""
    model = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=spec.get("prefix"),
                 end_of_word_suffix=spec.get("suffix"), fuse_unk=False, byte_fallback=False, ignore_merges=False)
    model.update(spec.get("model", {}))
    model.update(vocab=vocabulary, merges=merges)
    return dict(version="1.0", truncation=None, padding=None, added_tokens=[], normalizer=spec.get("normalizer"),
                pre_tokenizer=spec.get("pre_tokenizer"), post_processor=None, decoder=spec.get("decoder"), model=model)


def trained_vocabulary(spec, texts, size):
    reserved = [t["content"] for t in spec["added"] if t["special"]]
    if spec.get("bytes"):
        reserved += ["<0x%02X>" % b for b in range(256)]
    start = blank(spec, {"<seed>": 0}, [])
    start["model"]["unk_token"] = None
    start["model"]["ignore_merges"] = False
    tokenizer = Tokenizer.from_str(json.dumps(start))
    options = dict(vocab_size=size, special_tokens=reserved, show_progress=False, min_frequency=2, max_token_length=40)
    if is_byte_level(spec):
        options["initial_alphabet"] = byte_alphabet()
    else:
        options["limit_alphabet"] = 160
    if spec.get("prefix"):
        options["continuing_subword_prefix"] = spec["prefix"]
    if spec.get("suffix"):
        options["end_of_word_suffix"] = spec["suffix"]
    trainer = trainers.BpeTrainer(**options)
    # A kind without a pre-tokenizer would learn whole sentences: train it on words.
    if not spec.get("pre_tokenizer") or spec["pre_tokenizer"].get("type") == "Split":
        texts = [w for t in texts for w in t.split(" ") if w]
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], model["merges"]


def demo_vocabulary(spec):
    tokens = [t["content"] for t in spec["added"]] + byte_alphabet()
    tokens += ["Ġ" + w for w in DEMO_WORDS] + [w for w in DEMO_WORDS if len(w) > 1]
    return {t: i for i, t in enumerate(tokens)}, []


def build(spec, texts, size):
    """The tokenizer.json of one of KINDS, as a dictionary."""
    vocabulary, merges = demo_vocabulary(spec) if spec.get("untrained") else trained_vocabulary(spec, texts, size)
    if not spec.get("merge_pairs") and all(" " not in t for pair in merges for t in pair):
        merges = [" ".join(pair) for pair in merges]
    file = blank(spec, vocabulary, merges)
    next_id = len(vocabulary)
    for token in spec["added"]:
        if token["content"] in vocabulary:
            identifier = vocabulary[token["content"]]
        else:
            identifier, next_id = next_id, next_id + 1
        file["added_tokens"].append(dict(id=identifier, **token))
    ids = {t["content"]: t["id"] for t in file["added_tokens"]}
    file["post_processor"] = fill_template(spec.get("post_processor"), ids)
    Tokenizer.from_str(json.dumps(file))  # It must be a file that the library reads.
    return file


def fill_template(processor, ids):
    if processor is None:
        return None
    processor = json.loads(json.dumps(processor))
    for step in processor.get("processors", [processor]):
        for token in step.get("special_tokens", {}):
            step["special_tokens"][token] = dict(id=token, ids=[ids[token]], tokens=[token])
    return processor


def texts_for_tests():
    """Short texts, each after something that goes wrong easily."""
    return [
        "",
        " ",
        "   ",
        "Hello world",
        " Hello  world ",
        "the fox sings. every stone falls .",
        "I'm sure they'll've said it's WE'RE 'S 'ſ 'T don't'd",
        "1234567 3.14159 1,000,000 v2.0.1 ٣٤٥ ⅫⅠ ½ ² x1y22z333",
        "\n\n\nline one\r\nline two\r\rthree\n \n  four\n",
        "\t\ttabs\tand  two   three    four     blanks" + " " * 25 + "end   ",
        "".join("a" + s + s + "b" for s in UNICODE_SPACES) + UNICODE_SPACES,
        UNICODE_SPACES + "x" + UNICODE_SPACES,
        "\u180e\u200b\ufeff\u00ad\u2060zero\u200bwidth\u180e x \u180e",
        "\x00\x01\x02\x07\x08\x1b[0m\x7f\x80\x9f\x84 control",
        "def f(x):\n    if x == 0:  # comment\n        return {'a': [1, 2]}\n\treturn x**2 != ~y & 0xFF\n",
        "#include <vector>\nint main() { std::vector<int> v{1,2,3}; return v[0] <= 2 ? 0 : -1; }",
        "价格是１２３元。今天天气很好,我们去公园吧!《红楼梦》",
        "東京タワーは高い。ｶﾀｶﾅとひらがな、漢字。",
        "한국어 텍스트입니다. \u1112\u1161\u11ab\u1100\u1173\u11af",
        "Привет, мир! Ελληνικά ΣΊΣΥΦΟΣ ñandú İstanbul ẞ straße ﬁn",
        "العربية: مرحبا بالعالم، كيف حالك؟ עברית שלום",
        "हिन्दी में नमस्ते क्षत्रिय। ภาษาไทยไม่มีช่องว่าง",
        "e\u0301 é a\u0308\u0323 ạ̈ q\u0307\u0323 \u0301lone A\u030a Å \u212b \u1e9b\u0323",
        "Ame\u0301lie Amélie  Ame\u0301lie",
        "👩‍👩‍👧‍👦 👍🏽 🇩🇪🇫🇷 ☺️ 🏴\U000e0067\U000e0062\U000e007f 😀😀😀 1️⃣",
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚 ① ⓐ ﷺ ™ ½ ﬃ",
        "<|endoftext|>text<|endoftext|> <|im_start|>user\nhi<|im_end|>\n<|begin_of_text|>",
        "<s>one</s><s> two </s> <unk> <pad><bos>x<eos>",
        "  <mask> and<mask>,  <mask>   <r>   x <r> x<r>",
        "word words sword word, a word.wordy word_ wordé word",
        "<｜begin▁of▁sentence｜>a<｜end▁of▁sentence｜>b ▁▁▁ c _d_ __e__",
        "hello HELLO HeLLo ＨＥＬＬＯ \n HELLO",
        ">>QUESTION<<what?! (really...) «quoted» —dash– $5 + 5 = 10 ^ ` | ~ ‽ ⸮",
        "https://example.org/path?q=1&r=%20#frag user@example.org C:\\dir\\file",
        "a" * 300 + " " + "ab" * 150,
        " " * 200 + "x" + "\n" * 50 + "!" * 100,
        "The quick brown fox jumps over the lazy dog. " * 3,
        "\ud7a3\uac00\ue000\U000f0000\ufffd\ufffe\uffff",
        "ends with blank ",
        "qz quiz zq z q aeiou bcd",
        # Assigned after Unicode 9, whose tables the library normalizes with.
        "a\u1df6\u0316 b\u0301\u0899 \ua7f4 \u32ff \u2de7\u089a x",
    ]


def training_texts(limit=400_000):
    """Texts of the project and generated ones, to train small vocabularies on."""
    texts = texts_for_tests() * 3
    for path in sorted(ROOT.glob("base/*.*")) + sorted(ROOT.glob("records/*.*")):
        texts.append(path.read_text(encoding="utf-8"))
    for block in (range(0x4E00, 0x4E80), range(0x3041, 0x3097), range(0xAC00, 0xAC40), range(0x410, 0x450)):
        texts.append("".join(chr(c) for c in block) * 2)
    kept, size = [], 0
    for text in texts:
        kept.append(text)
        size += len(text)
        if size > limit:
            break
    return kept


def expected_of(file, texts):
    tokenizer = Tokenizer.from_str(json.dumps(file))
    # Version 0.23 decodes such a token to its normalized spelling, earlier ones to the token itself.
    respelled = {t["id"] for t in file["added_tokens"]
                 if tokenizer.decode([t["id"]], skip_special_tokens=False) != t["content"]}
    rows = []
    for text in texts:
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        special = tokenizer.encode(text, add_special_tokens=True).ids
        decoded = tokenizer.decode(plain, skip_special_tokens=False)
        row = dict(ids=plain)
        if special != plain:
            row["special_ids"] = special
        if respelled & set(plain):
            row["decoded"] = None
        elif decoded != text:
            row["decoded"] = decoded
        rows.append(row)
    return rows


def class_ranges():
    """Which of the code points that Unicode 14 assigns the library's regex engine and predicates take."""
    assigned = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) != "Cn"]
    text = "".join(map(chr, assigned))

    place = {c: i for i, c in enumerate(assigned)}

    def ranges(members):
        """Pairs of first and last; unassigned code points between neighbours do not part them."""
        out = []
        for c in members:
            if out and place[c] == place[out[-1][1]] + 1:
                out[-1][1] = c
            else:
                out.append([c, c])
        return out

    exact = []
    for c in assigned:
        if exact and exact[-1][1] == c - 1:
            exact[-1][1] = c
        else:
            exact.append([c, c])
    classes = {"assigned": exact}
    for pattern in [r"\s", r"\w", r"\d", r"\h", r"\p{L}", r"\p{N}", r"\p{P}", r"\p{S}", r"\p{M}", r"\p{Punct}",
                    r"\p{Han}", r"\p{Greek}", r"[[:punct:]]", r"[[:xdigit:]]", r"\W", r"[\w]", r"\p{Uppercase_Letter}", r"\p{Blank}",
                    r"(?i:[sk])", r"[\p{L}&&[^\p{Han}a-z]]", r"[^\W\d_]", r"[^\S\r\n]"]:
        pre = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
        members = sorted({ord(c) for piece, _ in pre.pre_tokenize_str(text) for c in piece})
        classes[pattern] = ranges(members)

    def cut_by(pre):
        return [c for c in assigned if len(pre.pre_tokenize_str("x" + chr(c) + "x")) > 1]

    classes["numeric"] = ranges(cut_by(pre_tokenizers.Digits(individual_digits=True)))
    classes["punctuation"] = ranges(cut_by(pre_tokenizers.Punctuation()))
    joined = set(assigned) - set(cut_by(pre_tokenizers.Whitespace()))
    classes["word"] = ranges(sorted(joined))
    return classes


def main():
    DATA.mkdir(parents=True, exist_ok=True)
    texts = texts_for_tests()
    training = training_texts()
    dump = lambda value: json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"
    (DATA / "texts.json").write_text(json.dumps(texts, ensure_ascii=True, indent=0) + "\n")
    for name in KINDS:
        file = build(KINDS[name], training, size=620 if KINDS[name].get("bytes") else 520)
        directory = DATA / name
        directory.mkdir(exist_ok=True)
        (directory / "tokenizer.json").write_text(
            json.dumps(file, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
        (directory / "expected.json").write_text(dump(expected_of(file, texts)))
        print(f"{name}: {len(file['model']['vocab'])} entries, {len(file['model']['merges'])} merges")
    (DATA / "character_classes.json").write_text(dump(class_ranges()))
    print(f"tokenizers {tokenizers.__version__}, Python {platform.python_version()}, "
          f"Unicode {unicodedata.unidata_version}", file=sys.stderr)


if __name__ == "__main__":
    main()
