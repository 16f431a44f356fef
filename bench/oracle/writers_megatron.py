"""Megatron-LM's writers for bench/oracle/writers.py: its own GPTModel on the CPU, whole, tensor-parallel and pipeline-parallel."""
import torch
import torch.distributed as dist

from writers_common import SIZES, barrier, finish, hf_model, is_first, loglikelihoods, start_gloo

PADDED = 32  # rows of the vocabulary
LAYERS = SIZES["num_hidden_layers"]
# name: (whether torch_dist, ranks, which of them are pipeline stages)
WRITERS = {"megatron_legacy_tp1": (False, 1, False), "megatron_legacy_tp2": (False, 2, False), "megatron_legacy_pp2": (False, 2, True),
           "megatron_dist_tp1": (True, 1, False), "megatron_dist_tp2": (True, 2, False), "megatron_dist_pp2": (True, 2, True)}


def part_of(hf, rank, ways, layers):
    """One rank's part of the weights, in the order of megatron.core; `layers`: those of its stage."""
    state, groups, width = hf.state_dict(), hf.config.num_key_value_heads, hf.config.head_dim
    rows = lambda tensor: tensor.chunk(ways, 0)[rank]
    columns = lambda tensor: tensor.chunk(ways, 1)[rank]
    padded = lambda tensor: rows(torch.cat([tensor, torch.zeros(PADDED - len(tensor), 8)]))
    part = {"embedding.word_embeddings.weight": padded(state["model.embed_tokens.weight"]),
            "decoder.final_layernorm.weight": state["model.norm.weight"],
            "output_layer.weight": padded(state["lm_head.weight"])}
    for local, i in enumerate(layers):
        of = lambda name: state[f"model.layers.{i}.{name}.weight"]
        queries = of("self_attn.q_proj").view(groups, -1, width, 8)
        fused = torch.cat([queries, of("self_attn.k_proj").view(groups, 1, width, 8), of("self_attn.v_proj").view(groups, 1, width, 8)], 1)
        layer = f"decoder.layers.{local}."
        part |= {layer + "input_layernorm.weight": of("input_layernorm"), layer + "pre_mlp_layernorm.weight": of("post_attention_layernorm"),
                 layer + "self_attention.linear_qkv.weight": rows(fused.reshape(-1, 8)),
                 layer + "self_attention.linear_proj.weight": columns(of("self_attn.o_proj")),
                 layer + "mlp.linear_fc1.weight": torch.cat([rows(of("mlp.gate_proj")), rows(of("mlp.up_proj"))]),
                 layer + "mlp.linear_fc2.weight": columns(of("mlp.down_proj"))}
    return part


def without_cuda():
    """The calls into CUDA that Megatron makes while a model is built and run do nothing."""
    torch.cuda.current_device = lambda: torch.device("cpu")
    torch.cuda.get_rng_state = lambda *a, **k: torch.zeros(16, dtype=torch.uint8)
    torch.cuda.set_rng_state = lambda *a, **k: None
    torch.cuda.synchronize = lambda *a, **k: None
    from megatron.core.tensor_parallel import random
    random._get_cuda_rng_state = lambda *a, **k: torch.zeros(16, dtype=torch.uint8)
    random._set_cuda_rng_state = lambda *a, **k: None


def model_of(hf, ways, stages):
    """megatron.core's GPTModel, or this rank's part of it."""
    from megatron.core import parallel_state
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
    from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed
    from megatron.core.transformer import TransformerConfig
    parallel_state.initialize_model_parallel(tensor_model_parallel_size=ways, pipeline_model_parallel_size=stages,
                                             create_gloo_process_groups=False)
    model_parallel_cuda_manual_seed(1)
    stage = parallel_state.get_pipeline_model_parallel_rank()
    config = TransformerConfig(num_layers=LAYERS, hidden_size=8, num_attention_heads=4, num_query_groups=2, kv_channels=2, ffn_hidden_size=12,
                               gated_linear_unit=True, activation_func=torch.nn.functional.silu, add_bias_linear=False, normalization="RMSNorm",
                               layernorm_epsilon=hf.config.rms_norm_eps, hidden_dropout=0.0, attention_dropout=0.0,
                               use_cpu_initialization=True, perform_initialization=False, tensor_model_parallel_size=ways,
                               pipeline_model_parallel_size=stages, pipeline_dtype=torch.float32, bias_activation_fusion=False,
                               bias_dropout_fusion=False, masked_softmax_fusion=False, params_dtype=torch.float32, apply_rope_fusion=False)
    model = GPTModel(config, get_gpt_layer_local_spec(normalization="RMSNorm"), vocab_size=PADDED, max_sequence_length=64,
                     position_embedding_type="rope", share_embeddings_and_output_weights=False, parallel_output=False,
                     pre_process=stage == 0, post_process=stage == stages - 1)
    mine = range(stage * LAYERS // stages, (stage + 1) * LAYERS // stages)
    part = part_of(hf, parallel_state.get_tensor_model_parallel_rank(), ways, mine)
    has = model.state_dict()
    found = model.load_state_dict({name: tensor for name, tensor in part.items() if name in has}, strict=False)
    assert not [name for name in found.missing_keys if "_extra_state" not in name], found
    return model.eval(), stage


def logits_by_stages(model, stage, stages):
    """The forward pass, from stage to stage; the last one's logits reach every rank."""
    def forward(tokens):
        length = tokens.shape[1]
        positions = torch.arange(length)[None]
        mask = torch.ones(1, 1, length, length).tril() < 0.5
        if stage > 0:
            hidden = torch.empty(length, 1, 8)
            dist.recv(hidden, src=stage - 1)
            model.set_input_tensor(hidden)
        out = model(tokens, positions, mask)
        if stage < stages - 1:
            dist.send(out.contiguous(), dst=stage + 1)
            out = torch.empty(1, length, PADDED)
        if stages > 1:
            out = out.contiguous()
            dist.broadcast(out, src=stages - 1)
        return out
    return forward


def write(out, name):
    import argparse
    from megatron.core import dist_checkpointing, parallel_state
    is_dist, ranks, in_stages = WRITERS[name]
    without_cuda()
    start_gloo()
    ways, stages = (1, ranks) if in_stages else (ranks, 1)
    hf = hf_model(num_attention_heads=4, num_key_value_heads=2, head_dim=2)
    model, stage = model_of(hf, ways, stages)
    scores = loglikelihoods(logits_by_stages(model, stage, stages))
    arguments = argparse.Namespace(tensor_model_parallel_size=ways, pipeline_model_parallel_size=stages, swiglu=True, num_layers=LAYERS,
                                   consumed_train_samples=40, seq_length=64, iteration=5, layernorm_zero_centered_gamma=False)
    common = {"args": arguments, "checkpoint_version": 3.0, "iteration": 5}
    folder = out / "iter_0000005"
    if is_dist:
        if is_first():
            folder.mkdir(parents=True)
        barrier()
        dist_checkpointing.save(common | model.sharded_state_dict(prefix=""), str(folder))
    else:
        tensor = parallel_state.get_tensor_model_parallel_rank()
        folder /= f"mp_rank_{tensor:02d}" + (f"_{stage:03d}" if stages > 1 else "")
        folder.mkdir(parents=True)
        torch.save(common | {"model": model.state_dict_for_save_checkpoint()}, folder / "model_optim_rng.pt")
    finish(out, hf, "iter_0000005", 5, 2560, scores=scores)
