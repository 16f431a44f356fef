"""Writes the safetensors fixtures of tests/probes/checkpoint/data and asks the reference reader about each.

Run with a Python that has torch, transformers and safetensors:
    python bench/oracle/safetensors_fixtures.py

good/<case>/model.safetensors      the reference accepts it, and so must we
bad/<reason>/model.safetensors     the reference refuses it, and so must we
stricter/<reason>/model.safetensors  the reference accepts it, we refuse it, on purpose
directories/<case>/                whole model directories, by transformers and by hand
trainer/checkpoint-4/              saved by the transformers Trainer
expected.json                      what the reference said, and which files look truncated
"""

import json
import shutil
import struct
import sys
from pathlib import Path

import numpy
import safetensors
import torch
import transformers
from safetensors import safe_open
from safetensors.numpy import save_file
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

DATA = Path(__file__).resolve().parents[2] / "tests/probes/checkpoint/data"


def file_of(header, data=b"", pad=True, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    if pad:
        text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


F32x2 = tensor("F32", [2], 0, 8)
EIGHT = bytes(range(8))


def good_files():
    yield "empty", file_of({})
    yield "scalar", file_of({"a": tensor("F32", [], 0, 4)}, EIGHT[:4])
    yield "zero_sized_dimension", file_of(
        {"a": tensor("F32", [0, 3], 0, 0), "b": F32x2, "c": tensor("I64", [2, 0], 8, 8)}, EIGHT)
    yield "unaligned_without_padding", file_of({"ab": F32x2}, EIGHT, pad=False)
    yield "order_of_names_differs_from_data", file_of(
        {"z": tensor("U8", [4], 0, 4), "a": tensor("U8", [4], 4, 8)}, EIGHT)
    yield "metadata", file_of({"__metadata__": {"format": "pt"}, "a": F32x2}, EIGHT)
    yield "metadata_null", file_of({"__metadata__": None, "a": F32x2}, EIGHT)
    yield "empty_name", file_of({"": F32x2}, EIGHT)
    yield "unicode_name", file_of({"шар ключ 漢": F32x2}, EIGHT)
    yield "unknown_field", file_of({"a": {**F32x2, "note": [1, {"x": [None, True, -1.5, "s"]}], "n": 3}}, EIGHT)
    yield "sub_byte", file_of({"a": tensor("F4", [4], 0, 2), "b": tensor("F6_E2M3", [4], 2, 5)}, EIGHT[:5])
    sizes = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1,
             "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "C64": 8, "F64": 8, "I64": 8, "U64": 8}
    header, at = {}, 0
    for dtype, size in sizes.items():
        header[dtype.lower()] = tensor(dtype, [3], at, at + 3 * size)
        at += 3 * size
    yield "every_dtype", file_of(header, bytes(i % 251 for i in range(at)))


def bad_files():
    valid = file_of({"a": F32x2}, EIGHT)
    yield "no_bytes", b"", "truncated"
    yield "seven_bytes", valid[:7], "truncated"
    yield "header_length_zero", b"\0" * 64, "truncated"
    yield "header_still_zeros", valid[:8] + b"\0" * (len(valid) - 8), "truncated"
    yield "header_cut", valid[:30], "truncated"
    yield "data_cut", valid[:-1], "truncated"
    yield "data_missing", valid[:-8], "truncated"
    yield "data_left_over", valid + b"\0", ""
    yield "header_length_huge", struct.pack("<Q", 2**63) + valid[8:], ""
    yield "header_length_over_limit", struct.pack("<Q", 100_000_001) + valid[8:], ""
    yield "header_is_array", file_of(b"[]"), ""
    yield "header_is_string", file_of(b'"abcdef"'), ""
    yield "header_begins_with_bom", file_of(b'\xef\xbb\xbf{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', EIGHT), ""
    yield "header_not_json", file_of(b"{a:1}"), ""
    yield "header_not_utf8", file_of(b'{"\xff\xfe":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', EIGHT), ""
    yield "header_followed_by_text", file_of(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}x', EIGHT), ""
    yield "header_followed_by_nul_and_text", file_of(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}\0PK', EIGHT, pad=False), ""
    yield "header_with_nan", file_of(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}', EIGHT), ""
    yield "lone_surrogate", file_of(b'{"\\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', EIGHT), ""
    yield "overlap", file_of({"a": tensor("U8", [6], 0, 6), "b": tensor("U8", [4], 4, 8)}, EIGHT), ""
    yield "same_data_twice", file_of({"a": F32x2, "b": F32x2}, EIGHT), ""
    yield "hole", file_of({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [4], 4, 8)}, EIGHT), ""
    yield "hole_at_start", file_of({"a": tensor("U8", [4], 4, 8)}, EIGHT), ""
    yield "ends_before_it_begins", file_of({"a": tensor("U8", [4], 8, 4)}, EIGHT), ""
    yield "size_disagrees_with_shape", file_of({"a": tensor("F32", [3], 0, 8)}, EIGHT), ""
    yield "shape_overflows", file_of({"a": tensor("F32", [2**40, 2**40], 0, 8)}, EIGHT), ""
    yield "shape_overflows_to_the_right_size", file_of({"a": tensor("U8", [2**33, 2**31 + 1, 8], 0, 8)}, EIGHT), ""
    yield "bits_overflow", file_of({"a": tensor("F64", [2**61], 0, 8)}, EIGHT), ""
    yield "negative_dimension", file_of({"a": tensor("U8", [-8], 0, 8)}, EIGHT), ""
    yield "minus_zero_dimension", file_of(b'{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}'), ""
    yield "fractional_dimension", file_of({"a": tensor("U8", [8.0], 0, 8)}, EIGHT), ""
    yield "dimension_is_text", file_of({"a": tensor("U8", ["8"], 0, 8)}, EIGHT), ""
    yield "dimension_beyond_64_bits", file_of({"a": tensor("U8", [2**64], 0, 8)}, EIGHT), ""
    yield "shape_is_number", file_of({"a": tensor("U8", 8, 0, 8)}, EIGHT), ""
    yield "three_offsets", file_of({"a": {**F32x2, "data_offsets": [0, 4, 8]}}, EIGHT), ""
    yield "one_offset", file_of({"a": {**F32x2, "data_offsets": [8]}}, EIGHT), ""
    yield "unknown_dtype", file_of({"a": tensor("F31", [2], 0, 8)}, EIGHT), ""
    yield "dtype_in_lower_case", file_of({"a": tensor("f32", [2], 0, 8)}, EIGHT), ""
    yield "dtype_missing", file_of({"a": {"shape": [2], "data_offsets": [0, 8]}}, EIGHT), ""
    yield "shape_missing", file_of({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, EIGHT), ""
    yield "offsets_missing", file_of({"a": {"dtype": "F32", "shape": [2]}}, EIGHT), ""
    yield "tensor_is_null", file_of({"a": None}), ""
    yield "duplicate_field", file_of(b'{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', EIGHT), ""
    yield "metadata_with_number", file_of({"__metadata__": {"step": 3}, "a": F32x2}, EIGHT), ""
    yield "metadata_twice", file_of(b'{"__metadata__":{},"__metadata__":{},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', EIGHT), ""
    yield "sub_byte_not_whole", file_of({"a": tensor("F4", [3], 0, 2)}, EIGHT[:2]), ""
    yield "zip_archive", b"PK\x03\x04" + bytes(60), ""
    yield "pickle", b"\x80\x02}q\0." + bytes(60), ""
    yield "git_lfs_pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 8\n", ""


def stricter_files():
    one = b'{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
    yield "duplicate_tensor", file_of(b'{"a":' + one + b',"a":' + one + b"}", EIGHT)
    yield "duplicate_metadata_key", file_of(b'{"__metadata__":{"k":"1","k":"2"},"a":' + one + b"}", EIGHT)
    yield "header_begins_with_space", file_of(b' {"a":' + one + b"}", EIGHT)
    yield "tensor_as_array", file_of(b'{"a":["F32",[2],[0,8]]}', EIGHT)
    yield "deep_unknown_field", file_of(
        b'{"a":{"x":' + b"[" * 60 + b"]" * 60 + b',"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', EIGHT)


def reference_verdict(path):
    try:
        with safe_open(path, framework="numpy") as opened:
            list(opened.keys())
        return {"accepts": True}
    except Exception as error:  # the reference has no narrower common class
        return {"accepts": False, "error": str(error)[:200]}


def write_case(group, name, content):
    path = DATA / group / name / "model.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def write_files():
    expected = {"safetensors": safetensors.__version__, "cases": []}

    def record(group, name, path, want, truncated=False):
        verdict = reference_verdict(path)
        if verdict["accepts"] != want:
            sys.exit(f"{group}/{name}: the reference {'accepts' if verdict['accepts'] else 'refuses'} it: {verdict}")
        expected["cases"].append({"group": group, "name": name, "truncated": truncated, "reference": verdict})

    for name, content in good_files():
        record("good", name, write_case("good", name, content), True)
    path = DATA / "good/by_the_library/model.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"b": numpy.arange(6, dtype=numpy.float32).reshape(2, 3), "a": numpy.arange(3, dtype=numpy.int64),
               "h": numpy.arange(5, dtype=numpy.float16)}, path, metadata={"format": "pt"})
    record("good", "by_the_library", path, True)
    for name, content, truncated in bad_files():
        record("bad", name, write_case("bad", name, content), False, bool(truncated))
    for name, content in stricter_files():
        record("stricter", name, write_case("stricter", name, content), True)
    (DATA / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def index_directory(name, weight_map, **shards):
    directory = DATA / "directories" / name
    directory.mkdir(parents=True)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    for shard, content in shards.items():
        (directory / f"{shard}.safetensors").write_bytes(content)


def write_hand_made_directories():
    a, b = file_of({"a": F32x2}, EIGHT), file_of({"b": F32x2}, EIGHT[::-1])
    index_directory("shard_missing", {"a": "one.safetensors", "b": "two.safetensors"}, one=a)
    index_directory("shard_truncated", {"a": "one.safetensors", "b": "two.safetensors"}, one=a, two=b[:-1])
    index_directory("shard_outside", {"a": "one.safetensors", "b": "../escape.safetensors"}, one=a)
    index_directory("shard_absolute", {"a": "/etc/model.safetensors"}, one=a)
    index_directory("shard_lacks_tensor", {"a": "one.safetensors", "b": "one.safetensors"}, one=a)
    index_directory("shard_not_text", {"a": 7}, one=a)
    index_directory("weight_map_empty", {}, one=a)
    for name, text in {"index_truncated": '{"weight_map": {"a": "one.sa', "index_without_map": '{"metadata": {}}'}.items():
        directory = DATA / "directories" / name
        directory.mkdir(parents=True)
        (directory / "model.safetensors.index.json").write_text(text)
    for name, files in {
        "adapter_only": ["adapter_model.safetensors", "adapter_config.json"],
        "pytorch_bin_sharded": ["pytorch_model-00001-of-00002.bin"],
        "orbax": ["_CHECKPOINT_METADATA", "manifest.ocdbt"],
        "flax": ["flax_model.msgpack"],
        "shards_without_index": ["model-00001-of-00002.safetensors"],
    }.items():
        for file in files:
            path = DATA / "directories" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(a if file.endswith(".safetensors") else b"{}")


class RandomTokens(torch.utils.data.Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        tokens = torch.randint(0, 64, (16,))
        return {"input_ids": tokens, "labels": tokens}


def write_real_directories():
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                         num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=32,
                         tie_word_embeddings=False)
    model = LlamaForCausalLM(config)
    model.save_pretrained(DATA / "directories/llama_single")
    model.save_pretrained(DATA / "directories/llama_sharded", max_shard_size="12KB")
    facts = {"transformers": transformers.__version__, "parameters": sum(p.numel() for p in model.parameters()),
             "tensors": {n: {"shape": list(t.shape), "sum": float(t.double().sum())} for n, t in model.state_dict().items()}}
    arguments = TrainingArguments(output_dir=str(DATA / "trainer"), max_steps=4, save_steps=2,
                                  per_device_train_batch_size=2, gradient_accumulation_steps=2, logging_steps=1,
                                  report_to=[], use_cpu=True, include_num_input_tokens_seen="all", save_only_model=True)
    Trainer(model=model, args=arguments, train_dataset=RandomTokens()).train()
    shutil.rmtree(DATA / "trainer/checkpoint-2")
    (DATA / "trainer/checkpoint-4/training_args.bin").unlink()
    state = json.loads((DATA / "trainer/checkpoint-4/trainer_state.json").read_text())
    facts["tokens"] = state["num_input_tokens_seen"]
    (DATA / "llama.json").write_text(json.dumps(facts, indent=1) + "\n")


def main():
    for path in DATA.glob("*"):
        if path.name != "README.md":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_files()
    write_hand_made_directories()
    write_real_directories()
    for path in DATA.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


if __name__ == "__main__":
    main()
