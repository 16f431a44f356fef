"""One model's weights in every format that its family meets, each laid out as its framework does.

Frameworks that can write here with their own code do so in bench/oracle/writers.py; here every family passes through every
reader, and through the names of the frameworks that train it.
"""

import argparse
import json
import re
import warnings

import torch
import torch.distributed.checkpoint as dcp
from safetensors.torch import load_file, save_file

STEP = 3
PADDED_VOCABULARY = 64
LLAMA_LIKE = ("llama", "mistral", "qwen2", "qwen3", "qwen3_moe")
TORCHTITAN = ("llama", "mistral", "qwen3", "qwen3_moe")
OLMO_CORE = ("llama", "mistral", "qwen3", "olmo2", "olmo3")
MEGATRON = LLAMA_LIKE + ("gpt_neox", "gpt2")
LITGPT = ("llama", "mistral", "qwen2", "qwen3", "gpt_neox")


# ---- containers


def shards_of(state):
    names = sorted(state)
    cut = max(1, len(names) // 3)
    return [{name: state[name] for name in part} for part in (names[:cut], names[cut:2 * cut], names[2 * cut:]) if part]


def sharded(folder, state, stem, save):
    shards = shards_of(state)
    files = [f"{stem[0]}-{i + 1:05d}-of-{len(shards):05d}.{stem[1]}" for i in range(len(shards))]
    for file, shard in zip(files, shards):
        save(shard, folder / file)
    index = {"metadata": {"total_size": 0}, "weight_map": {name: file for file, shard in zip(files, shards) for name in shard}}
    (folder / f"{stem[0]}.{stem[1]}.index.json").write_text(json.dumps(index))
    return folder


def distributed(folder, state):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(state, checkpoint_id=str(folder), no_dist=True)


def fsdp(folder, state):
    distributed(folder / "pytorch_model_fsdp_0", {"model": dict(state)})
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": STEP}))
    return folder


def zero2(folder, state):
    torch.save({"module": dict(state), "global_steps": STEP}, folder / "mp_rank_00_model_states.pt")
    return folder


def zero3(folder, state, ranks=2):
    """Every parameter in `ranks` equal parts, each rank's one behind the other."""
    parts = [[] for _ in range(ranks)]
    for tensor in state.values():
        flat = tensor.float().flatten()
        size = -(-flat.numel() // ranks)
        flat = torch.cat([flat, flat.new_zeros(size * ranks - flat.numel())])
        for rank in range(ranks):
            parts[rank].append(flat[rank * size:(rank + 1) * size])
    shapes = [{name: tensor.shape for name, tensor in state.items()}]
    for rank in range(ranks):
        states = {"module": {name: torch.empty(0) for name in state}, "param_shapes": shapes, "buffer_names": [], "global_steps": STEP}
        torch.save(states, folder / f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt")
        optimizer = {"zero_stage": 3, "partition_count": ranks, "fp32_flat_groups": [torch.cat(parts[rank])]}
        torch.save({"optimizer_state_dict": optimizer}, folder / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
    return folder


def composer(folder, state):
    file = folder / f"ep1-ba{STEP}-rank0.pt"
    timestamp = {"Timestamp": {"batch": STEP, "token": 96}}
    torch.save({"state": {"model": {"model." + name: tensor for name, tensor in state.items()}, "timestamp": timestamp}}, file)
    return file


# ---- the names of frameworks


def heads_of(config):
    heads = config.num_attention_heads
    groups = getattr(config, "num_key_value_heads", None) or heads
    return heads, groups, getattr(config, "head_dim", None) or config.hidden_size // heads


def rewritten(state, rules, skipped=r"$^"):
    """Names by the first rule that fits."""
    out = {}
    for name, tensor in state.items():
        if re.search(skipped, name):
            continue
        pattern, replacement = next(rule for rule in rules if re.fullmatch(rule[0], name))
        out[re.sub(pattern, replacement, name)] = tensor
    return out


def stacked_experts(state, layer, matrix):
    names = sorted((n for n in state if re.fullmatch(rf"model\.layers\.{layer}\.mlp\.experts\.\d+\.{matrix}_proj\.weight", n)),
                   key=lambda n: int(n.split(".")[5]))
    return torch.stack([state[n] for n in names]) if names else None


def torchtitan_names(state, config):
    heads, groups, width = heads_of(config)

    def interleaved(tensor, count):
        return tensor.view(count, 2, width // 2, -1).transpose(1, 2).reshape(tensor.shape)

    state = dict(state)
    if config.model_type in ("llama", "mistral"):
        for name, tensor in state.items():
            if name.endswith(("q_proj.weight", "k_proj.weight")):
                state[name] = interleaved(tensor, heads if "q_proj" in name else groups)
    out = rewritten(state, [
        (r"model\.embed_tokens\.(.*)", r"tok_embeddings.\1"), (r"model\.norm\.(.*)", r"norm.\1"), (r"lm_head\.(.*)", r"output.\1"),
        (r"model\.(layers\.\d+)\.self_attn\.([qkv])_proj\.(.*)", r"\1.attention.w\2.\3"),
        (r"model\.(layers\.\d+)\.self_attn\.o_proj\.(.*)", r"\1.attention.wo.\2"),
        (r"model\.(layers\.\d+)\.self_attn\.([qk])_norm\.(.*)", r"\1.attention.\2_norm.\3"),
        (r"model\.(layers\.\d+)\.input_layernorm\.(.*)", r"\1.attention_norm.\2"),
        (r"model\.(layers\.\d+)\.post_attention_layernorm\.(.*)", r"\1.ffn_norm.\2"),
        (r"model\.(layers\.\d+)\.mlp\.gate_proj\.(.*)", r"\1.feed_forward.w1.\2"),
        (r"model\.(layers\.\d+)\.mlp\.down_proj\.(.*)", r"\1.feed_forward.w2.\2"),
        (r"model\.(layers\.\d+)\.mlp\.up_proj\.(.*)", r"\1.feed_forward.w3.\2"),
        (r"model\.(layers\.\d+)\.mlp\.gate\.(.*)", r"\1.moe.router.gate.\2")], skipped=r"\.experts\.")
    for layer in range(config.num_hidden_layers):
        for matrix, name in (("gate", "w1_EFD"), ("down", "w2_EDF"), ("up", "w3_EFD")):
            experts = stacked_experts(state, layer, matrix)
            if experts is not None:
                out[f"layers.{layer}.moe.routed_experts.inner_experts.{name}"] = experts
    return out


def olmo_core_names(state, config):
    after = config.model_type in ("olmo2", "olmo3")
    first, second = ("post_attention", "post_feedforward") if after else ("input", "post_attention")
    return rewritten(state, [
        (r"model\.embed_tokens\.(.*)", r"embeddings.\1"), (r"model\.norm\.(.*)", r"lm_head.norm.\1"), (r"lm_head\.(.*)", r"lm_head.w_out.\1"),
        (r"model\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(.*)", r"blocks.\1.attention.w_\2.\3"),
        (r"model\.layers\.(\d+)\.self_attn\.o_proj\.(.*)", r"blocks.\1.attention.w_out.\2"),
        (r"model\.layers\.(\d+)\.self_attn\.([qk]_norm)\.(.*)", r"blocks.\1.attention.\2.\3"),
        (rf"model\.layers\.(\d+)\.{first}_layernorm\.(.*)", r"blocks.\1.attention_norm.\2"),
        (rf"model\.layers\.(\d+)\.{second}_layernorm\.(.*)", r"blocks.\1.feed_forward_norm.\2"),
        (r"model\.layers\.(\d+)\.mlp\.gate_proj\.(.*)", r"blocks.\1.feed_forward.w1.\2"),
        (r"model\.layers\.(\d+)\.mlp\.down_proj\.(.*)", r"blocks.\1.feed_forward.w2.\2"),
        (r"model\.layers\.(\d+)\.mlp\.up_proj\.(.*)", r"blocks.\1.feed_forward.w3.\2")])


def joined(state, layer, kind, parts, join):
    """Several projections of a layer as one, where the layer has them."""
    names = [f"model.layers.{layer}.{part}_proj.{kind}" for part in parts]
    return join([state[n] for n in names]) if all(n in state for n in names) else None


def padded(tensor):
    return torch.cat([tensor, tensor.new_zeros(PADDED_VOCABULARY - len(tensor), tensor.shape[1])])


def litgpt_names(state, config):
    heads, _, width = heads_of(config)
    if config.model_type == "gpt_neox":
        blocks = lambda t: t.view(heads, 3, width, -1).transpose(0, 1).reshape(t.shape)
        state = {n: blocks(t) if "query_key_value" in n else t for n, t in state.items()}
        out = rewritten(state, [
            (r"gpt_neox\.embed_in\.(.*)", r"transformer.wte.\1"), (r"gpt_neox\.final_layer_norm\.(.*)", r"transformer.ln_f.\1"),
            (r"embed_out\.(.*)", r"lm_head.\1"), (r"gpt_neox\.layers\.(\d+)\.input_layernorm\.(.*)", r"transformer.h.\1.norm_1.\2"),
            (r"gpt_neox\.layers\.(\d+)\.post_attention_layernorm\.(.*)", r"transformer.h.\1.norm_2.\2"),
            (r"gpt_neox\.layers\.(\d+)\.attention\.query_key_value\.(.*)", r"transformer.h.\1.attn.qkv.\2"),
            (r"gpt_neox\.layers\.(\d+)\.attention\.dense\.(.*)", r"transformer.h.\1.attn.proj.\2"),
            (r"gpt_neox\.layers\.(\d+)\.mlp\.dense_h_to_4h\.(.*)", r"transformer.h.\1.mlp.fc.\2"),
            (r"gpt_neox\.layers\.(\d+)\.mlp\.dense_4h_to_h\.(.*)", r"transformer.h.\1.mlp.proj.\2")])
    else:
        out = rewritten(state, [
            (r"model\.embed_tokens\.(.*)", r"transformer.wte.\1"), (r"model\.norm\.(.*)", r"transformer.ln_f.\1"), (r"(lm_head\..*)", r"\1"),
            (r"model\.layers\.(\d+)\.input_layernorm\.(.*)", r"transformer.h.\1.norm_1.\2"),
            (r"model\.layers\.(\d+)\.post_attention_layernorm\.(.*)", r"transformer.h.\1.norm_2.\2"),
            (r"model\.layers\.(\d+)\.self_attn\.o_proj\.(.*)", r"transformer.h.\1.attn.proj.\2"),
            (r"model\.layers\.(\d+)\.self_attn\.([qk])_norm\.(.*)", r"transformer.h.\1.attn.norm_\2.\3"),
            (r"model\.layers\.(\d+)\.mlp\.gate_proj\.(.*)", r"transformer.h.\1.mlp.fc_1.\2"),
            (r"model\.layers\.(\d+)\.mlp\.up_proj\.(.*)", r"transformer.h.\1.mlp.fc_2.\2"),
            (r"model\.layers\.(\d+)\.mlp\.down_proj\.(.*)", r"transformer.h.\1.mlp.proj.\2")], skipped=r"self_attn\.[qkv]_proj")
        for layer in range(config.num_hidden_layers):
            for kind in ("weight", "bias"):
                fused = joined(state, layer, kind, ["self_attn.q", "self_attn.k", "self_attn.v"], torch.cat)
                if fused is not None:
                    out[f"transformer.h.{layer}.attn.qkv.{kind}"] = fused
    return {n: padded(t) if n in ("transformer.wte.weight", "lm_head.weight") else t for n, t in out.items()}


def megatron_names(state, config):
    heads, groups, width = heads_of(config)
    if config.model_type == "gpt_neox":
        out = rewritten(state, [
            (r"gpt_neox\.embed_in\.(.*)", r"embedding.word_embeddings.\1"), (r"embed_out\.(.*)", r"output_layer.\1"),
            (r"gpt_neox\.final_layer_norm\.(.*)", r"decoder.final_layernorm.\1"),
            (r"gpt_neox\.(layers\.\d+)\.input_layernorm\.(.*)", r"decoder.\1.input_layernorm.\2"),
            (r"gpt_neox\.(layers\.\d+)\.post_attention_layernorm\.(.*)", r"decoder.\1.pre_mlp_layernorm.\2"),
            (r"gpt_neox\.(layers\.\d+)\.attention\.query_key_value\.(.*)", r"decoder.\1.self_attention.linear_qkv.\2"),
            (r"gpt_neox\.(layers\.\d+)\.attention\.dense\.(.*)", r"decoder.\1.self_attention.linear_proj.\2"),
            (r"gpt_neox\.(layers\.\d+)\.mlp\.dense_h_to_4h\.(.*)", r"decoder.\1.mlp.linear_fc1.\2"),
            (r"gpt_neox\.(layers\.\d+)\.mlp\.dense_4h_to_h\.(.*)", r"decoder.\1.mlp.linear_fc2.\2")])
    elif config.model_type == "gpt2":
        turned = {n: t.T if re.search(r"(c_attn|c_proj|c_fc)\.weight$", n) else t for n, t in state.items()}
        by_head = lambda t: t.reshape(3, heads, width, -1).transpose(0, 1).reshape(t.shape)
        turned = {n: by_head(t) if "c_attn" in n else t for n, t in turned.items()}
        out = rewritten(turned, [
            (r"transformer\.wte\.(.*)", r"embedding.word_embeddings.\1"), (r"transformer\.wpe\.(.*)", r"embedding.position_embeddings.\1"),
            (r"transformer\.ln_f\.(.*)", r"decoder.final_layernorm.\1"), (r"lm_head\.(.*)", r"output_layer.\1"),
            (r"transformer\.h\.(\d+)\.ln_1\.(.*)", r"decoder.layers.\1.input_layernorm.\2"),
            (r"transformer\.h\.(\d+)\.ln_2\.(.*)", r"decoder.layers.\1.pre_mlp_layernorm.\2"),
            (r"transformer\.h\.(\d+)\.attn\.c_attn\.(.*)", r"decoder.layers.\1.self_attention.linear_qkv.\2"),
            (r"transformer\.h\.(\d+)\.attn\.c_proj\.(.*)", r"decoder.layers.\1.self_attention.linear_proj.\2"),
            (r"transformer\.h\.(\d+)\.mlp\.c_fc\.(.*)", r"decoder.layers.\1.mlp.linear_fc1.\2"),
            (r"transformer\.h\.(\d+)\.mlp\.c_proj\.(.*)", r"decoder.layers.\1.mlp.linear_fc2.\2")])
    else:
        out = rewritten(state, [
            (r"model\.embed_tokens\.(.*)", r"embedding.word_embeddings.\1"), (r"lm_head\.(.*)", r"output_layer.\1"),
            (r"model\.norm\.(.*)", r"decoder.final_layernorm.\1"), (r"model\.(layers\.\d+\.input_layernorm\..*)", r"decoder.\1"),
            (r"model\.(layers\.\d+)\.post_attention_layernorm\.(.*)", r"decoder.\1.pre_mlp_layernorm.\2"),
            (r"model\.(layers\.\d+)\.self_attn\.o_proj\.(.*)", r"decoder.\1.self_attention.linear_proj.\2"),
            (r"model\.(layers\.\d+)\.self_attn\.([qk])_norm\.(.*)", r"decoder.\1.self_attention.\2_layernorm.\3"),
            (r"model\.(layers\.\d+)\.mlp\.gate\.(.*)", r"decoder.\1.mlp.router.\2"),
            (r"model\.(layers\.\d+)\.mlp\.down_proj\.(.*)", r"decoder.\1.mlp.linear_fc2.\2"),
            (r"model\.(layers\.\d+)\.mlp\.experts\.(\d+)\.down_proj\.(.*)", r"decoder.\1.mlp.experts.local_experts.\2.linear_fc2.\3")],
            skipped=r"([qkv]|gate|up)_proj")
        by_group = lambda parts: torch.cat([t.reshape(groups, -1, width, *t.shape[1:]) for t in parts], 1).reshape(-1, *parts[0].shape[1:])
        for layer in range(config.num_hidden_layers):
            for kind in ("weight", "bias"):
                fused = joined(state, layer, kind, ["self_attn.q", "self_attn.k", "self_attn.v"], by_group)
                if fused is not None:
                    out[f"decoder.layers.{layer}.self_attention.linear_qkv.{kind}"] = fused
            gated = joined(state, layer, "weight", ["mlp.gate", "mlp.up"], torch.cat)
            if gated is not None:
                out[f"decoder.layers.{layer}.mlp.linear_fc1.weight"] = gated
            for expert in range(getattr(config, "num_experts", 0) or 0):
                gated = joined(state, layer, "weight", [f"mlp.experts.{expert}.gate", f"mlp.experts.{expert}.up"], torch.cat)
                if gated is not None:
                    out[f"decoder.layers.{layer}.mlp.experts.local_experts.{expert}.linear_fc1.weight"] = gated
    vocabulary = ("embedding.word_embeddings.weight", "output_layer.weight")
    return {n: (padded(t) if n in vocabulary else t).contiguous() for n, t in out.items()}


# ---- the layouts of frameworks


def torchtitan(folder, state, config):
    distributed(folder, torchtitan_names(state, config))
    return folder


def olmo_core(folder, state, config):
    distributed(folder / "model_and_optim", {"model": olmo_core_names(state, config)})
    (folder / "train").mkdir()
    torch.save({"global_step": STEP, "global_train_tokens_seen": 96}, folder / "train" / "rank0.pt")
    (folder / ".metadata.json").write_text(json.dumps({"ephemeral": False, "version": "2.0"}))
    (folder / "config.json").write_text("{}")
    return folder


def litgpt(folder, state, config):
    torch.save({"model": litgpt_names(state, config), "step_count": STEP}, folder / "lit_model.pth")
    (folder / "model_config.yaml").write_text("name: tiny\n")
    return folder


def megatron_arguments(config, ways):
    return argparse.Namespace(tensor_model_parallel_size=ways, pipeline_model_parallel_size=1, swiglu=config.model_type in LLAMA_LIKE,
                              num_layers=config.num_hidden_layers, layernorm_zero_centered_gamma=False)


def tensor_part(name, tensor, rank, ways, gated):
    """What one tensor-parallel rank holds of it."""
    if re.search(r"linear_fc1\.(weight|bias)$", name) and gated:
        return torch.cat([half.chunk(ways)[rank] for half in tensor.chunk(2)])
    if re.search(r"(linear_fc1|linear_qkv)\.(weight|bias)$|word_embeddings\.weight$|output_layer\.weight$", name):
        return tensor.chunk(ways)[rank]
    if re.search(r"(linear_proj|linear_fc2)\.weight$", name):
        return tensor.chunk(ways, 1)[rank]
    return tensor


def megatron_ranks(folder, state, config, ways=2):
    names, gated = megatron_names(state, config), config.model_type in LLAMA_LIKE
    for rank in range(ways):
        part = {n: tensor_part(n, t, rank, ways, gated).contiguous() for n, t in names.items()}
        path = folder / f"mp_rank_{rank:02d}" / "model_optim_rng.pt"
        path.parent.mkdir()
        torch.save({"args": megatron_arguments(config, ways), "checkpoint_version": 3.0, "iteration": STEP, "model": part}, path)
    return folder


def megatron_dist(folder, state, config):
    """All layers in one tensor, and all experts of a layer."""
    out, layers = {}, {}
    for name, tensor in megatron_names(state, config).items():
        if found := re.fullmatch(r"decoder\.layers\.(\d+)\.mlp\.experts\.local_experts\.(\d+)\.(.*)", name):
            layers.setdefault(f"mlp.experts.experts.{found[3]}", {}).setdefault(int(found[1]), {})[int(found[2])] = tensor
        elif found := re.fullmatch(r"decoder\.layers\.(\d+)\.(.*)", name):
            layers.setdefault(found[2], {})[int(found[1])] = tensor
        else:
            out[name] = tensor
    in_order = lambda parts: torch.stack([in_order(parts[i]) if isinstance(parts[i], dict) else parts[i] for i in sorted(parts)])
    out |= {f"decoder.layers.{name}": in_order(parts) for name, parts in layers.items()}
    distributed(folder, out)
    torch.save({"args": megatron_arguments(config, 1), "iteration": STEP}, folder / "common.pt")
    (folder / "metadata.json").write_text(json.dumps({"sharded_backend": "torch_dist", "sharded_backend_version": 1}))
    return folder


# Formats of every family, under Hugging Face's names.
CONTAINERS = {
    "safetensors sharded": lambda folder, state: sharded(folder, state, ("model", "safetensors"), lambda s, f: save_file(s, f, {"format": "pt"})),
    "bin": lambda folder, state: (torch.save(state, folder / "pytorch_model.bin"), folder)[1],
    "bin legacy": lambda folder, state: (torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False), folder)[1],
    "bin sharded": lambda folder, state: sharded(folder, state, ("pytorch_model", "bin"), torch.save),
    "DCP": fsdp, "ZeRO 2": zero2, "ZeRO 3": zero3, "Composer": composer,
}
# Formats of the families that a framework trains, under its names.
FRAMEWORKS = {
    "torchtitan": (TORCHTITAN, torchtitan), "OLMo-core": (OLMO_CORE, olmo_core), "litgpt": (LITGPT, litgpt),
    "Megatron TP 2": (MEGATRON, megatron_ranks), "Megatron dist": (MEGATRON, megatron_dist),
}


def write(directory, config):
    """Saves the weights of directory/model.safetensors in every format, and formats.json: name to path."""
    state = load_file(directory / "model.safetensors")
    paths = {}
    for name, save in CONTAINERS.items():
        folder = directory / "formats" / name.replace(" ", "_")
        folder.mkdir(parents=True)
        paths[name] = str(save(folder, state).relative_to(directory))
    for name, (families, save) in FRAMEWORKS.items():
        if config.model_type in families:
            folder = directory / "formats" / name.replace(" ", "_")
            folder.mkdir(parents=True)
            paths[name] = str(save(folder, state, config).relative_to(directory))
    (directory / "formats.json").write_text(json.dumps(paths))
    return paths
