"""Writes the test's nanotron checkpoint by the format alone: nanotron 0.4 does not import without flash-attn.

Paths as nanotron/serialize/utils.py get_path makes them, metadata as serialize/metadata.py and parallel/parameters.py spell it,
slices as parallel/sharded_parameters.py cuts them (with NumPy 2 some sizes are spelled np.int64(64)), names and the order of
rows as models/llama.py has them.

  python bench/oracle/nanotron_fixture.py OUT     makes OUT/{config.json,expected.json,7/…,latest.txt}
"""

import json
import pathlib
import sys

import safetensors.torch
import torch

import writers

WAYS = 2


def as_slices(axis, dimensions, begin, end):
    return "|".join(f"{begin},{end},None" if d == axis else "None,None,None" for d in range(dimensions))


def save(folder, name, data, metadata=None, suffix=""):
    *modules, kind = name.split(".")
    path = folder.joinpath("model", *modules, f"model_{kind}{suffix}.safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file({"data": data.contiguous()}, path, metadata=metadata or {})


def save_sharded(folder, name, whole, axis, chunks=None):
    """Each rank holds its share of every chunk along the axis."""
    sizes = list(whole.shape)
    shape = str(tuple(sizes))
    if chunks:  # sums of NumPy integers
        shape = "(" + ", ".join(f"np.int64({s})" if d == axis else str(s) for d, s in enumerate(sizes)) + ")"
    for rank in range(WAYS):
        parts, pairs, start, local = [], [], 0, 0
        for chunk in chunks or [sizes[axis]]:
            share = chunk // WAYS
            begin = start + rank * share
            parts.append(whole.narrow(axis, begin, share))
            mine = as_slices(axis, whole.dim(), local, local + share) if chunks else as_slices(-1, whole.dim(), 0, 0)
            pairs.append(f"{mine}#{as_slices(axis, whole.dim(), begin, begin + share)}")
            start, local = start + chunk, local + share
        metadata = {"version": "1.2", "local_global_slices_pairs": ";".join(pairs), "unsharded_shape": shape}
        save(folder, name, torch.cat(parts, axis), metadata, f"_pp-rank-0-of-1_tp-rank-{rank}-of-{WAYS}")


def neighbours(weight, heads):
    """Rows of a head for rotary positions that turn neighbouring elements."""
    rows, width = weight.shape
    return weight.view(heads, 2, rows // heads // 2, width).transpose(1, 2).reshape(rows, width)


def main(out):
    torch.manual_seed(7)
    model = writers.hf_model(num_attention_heads=4, num_key_value_heads=2, hidden_size=16, head_dim=4)
    config, state = model.config, model.state_dict()
    folder = out / "7"
    stem = "model.token_position_embeddings.pp_block.token_embedding.weight"
    save_sharded(folder, stem, state["model.embed_tokens.weight"], 0)
    for layer in range(config.num_hidden_layers):
        block, of = f"model.decoder.{layer}.pp_block", f"model.layers.{layer}"
        q = neighbours(state[f"{of}.self_attn.q_proj.weight"], config.num_attention_heads)
        k = neighbours(state[f"{of}.self_attn.k_proj.weight"], config.num_key_value_heads)
        v = state[f"{of}.self_attn.v_proj.weight"]
        save_sharded(folder, f"{block}.attn.qkv_proj.weight", torch.cat([q, k, v]), 0, [len(q), len(k), len(v)])
        save_sharded(folder, f"{block}.attn.o_proj.weight", state[f"{of}.self_attn.o_proj.weight"], 1)
        gate, up = state[f"{of}.mlp.gate_proj.weight"], state[f"{of}.mlp.up_proj.weight"]
        save_sharded(folder, f"{block}.mlp.gate_up_proj.weight", torch.cat([gate, up]), 0, [len(gate), len(up)])
        save_sharded(folder, f"{block}.mlp.down_proj.weight", state[f"{of}.mlp.down_proj.weight"], 1)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            save(folder, f"{block}.{norm}.weight", state[f"{of}.{norm}.weight"])
    save(folder, "model.final_layer_norm.pp_block.weight", state["model.norm.weight"])
    save_sharded(folder, "model.lm_head.pp_block.weight", state["lm_head.weight"], 0)
    metas = {"consumed_train_samples": 224, "last_train_step": 7, "consumed_tokens_total": 14336}
    metadata = {"dp": 1, "metas": metas, "tp": WAYS, "version": "1.2"}
    (folder / "checkpoint_metadata.json").write_text(json.dumps(metadata, indent=2, sort_keys=True))
    (folder.parent / "latest.txt").write_text("7")
    names = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "num_key_value_heads")
    own = {name: getattr(config, name) for name in names}
    (folder / "model_config.json").write_text(json.dumps({"is_llama_config": True, **own}))
    writers.finish(out, model, "7", step=7, tokens=14336)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
