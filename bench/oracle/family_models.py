"""Tiny random models of every family, made by transformers from its own configuration classes.

Each variant is a trap of its family: what a reader of its files gets wrong without noticing. A model is a directory with
config.json, the same in the spelling of transformers 4 (config_v4.json), model.safetensors, tokens.i32 [T] and
logits.f32 [T, vocab], both little-endian; the logits come from eager attention in float32.
"""

import json
import zlib

import torch
import transformers as hf

hf.logging.set_verbosity_error()
VOCAB = 53
TOKENS = 36
WINDOW = 8  # shorter than the text


def llama_like(kind, config, **base):
    defaults = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=28, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False)

    def variant(**changes):
        merged = {**defaults, **base, **changes}
        return kind, config(**{k: v for k, v in merged.items() if v is not REMOVED})

    return variant


REMOVED = object()
NO_GROUPS = dict(num_key_value_heads=REMOVED)
llama = llama_like(hf.LlamaForCausalLM, hf.LlamaConfig, rms_norm_eps=1e-5)
mistral = llama_like(hf.MistralForCausalLM, hf.MistralConfig, sliding_window=None)
mixtral = llama_like(hf.MixtralForCausalLM, hf.MixtralConfig, num_local_experts=4, num_experts_per_tok=2,
                     intermediate_size=24)
qwen2 = llama_like(hf.Qwen2ForCausalLM, hf.Qwen2Config)
qwen3 = llama_like(hf.Qwen3ForCausalLM, hf.Qwen3Config, head_dim=6)
qwen3_moe = llama_like(hf.Qwen3MoeForCausalLM, hf.Qwen3MoeConfig, num_experts=4, num_experts_per_tok=2,
                       moe_intermediate_size=24, head_dim=6)
olmo = llama_like(hf.OlmoForCausalLM, hf.OlmoConfig)
olmo2 = llama_like(hf.Olmo2ForCausalLM, hf.Olmo2Config)
olmo3 = llama_like(hf.Olmo3ForCausalLM, hf.Olmo3Config)
phi = llama_like(hf.PhiForCausalLM, hf.PhiConfig, hidden_size=32)
phi3 = llama_like(hf.Phi3ForCausalLM, hf.Phi3Config, pad_token_id=0)
stablelm = llama_like(hf.StableLmForCausalLM, hf.StableLmConfig, hidden_size=32)
starcoder2 = llama_like(hf.Starcoder2ForCausalLM, hf.Starcoder2Config, tie_word_embeddings=True)
gemma = llama_like(hf.GemmaForCausalLM, hf.GemmaConfig, head_dim=6, tie_word_embeddings=True)
gemma2 = llama_like(hf.Gemma2ForCausalLM, hf.Gemma2Config, head_dim=6, tie_word_embeddings=True, sliding_window=WINDOW)
gemma3 = llama_like(hf.Gemma3ForCausalLM, hf.Gemma3TextConfig, head_dim=6, tie_word_embeddings=True,
                    sliding_window=WINDOW)
gemma4 = llama_like(hf.Gemma4ForCausalLM, hf.Gemma4TextConfig, head_dim=6, global_head_dim=16, tie_word_embeddings=True,
                    sliding_window=WINDOW, vocab_size_per_layer_input=VOCAB, hidden_size_per_layer_input=0)
opt = llama_like(hf.OPTForCausalLM, hf.OPTConfig, ffn_dim=28, intermediate_size=REMOVED, tie_word_embeddings=True,
                 **NO_GROUPS)
neox = llama_like(hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig, hidden_size=32, intermediate_size=24, **NO_GROUPS)
falcon = llama_like(hf.FalconForCausalLM, hf.FalconConfig, intermediate_size=REMOVED, tie_word_embeddings=True,
                    **NO_GROUPS)


def gpt2(**changes):
    base = dict(vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=4, n_positions=64)
    return hf.GPT2LMHeadModel, hf.GPT2Config(**{**base, **changes})


def gpt_neo(**changes):
    base = dict(vocab_size=VOCAB, hidden_size=16, num_layers=2, num_heads=4, max_position_embeddings=64,
                window_size=WINDOW, attention_types=[[["global", "local"], 1]])
    return hf.GPTNeoForCausalLM, hf.GPTNeoConfig(**{**base, **changes})


def gptj(**changes):
    base = dict(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=64, rotary_dim=4, n_inner=28)
    return hf.GPTJForCausalLM, hf.GPTJConfig(**{**base, **changes})


def bloom(**changes):
    base = dict(vocab_size=VOCAB, hidden_size=24, n_layer=2, n_head=6)
    return hf.BloomForCausalLM, hf.BloomConfig(**{**base, **changes})


def mpt(**changes):
    base = dict(vocab_size=VOCAB, d_model=24, n_layers=2, n_heads=6, max_seq_len=64)
    return hf.MptForCausalLM, hf.MptConfig(**{**base, **changes})


LLAMA3 = dict(rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)
LINEAR = dict(rope_type="linear", rope_theta=10000.0, factor=4.0)
YARN = dict(rope_type="yarn", rope_theta=100.0, factor=4.0, original_max_position_embeddings=16)


def longrope(pairs, original):
    return dict(original_max_position_embeddings=original,
                rope_parameters=dict(rope_type="longrope", rope_theta=10000.0,
                                     short_factor=[1.0 + 0.2 * i for i in range(pairs)],
                                     long_factor=[1.5 + 0.7 * i for i in range(pairs)]))


# The first thirteen keep the seeds that they were first written with.
VARIANTS = {
    "llama_gqa": llama(),
    "llama_tied_mha": llama(tie_word_embeddings=True, num_key_value_heads=4),
    "llama_rope_llama3": llama(rope_parameters=LLAMA3),
    "llama_rope_linear": llama(rope_parameters=LINEAR),
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
    "llama_rope_yarn": llama(rope_parameters=YARN),
    "llama_rope_dynamic": llama(rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0)),
    "gpt2_untied": gpt2(tie_word_embeddings=False),
    "gpt2_unscaled": gpt2(scale_attn_weights=False),
    "gpt_neo_local": gpt_neo(),
    "gpt_neo_local_first": gpt_neo(attention_types=[[["local"], 1], [["global"], 1]], intermediate_size=20),
    "gptj_interleaved": gptj(),
    "gptj_tied": gptj(tie_word_embeddings=True, rotary_dim=8),
    "opt_pre_norm": opt(),
    "opt_projected_post_norm": opt(word_embed_proj_dim=12, do_layer_norm_before=False),
    "opt_untied_without_final_norm": opt(_remove_final_layer_norm=True, tie_word_embeddings=False),
    "opt_bare": opt(enable_bias=False, layer_norm_elementwise_affine=False),
    "bloom_six_heads": bloom(),
    "bloom_residual_of_norms": bloom(apply_residual_connection_post_layernorm=True, n_head=8),
    "falcon_multi_query": falcon(),
    "falcon_groups": falcon(new_decoder_architecture=True, num_kv_heads=2, ffn_hidden_size=28),
    "falcon_groups_one_norm": falcon(new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1),
    "falcon_alibi_sequential": falcon(hidden_size=24, num_attention_heads=6, alibi=True, multi_query=False,
                                      parallel_attn=False, bias=True),
    "falcon_untied": falcon(multi_query=False, tie_word_embeddings=False),
    "mpt_six_heads": mpt(),
    "mpt_clipped": mpt(n_heads=8, attn_config=dict(clip_qkv=0.5, softmax_scale=0.3)),
    "mistral_window": mistral(sliding_window=WINDOW),
    "mistral_wide_heads": mistral(head_dim=10),
    "mixtral_window": mixtral(sliding_window=WINDOW),
    "mixtral_fused": mixtral(),
    "qwen2_late_window": qwen2(use_sliding_window=True, max_window_layers=1, sliding_window=WINDOW),
    "qwen2_tied": qwen2(tie_word_embeddings=True, sliding_window=WINDOW),
    "qwen3_qk_norm": qwen3(),
    "qwen3_window_bias": qwen3(use_sliding_window=True, sliding_window=WINDOW, attention_bias=True,
                               layer_types=["sliding_attention", "full_attention"]),
    "qwen3_moe_plain": qwen3_moe(),
    "qwen3_moe_some_dense": qwen3_moe(num_hidden_layers=3, mlp_only_layers=[0], decoder_sparse_step=2, norm_topk_prob=True,
                                      use_sliding_window=True, sliding_window=WINDOW),
    "qwen3_moe_fused": qwen3_moe(norm_topk_prob=True),
    "olmo_clipped": olmo(clip_qkv=0.5),
    "olmo_tied": olmo(tie_word_embeddings=True, attention_bias=True),
    "olmo2_norms_after": olmo2(),
    "olmo3_window": olmo3(num_hidden_layers=4, sliding_window=WINDOW),
    "olmo3_yarn": olmo3(sliding_window=WINDOW, layer_types=["full_attention", "sliding_attention"],
                        rope_parameters=dict(full_attention=dict(YARN, rope_theta=500000.0),
                                             sliding_attention=dict(rope_type="default", rope_theta=500000.0))),
    "phi_partial_rotary": phi(),
    "phi_qk_norm": phi(qk_layernorm=True, num_key_value_heads=4, tie_word_embeddings=True),
    "phi3_window": phi3(sliding_window=WINDOW),
    "phi3_partial_rotary": phi3(rope_parameters=dict(rope_type="default", rope_theta=10000.0,
                                                     partial_rotary_factor=0.5)),
    "phi3_longrope_short": phi3(max_position_embeddings=256, **longrope(2, 64)),
    "phi3_longrope_long": phi3(**longrope(2, 16)),
    "gemma_one_key_head": gemma(num_key_value_heads=1),
    "gemma2_softcap_window": gemma2(query_pre_attn_scalar=11, attn_logit_softcapping=2.0, final_logit_softcapping=3.0),
    "gemma2_no_softcap": gemma2(attn_logit_softcapping=None, final_logit_softcapping=None),
    "gemma3_two_ropes": gemma3(query_pre_attn_scalar=11, num_hidden_layers=6,
                               rope_parameters=dict(full_attention=dict(rope_type="linear", rope_theta=1e6, factor=8.0),
                                                    sliding_attention=dict(rope_type="default", rope_theta=10000.0))),
    "gemma3_softcap": gemma3(final_logit_softcapping=3.0, attn_logit_softcapping=2.0,
                             layer_types=["full_attention", "sliding_attention"]),
    "gemma4_layer_inputs": gemma4(num_hidden_layers=6, hidden_size_per_layer_input=6, final_logit_softcapping=3.0),
    "gemma4_shared_keys": gemma4(num_hidden_layers=5, num_kv_shared_layers=3, use_double_wide_mlp=True,
                                 hidden_size_per_layer_input=6,
                                 layer_types=["sliding_attention", "full_attention"] * 2 + ["full_attention"]),
    "gemma4_experts": gemma4(attention_k_eq_v=True, num_global_key_value_heads=1, enable_moe_block=True, num_experts=4,
                             top_k_experts=2, moe_intermediate_size=24,
                             layer_types=["sliding_attention", "full_attention"]),
    "stablelm_sequential": stablelm(),
    "stablelm_parallel": stablelm(use_parallel_residual=True, use_qkv_bias=True),
    "stablelm_qk_norm": stablelm(qk_layernorm=True),
    "starcoder2_window": starcoder2(sliding_window=WINDOW),
    "starcoder2_bare": starcoder2(use_bias=False, tie_word_embeddings=False),
}
FIRST_SEEDS = 13


def seed_of(name):
    place = list(VARIANTS).index(name)
    return place if place < FIRST_SEEDS else zlib.crc32(name.encode())


def randomise(model, seed):
    """Default initialisation leaves biases at 0 and norms at 1, which would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_norm = parameter.dim() == 1 and name.endswith("weight")
        parameter.data = 1.0 + 0.2 * noise if is_norm else 0.25 * noise
    for name, buffer in model.named_buffers():
        if name.endswith("layer_scalar"):
            buffer.copy_(0.7 + 0.2 * torch.rand(buffer.shape, generator=generator))


def as_v4(config):
    """The spelling that transformers 4 wrote."""
    config = dict(config)
    rope = config.pop("rope_parameters", None) or {}
    if "full_attention" in rope:
        sliding = rope.get("sliding_attention") or {}
        rope = rope["full_attention"]
        if config["model_type"] == "gemma3_text":
            config["rope_local_base_freq"] = sliding["rope_theta"]
    if "rope_theta" in rope:
        config["rotary_emb_base" if config["model_type"] == "gpt_neox" else "rope_theta"] = rope["rope_theta"]
    if "partial_rotary_factor" in rope:
        config["rotary_pct" if config["model_type"] == "gpt_neox" else "partial_rotary_factor"] = (
            rope["partial_rotary_factor"])
    if rope.get("rope_type", "default") != "default":
        config["rope_scaling"] = {k: v for k, v in rope.items() if k not in ("rope_theta", "partial_rotary_factor")}
    if config.get("rope_scaling", {}).get("rope_type") == "linear":
        config["rope_scaling"]["type"] = config["rope_scaling"].pop("rope_type")
    if "per_layer_config" in config:  # transformers 5 spelled it so at first
        full = next(iter(config.pop("per_layer_config").values()))
        config["global_head_dim"] = full["head_dim"]
        if "num_key_value_heads" in full:
            config["num_global_key_value_heads"] = full["num_key_value_heads"]
    if "dtype" in config:
        config["torch_dtype"] = config.pop("dtype")
    return config


def tokens_of(name):
    return torch.randint(0, VOCAB, (TOKENS,), generator=torch.Generator().manual_seed(seed_of(name)))


# transformers' eager path adds Falcon's ALiBi twice, once within the mask and once in the attention; the path that it takes
# by default adds it once.
NOT_EAGER = {"falcon_alibi_sequential": "sdpa"}


def logits(kind, directory, tokens, dtype):
    attention = NOT_EAGER.get(directory.name, "eager")
    model = kind.from_pretrained(directory, dtype=dtype, attn_implementation=attention)
    with torch.no_grad():
        return model(tokens.unsqueeze(0)).logits[0].float()


def write(directory, name):
    """Makes the variant's directory and returns its float32 logits."""
    kind, config = VARIANTS[name]
    model = kind(config).eval()
    randomise(model, seed_of(name))
    if name.endswith("bf16"):
        model = model.to(torch.bfloat16)
    model.save_pretrained(directory, save_original_format=not name.endswith("fused"))
    (directory / "generation_config.json").unlink(missing_ok=True)
    saved = json.loads((directory / "config.json").read_text())
    (directory / "config_v4.json").write_text(json.dumps(as_v4(saved), indent=2) + "\n")
    tokens = tokens_of(name)
    expected = logits(kind, directory, tokens, torch.float32)
    tokens.to(torch.int32).numpy().tofile(directory / "tokens.i32")
    expected.numpy().tofile(directory / "logits.f32")
    return expected
