"""Writes tests/probes/model/data: tiny random models with the logits that HF transformers gives for them.

Run with an interpreter that has torch, transformers and safetensors:
    python bench/oracle/model_fixtures.py tests/probes/model/data
Each variant of family_models.py that KEPT names is a directory with config.json, model.safetensors, tokens.i32 [T] and
logits.f32 [T, vocab], both little-endian. The others are made and compared by `./dev bench parity --families`.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file

import family_models

KEPT = """llama_gqa llama_tied_mha llama_rope_llama3 llama_rope_linear llama_biases llama_wide_heads llama_bf16
gpt2_plain gpt2_exact_gelu gpt2_scaled_by_layer gpt_neox_parallel gpt_neox_sequential gpt_neox_full_rotary
gpt_neo_local gptj_interleaved opt_projected_post_norm bloom_six_heads falcon_groups falcon_alibi_sequential mpt_clipped
mistral_window mixtral_window qwen2_late_window qwen3_qk_norm qwen3_moe_some_dense olmo_clipped olmo2_norms_after
olmo3_yarn phi_partial_rotary phi3_longrope_long gemma_one_key_head gemma2_softcap_window gemma3_softcap
gemma4_shared_keys gemma4_experts stablelm_qk_norm starcoder2_window""".split()
IN_V4 = "llama_rope_llama3 gpt_neox_parallel gemma3_softcap".split()


def respell(source, target, edit_config=None, rename=lambda n: n):
    """The same model under another spelling of its files."""
    target.mkdir(parents=True, exist_ok=True)
    config = json.loads((source / "config.json").read_text())
    config = edit_config(config) if edit_config else config
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tensors = load_file(source / "model.safetensors")
    save_file({rename(name): value for name, value in tensors.items()}, target / "model.safetensors")
    for name in ("tokens.i32", "logits.f32"):
        (target / name).write_bytes((source / name).read_bytes())


def main():
    root = pathlib.Path(sys.argv[1])
    for name in KEPT:
        family_models.write(root / name, name)
        (root / name / "config_v4.json").unlink()
    for name in IN_V4:
        respell(root / name, root / f"{name}_v4", family_models.as_v4)
    respell(root / "gpt2_plain", root / "gpt2_without_prefix", rename=lambda n: n.removeprefix("transformer."))
    (root / "README.md").write_text(
        "Tiny random models and the logits that HF transformers gives for them, written by\n"
        f"bench/oracle/model_fixtures.py with transformers {transformers.__version__} and "
        f"torch {torch.__version__}.\n")


if __name__ == "__main__":
    main()
