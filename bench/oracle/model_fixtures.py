"""Writes tests/probes/model/data: tiny random models with the logits that HF transformers gives for them.

Run with an interpreter that has torch, transformers and safetensors:
    python bench/oracle/model_fixtures.py tests/probes/model/data
Each variant is a directory with config.json, model.safetensors, tokens.i32 [T] and logits.f32 [T, vocab],
both little-endian; the logits come from eager attention in float32.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM,
                          LlamaConfig, LlamaForCausalLM)

VOCAB = 53
TOKENS = 36


def llama(**changes):
    base = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=28, num_hidden_layers=2,
                num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
                rms_norm_eps=1e-5, tie_word_embeddings=False)
    return LlamaForCausalLM, LlamaConfig(**{**base, **changes})


def gpt2(**changes):
    base = dict(vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=4, n_positions=64)
    return GPT2LMHeadModel, GPT2Config(**{**base, **changes})


def neox(**changes):
    base = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=24, num_hidden_layers=2,
                num_attention_heads=4, max_position_embeddings=64)
    return GPTNeoXForCausalLM, GPTNeoXConfig(**{**base, **changes})


LLAMA3 = dict(rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0,
              high_freq_factor=4.0, original_max_position_embeddings=16)

VARIANTS = {
    "llama_gqa": llama(),
    "llama_tied_mha": llama(tie_word_embeddings=True, num_key_value_heads=4),
    "llama_rope_llama3": llama(rope_parameters=LLAMA3),
    "llama_rope_linear": llama(rope_parameters=dict(rope_type="linear", rope_theta=10000.0,
                                                    factor=4.0)),
    "llama_biases": llama(attention_bias=True, mlp_bias=True),
    "llama_wide_heads": llama(head_dim=10),
    "gpt2_plain": gpt2(),
    "gpt2_exact_gelu": gpt2(activation_function="gelu", n_inner=20),
    "gpt2_scaled_by_layer": gpt2(scale_attn_by_inverse_layer_idx=True),
    "gpt_neox_parallel": neox(),
    "gpt_neox_sequential": neox(use_parallel_residual=False, attention_bias=False),
    "gpt_neox_full_rotary": neox(rope_parameters=dict(rope_type="default", rope_theta=10000.0,
                                                      partial_rotary_factor=1.0)),
    "llama_bf16": llama(),
}


def randomise(model, seed):
    """Default initialisation leaves biases at 0 and norms at 1, which would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_norm = parameter.dim() == 1 and name.endswith("weight")
        parameter.data = 1.0 + 0.2 * noise if is_norm else 0.25 * noise


def as_v4(config):
    """The spelling that transformers 4 wrote."""
    config = dict(config)
    rope = config.pop("rope_parameters", None) or {}
    if "rope_theta" in rope:
        config["rotary_emb_base" if config["model_type"] == "gpt_neox" else "rope_theta"] = rope["rope_theta"]
    if "partial_rotary_factor" in rope:
        config["rotary_pct"] = rope["partial_rotary_factor"]
    if rope.get("rope_type", "default") != "default":
        config["rope_scaling"] = {k: v for k, v in rope.items() if k != "rope_theta"}
    if "dtype" in config:
        config["torch_dtype"] = config.pop("dtype")
    return config


def write(directory, seed, kind, config):
    model = kind(config).eval()
    randomise(model, seed)
    if directory.name.endswith("bf16"):
        model = model.to(torch.bfloat16)
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    expected_model = kind.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    tokens = torch.randint(0, VOCAB, (TOKENS,), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        logits = expected_model(tokens.unsqueeze(0)).logits[0]
    tokens.to(torch.int32).numpy().tofile(directory / "tokens.i32")
    logits.float().numpy().tofile(directory / "logits.f32")


def respell(source, target, edit_config=lambda c: c, rename=lambda n: n):
    """The same model under another spelling of its files."""
    target.mkdir(parents=True, exist_ok=True)
    config = edit_config(json.loads((source / "config.json").read_text()))
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tensors = load_file(source / "model.safetensors")
    save_file({rename(name): value for name, value in tensors.items()}, target / "model.safetensors")
    for name in ("tokens.i32", "logits.f32"):
        (target / name).write_bytes((source / name).read_bytes())


def main():
    root = pathlib.Path(sys.argv[1])
    for seed, (name, (kind, config)) in enumerate(VARIANTS.items()):
        write(root / name, seed, kind, config)
    respell(root / "llama_rope_llama3", root / "llama_rope_llama3_v4", as_v4)
    respell(root / "gpt_neox_parallel", root / "gpt_neox_parallel_v4", as_v4)
    respell(root / "gpt2_plain", root / "gpt2_without_prefix",
            rename=lambda n: n.removeprefix("transformer."))
    (root / "README.md").write_text(
        "Tiny random models and the logits that HF transformers gives for them, written by\n"
        f"bench/oracle/model_fixtures.py with transformers {transformers.__version__} and "
        f"torch {torch.__version__}.\n")


if __name__ == "__main__":
    main()
