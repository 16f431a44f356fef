"""The pipelines of families whose published tokenizers no package carries, for bench/tokenizers to train vocabularies for.

Spelled like KINDS of tokenizer_fixtures.py, whose kinds come first: a family is named by the kind that it shares.
"""

import tokenizer_fixtures as fixtures
import tokenizer_other_forms as other_forms
from tokenizer_fixtures import added, byte_level, sequence, split, template

LLAMA2 = fixtures.KINDS["llama2"]
GPT2 = fixtures.KINDS["gpt2"]
NEOX = fixtures.KINDS["neox"]
BLANKS = [" " * n for n in range(31, 1, -1)] + ["\t" * n for n in range(9, 1, -1)]
TO_METASPACE = dict(type="Replace", pattern=dict(String=" "), content="▁")


def cl100k(digits):
    return sequence("pretokenizers", split(fixtures.CL100K % digits), byte_level(use_regex=False))


FAMILIES = dict(fixtures.KINDS) | {
    "gptj": dict(GPT2, added=GPT2["added"] + [added(f"<|extratoken_{i}|>", special=False) for i in range(1, 9)]),
    "phi": dict(GPT2, added=GPT2["added"] + [added(blank, normalized=True, special=False) for blank in BLANKS]),
    "opt": dict(GPT2, post_processor=template("</s>"), added=[added(t, normalized=True) for t in ("</s>", "<pad>", "<unk>")]),
    "olmo": dict(NEOX, added=[added("|||EMAIL_ADDRESS|||", special=False), added("<|padding|>"), added("<|endoftext|>")]
                 + [added(blank, normalized=True, special=False) for blank in BLANKS[7:30]]),
    "olmo2": dict(pre_tokenizer=cl100k(r"\p{N}{1,3}"), decoder=byte_level(), added=GPT2["added"] + [added("<|pad|>")]),
    "stablelm": dict(NEOX, added=NEOX["added"][:2]),
    "stablelm2": dict(normalizer=dict(type="NFC"), pre_tokenizer=cl100k(r"\p{N}"), decoder=byte_level(),
                      post_processor=byte_level(), added=GPT2["added"] + [added("<|fim_prefix|>"), added("<|reg_extra|>")]),
    "starcoder2": dict(fixtures.KINDS["smollm2"], added=GPT2["added"] + [added("<fim_prefix>"), added("<repo_name>")]),
    "bloom560": dict(fixtures.KINDS["bloom"], added=[added(t) for t in ("<unk>", "<s>", "</s>", "<pad>")]),
    "mistral": dict(LLAMA2, normalizer=None, pre_tokenizer=dict(type="Metaspace", replacement="▁", prepend_scheme="first", split=False)),
    "yi": dict(LLAMA2, normalizer=TO_METASPACE, post_processor=None,
               added=[added("<unk>", normalized=True), added("<|startoftext|>"), added("<|im_start|>")]),
    "phi3": dict(LLAMA2, added=[added("<unk>"), added("<s>"), added("</s>", rstrip=True)]
                 + [added(f"<|{name}|>", rstrip=True) for name in ("endoftext", "user", "assistant", "end")]),
    "qwen3": dict(fixtures.KINDS["qwen"], added=fixtures.KINDS["qwen"]["added"] + [added("<think>", special=False), added("</think>", special=False)]),
    "gemma3": dict(fixtures.KINDS["gemma"], added=fixtures.KINDS["gemma"]["added"] + [added("<start_of_turn>"), added("[multimodal]", special=False)]),
}

SHARED = {"gpt2": "gpt_neo, Cerebras-GPT", "neox": "mpt", "llama2": "mixtral", "gemma": "gemma2"}  # exactly these pipelines

LETTERS = "".join(chr(c) for block in ((0x20, 0x3C), (0x3D, 0x7F), (0xA0, 0x180), (0x391, 0x3CA), (0x410, 0x450)) for c in range(*block)) + "▁—。、"


def in_few_letters(texts):
    """What Unigram models learn from: every character gets an entry, and no special token may be learnt as text."""
    return ["".join(c for c in text if c in LETTERS) for text in texts]


def trained_unigram(texts, size, **options):
    """T5's pipeline."""
    texts = in_few_letters(texts)
    model = other_forms.trained_sentencepiece(texts, "unigram", vocab_size=size // 2, normalization_rule_name="nmt_nfkc")
    charsmap = dict(type="Precompiled", precompiled_charsmap=other_forms.charsmap(model))
    blanks = dict(type="Replace", pattern=dict(Regex=" {2,}"), content="▁")
    return other_forms.unigram(texts, size, normalizer=sequence("normalizers", charsmap, blanks), **options)


def trained_sentencepiece(texts, kind, size):
    return other_forms.trained_sentencepiece(in_few_letters(texts), kind, vocab_size=size, byte_fallback=True)
