#!/usr/bin/env python3
"""Writes the torch.save fixtures of tests/probes/checkpoint with torch itself (2.11.0) and what torch loads from them.

  torch_fixtures.py tests/probes/checkpoint/data/torch

expected.json: {"cases": [{"name", "tensors": {name: {"dtype", "shape", "bytes" (hex, row-major)}}}]}; a case is a directory.
"""
import collections, json, pathlib, shutil, sys
import torch

SPELLING = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
            torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
            torch.complex64: "C64", torch.float8_e4m3fn: "F8_E4M3", torch.uint16: "U16"}


def described(tensor):
    flat = tensor.detach().cpu().contiguous().clone()
    raw = flat.reshape(-1).view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    return {"dtype": SPELLING[tensor.dtype], "shape": list(tensor.shape), "bytes": raw.hex()}


def flattened(mapping, prefix=""):
    found = {}
    for key, value in mapping.items():
        if isinstance(value, torch.Tensor):
            found[prefix + key] = described(value)
        elif isinstance(value, dict):
            found |= flattened(value, prefix + key + ".")
    return found


def every_kind():
    torch.manual_seed(1)
    base = torch.randn(6, 8)
    state = collections.OrderedDict()
    state["plain"] = torch.randn(3, 5)
    state["transposed"] = base.t()
    state["every_other"] = base[::2, 1::3]
    state["first_rows"] = base[:2]
    state["tied_a"] = state["tied_b"] = torch.randn(4, 4)
    state["scalar"] = torch.tensor(2.5)
    state["empty"] = torch.empty(0, 7)
    state["parameter"] = torch.nn.Parameter(torch.randn(2, 2))
    state["permuted"] = torch.randn(2, 3, 4).permute(2, 0, 1)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        state["of_" + str(dtype)[6:]] = torch.randn(3, 2).to(dtype)
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        state["of_" + str(dtype)[6:]] = torch.arange(7).to(dtype)
    state["of_bool"] = torch.tensor([True, False, True])
    return state


def main(out):
    out = pathlib.Path(out)
    shutil.rmtree(out, ignore_errors=True)
    cases = []

    def case(name, state, write):
        folder = out / name
        folder.mkdir(parents=True)
        write(folder, state)
        cases.append({"name": name, "tensors": flattened(state)})

    single = lambda **options: lambda folder, state: torch.save(state, folder / "pytorch_model.bin", **options)
    case("zip", every_kind(), single())
    case("zip_new_types", every_kind() | {"of_float8": torch.randn(4).to(torch.float8_e4m3fn), "of_uint16": torch.arange(3).to(torch.uint16)}, single())
    case("zip_protocol_4", every_kind(), single(pickle_protocol=4))
    case("legacy", every_kind(), single(_use_new_zipfile_serialization=False))
    case("nested", {"a": {"b": torch.arange(3.0), "c": {"d": torch.ones(2)}}, "e": torch.zeros(1), "note": "text", "n": 3}, single())
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
    case("module", module.state_dict(), single())  # an OrderedDict with _metadata
    whole = torch.arange(24.0)
    case("views_of_one_storage", {f"part{i}": whole[i * 6:(i + 1) * 6].view(2, 3) for i in range(4)}, single())

    def sharded(folder, state):
        names = list(state)
        shards = {"pytorch_model-00001-of-00002.bin": names[::2], "pytorch_model-00002-of-00002.bin": names[1::2]}
        for file, members in shards.items():
            torch.save({name: state[name] for name in members}, folder / file)
        index = {"metadata": {"total_size": 1}, "weight_map": {name: file for file, members in shards.items() for name in members}}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2))

    case("sharded", every_kind(), sharded)
    # Layouts around one archive, in the form that their trainers give it (Composer 0.32, OLMo 0.6).
    weights = {"model.layers.0.mlp.weight": torch.randn(2, 3), "lm_head.weight": torch.randn(4, 3)}
    layouts = []

    def layout(path, format, step, tokens):
        layouts.append({"path": path, "format": format, "step": step, "tokens": tokens, "tensors": flattened(weights)})

    (out / "composer").mkdir()
    state = {"model": {"model." + name: tensor for name, tensor in weights.items()}, "optimizers": {},
             "timestamp": {"Timestamp": {"epoch": 1, "batch": 20, "sample": 80, "token": 640}}}
    torch.save({"state": state, "rng": []}, out / "composer" / "ep1-ba20-rank0.pt")
    layout("composer/ep1-ba20-rank0.pt", "Composer", 20, 640)
    folder = out / "olmo" / "step30-unsharded"
    folder.mkdir(parents=True)
    torch.save(collections.OrderedDict(weights), folder / "model.pt")
    torch.save({"global_step": 30, "global_train_tokens_seen": 960}, folder / "train.pt")
    (folder / "config.yaml").write_text("model: {}\n")
    layout("olmo/step30-unsharded", "OLMo", 30, 960)
    (out / "expected.json").write_text(json.dumps({"torch": torch.__version__, "cases": cases, "layouts": layouts}, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
