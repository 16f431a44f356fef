#!/usr/bin/env python3
"""Lets training libraries write checkpoints of one tiny model, on the CPU, with their own code.

  writers.py OUT [NAME ...]        all writers, or these; one line each

OUT/NAME/ holds config.json, expected.json and the checkpoint that expected.json names: {"writer", "checkpoint", "step",
"tokens", "tensors": {Hugging Face name: {"dtype", "shape", "bytes" (hex)}}}. The weights begin as a transformers model; each
library's own converter, where it has one, brings them into its model, so that the names are checked too.
Versions that the fixtures were made with: torch 2.11.0, transformers 5.23.0, torchtitan 0.3.0, ai2-olmo-core 3.0.0,
litgpt 0.5.13, deepspeed 0.19.8, megatron-core 0.19.2, mosaicml 0.32.1.
"""
import json, os, pathlib, shutil, socket, subprocess, sys, traceback

SIZES = dict(vocab_size=20, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
             num_key_value_heads=1, head_dim=4, max_position_embeddings=64)


def hf_model(kind="llama", **sizes):
    import torch, transformers
    torch.manual_seed(7)
    config = {"llama": transformers.LlamaConfig, "olmo2": transformers.Olmo2Config}[kind](**SIZES | sizes)
    config.architectures = [{"llama": "LlamaForCausalLM", "olmo2": "Olmo2ForCausalLM"}[kind]]
    model = transformers.AutoModelForCausalLM.from_config(config).float()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.5 if parameter.dim() == 1 else 0.0, 0.3)
    return model


def described(state):
    import torch
    spelling = {torch.float32: "F32", torch.bfloat16: "BF16"}
    return {name: {"dtype": spelling[t.dtype], "shape": list(t.shape),
                   "bytes": t.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes().hex()}
            for name, t in state.items()}


def is_first():
    return int(os.environ.get("RANK", 0)) == 0


def barrier():
    import torch.distributed as dist
    if dist.is_initialized():
        dist.barrier()


def finish(out, model, checkpoint, step=None, tokens=None, state=None):
    """What the checkpoint must give back."""
    barrier()
    if not is_first():
        return
    model.config.to_json_file(out / "config.json")
    expected = {"writer": out.name, "checkpoint": checkpoint, "step": step, "tokens": tokens,
                "tensors": described(state or model.state_dict())}
    (out / "expected.json").write_text(json.dumps(expected) + "\n")


def start_gloo():
    import torch.distributed as dist
    dist.init_process_group("gloo")
    return dist.device_mesh.init_device_mesh("cpu", (dist.get_world_size(),))


# ---- the writers


def torch_fsdp(out):
    """torch.distributed.checkpoint of an FSDP2 model, under the name that Accelerate gives it."""
    import torch, torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_model_state_dict
    from torch.distributed.fsdp import fully_shard
    mesh = start_gloo()
    model, whole = hf_model(), hf_model()
    fully_shard(model, mesh=mesh)
    folder = out / "checkpoint-4"
    dcp.save({"model": get_model_state_dict(model)}, checkpoint_id=str(folder / "pytorch_model_fsdp_0"))
    if is_first():
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": 4, "num_input_tokens_seen": 256}))
    finish(out, whole, "checkpoint-4", 4, 256)


class Saved:
    def load_state_dict(self, state):
        raise RuntimeError("never asked for; having it makes an object stateful")


class TrainState(Saved):  # what torchtitan's Trainer says of itself
    def state_dict(self):
        return {"step": 6, "ntokens_seen": 384}


class Loader(Saved):
    def state_dict(self):
        return {f"dp_rank_{os.environ['RANK']}": b"state", "world_size": 2}


class Nothing(Saved):
    def state_dict(self):
        return {}


def torchtitan(out):
    """CheckpointManager of torchtitan, with optimizer and train state."""
    import torch, torch.distributed.fsdp
    from torch.distributed.fsdp import fully_shard
    if not hasattr(torch.distributed.fsdp, "DataParallelMeshDims"):  # of a newer torch, for a way to shard that is not used here
        torch.distributed.fsdp.DataParallelMeshDims = object
    from torchtitan.components.checkpointer.dcp import CheckpointManager
    from torchtitan.models import llama3
    mesh = start_gloo()
    hf = hf_model()
    dim, heads = SIZES["hidden_size"], SIZES["num_attention_heads"]
    config = llama3.Llama3Model.Config(
        dim=dim, vocab_size=SIZES["vocab_size"],
        tok_embeddings=llama3.Embedding.Config(num_embeddings=SIZES["vocab_size"], embedding_dim=dim, param_init=llama3._EMBEDDING_INIT),
        norm=llama3.RMSNorm.Config(normalized_shape=dim, param_init=llama3._NORM_INIT),
        lm_head=llama3.Linear.Config(in_features=dim, out_features=SIZES["vocab_size"], param_init=llama3._output_linear_init(dim)),
        layers=llama3._build_llama3_layers(
            fuse_qkv=True, n_layers=SIZES["num_hidden_layers"], dim=dim, n_heads=heads, n_kv_heads=1,
            hidden_dim=SIZES["intermediate_size"], attn_backend="flex",
            rope=llama3.ComplexRoPE.Config(dim=dim // heads, max_seq_len=64, theta=10000.0)))
    model = config.build()
    adapter = llama3.Llama3StateDictAdapter(config, None)
    missing = model.load_state_dict({k: v.clone() for k, v in adapter.from_hf(dict(hf.state_dict())).items()}, strict=False)
    assert not missing.unexpected_keys, missing
    fully_shard(model, mesh=mesh)

    manager = CheckpointManager(CheckpointManager.Config(enable=True, interval=1, keep_latest_k=0), dataloader=Loader(),
                                model_parts=[model], optimizers=Nothing(), lr_schedulers=Nothing(),
                                states={"train_state": TrainState()}, sd_adapter=adapter, base_folder=str(out))
    manager.save(6)
    finish(out, hf, "checkpoint/step-6", 6, 768)


def olmo_core(out):
    """Checkpointer of OLMo-core."""
    import torch
    from olmo_core.nn.transformer import TransformerConfig
    from olmo_core.nn.hf.convert import convert_state_from_hf
    from olmo_core.nn.attention import AttentionConfig
    from olmo_core.nn.transformer import TransformerBlockType
    from olmo_core.train.checkpoint import Checkpointer
    from torch.distributed.fsdp import fully_shard
    from olmo_core.distributed.utils import init_distributed
    mesh = start_gloo()
    hf = hf_model("olmo2")
    config = TransformerConfig.llama_like(
        d_model=8, vocab_size=20, n_layers=2, n_heads=2, n_kv_heads=1, hidden_size_multiple_of=12, hidden_size_multiplier=0.5,
        block_name=TransformerBlockType.reordered_norm, qk_norm=True, rope_theta=10000, layer_norm_eps=1e-6)
    model = config.build(init_device="cpu")
    state = convert_state_from_hf(hf.config, dict(hf.state_dict()), model_type="olmo2")
    model.load_state_dict(state)
    fully_shard(model, mesh=mesh)

    class Module:
        def state_dict_to_save(self):
            from torch.distributed.checkpoint.state_dict import get_model_state_dict
            return {"model": get_model_state_dict(model)}

    folder = out / "step12"
    Checkpointer(work_dir=out / "work").save(
        folder, Module(), {"global_step": 12, "global_train_tokens_seen": 1536, "max_steps": 20, "epoch": 1})
    if is_first():
        (folder / "config.json").write_text(json.dumps({"model": config.as_config_dict()}, default=str))
        shutil.rmtree(out / "work", ignore_errors=True)
    finish(out, hf, "step12", 12, 1536)


def litgpt(out):
    """litgpt's conversion from Hugging Face, then fabric.save of a training state as its pretrain script does."""
    import torch, lightning
    from litgpt import Config, GPT
    from litgpt.scripts.convert_hf_checkpoint import copy_weights_hf_llama
    from litgpt.utils import save_config
    hf = hf_model()
    config = Config(name="tiny", block_size=64, vocab_size=20, padding_multiple=64, n_layer=2, n_head=2, n_embd=8, n_query_groups=1,
                    head_size=4, rotary_percentage=1.0, parallel_residual=False, bias=False, norm_class_name="RMSNorm",
                    mlp_class_name="LLaMAMLP", intermediate_size=12)
    model = GPT(config)
    state = {}
    copy_weights_hf_llama(config, {}, state, dict(hf.state_dict()))
    for name, tensor in state.items():
        own = model.state_dict()[name]
        own[: tensor.shape[0]].copy_(tensor) if own.dim() else own.copy_(tensor)
    folder = out / "step-00000007"
    folder.mkdir(parents=True)
    fabric = lightning.Fabric(devices=1, accelerator="cpu")
    fabric.save(folder / "lit_model.pth", {"model": model, "iter_num": 14, "step_count": 7})
    save_config(config, folder)
    finish(out, hf, "step-00000007", 7)


def deepspeed_stage(out, stage, dtype):
    import torch, deepspeed
    hf = hf_model().to(dtype)
    whole = {k: v.clone() for k, v in hf.state_dict().items()}
    settings = {"train_micro_batch_size_per_gpu": 1, "zero_optimization": {"stage": stage},
                "optimizer": {"type": "Adam", "params": {"lr": 0.001, "torch_adam": True}}}
    if dtype is torch.bfloat16:
        settings["bf16"] = {"enabled": True}
    engine, *_ = deepspeed.initialize(model=hf, model_parameters=hf.parameters(), config=settings)
    engine.global_steps = 3
    engine.save_checkpoint(str(out), tag="global_step3")
    barrier()
    if is_first():
        for script in out.glob("*.py"):  # that DeepSpeed puts beside its checkpoints
            script.unlink()
    if stage == 3:
        whole = {k: v.float() for k, v in whole.items()}
    finish(out, hf_model(), "global_step3", 3, state=whole)


def deepspeed_zero1(out):
    import torch
    deepspeed_stage(out, 1, torch.bfloat16)


def deepspeed_zero2(out):
    import torch
    deepspeed_stage(out, 2, torch.float32)


def deepspeed_zero3(out):
    import torch
    deepspeed_stage(out, 3, torch.bfloat16)


def composer(out):
    """The file that Composer's Trainer writes."""
    import types, torch
    sys.modules["mcli"] = types.ModuleType("mcli")  # the client of a hosted platform, for a logger that is not used here
    from composer import Trainer
    from composer.models import HuggingFaceModel
    import transformers
    hf = hf_model()
    whole = {k: v.clone() for k, v in hf.state_dict().items()}
    data = [{"input_ids": torch.randint(0, 20, (8,)), "labels": torch.randint(0, 20, (8,))} for _ in range(2)]
    loader = torch.utils.data.DataLoader(data, batch_size=1)
    trainer = Trainer(model=HuggingFaceModel(hf, shift_labels=True), train_dataloader=loader, max_duration="2ba",
                      optimizers=torch.optim.SGD(hf.parameters(), lr=0.0), save_folder=str(out / "ckpt"), save_interval="2ba", device="cpu")
    trainer.fit()
    finish(out, hf, "ckpt/ep1-ba2-rank0.pt", 2, state=whole)


def megatron_part(hf, rank, ways):
    """One tensor-parallel rank's part of the weights, in the order of megatron.core."""
    import torch
    state, groups, width = hf.state_dict(), hf.config.num_key_value_heads, hf.config.head_dim
    rows = lambda tensor: tensor.chunk(ways, 0)[rank]
    columns = lambda tensor: tensor.chunk(ways, 1)[rank]
    part = {"embedding.word_embeddings.weight": rows(torch.cat([state["model.embed_tokens.weight"], torch.zeros(12, 8)])),
            "decoder.final_layernorm.weight": state["model.norm.weight"],
            "output_layer.weight": rows(torch.cat([state["lm_head.weight"], torch.zeros(12, 8)]))}
    for i in range(hf.config.num_hidden_layers):
        of = lambda name: state[f"model.layers.{i}.{name}.weight"]
        queries = of("self_attn.q_proj").view(groups, -1, width, 8)
        fused = torch.cat([queries, of("self_attn.k_proj").view(groups, 1, width, 8), of("self_attn.v_proj").view(groups, 1, width, 8)], 1)
        layer = f"decoder.layers.{i}."
        part |= {layer + "input_layernorm.weight": of("input_layernorm"), layer + "pre_mlp_layernorm.weight": of("post_attention_layernorm"),
                 layer + "self_attention.linear_qkv.weight": rows(fused.reshape(-1, 8)),
                 layer + "self_attention.linear_proj.weight": columns(of("self_attn.o_proj")),
                 layer + "mlp.linear_fc1.weight": torch.cat([rows(of("mlp.gate_proj")), rows(of("mlp.up_proj"))]),
                 layer + "mlp.linear_fc2.weight": columns(of("mlp.down_proj"))}
    return part


def megatron_model(ways):
    """megatron.core's GPTModel on the CPU; the calls into CUDA that it makes while it is built do nothing."""
    import argparse, torch
    torch.cuda.current_device = lambda: torch.device("cpu")
    torch.cuda.get_rng_state = lambda *a, **k: torch.zeros(16, dtype=torch.uint8)
    torch.cuda.set_rng_state = lambda *a, **k: None
    torch.cuda.synchronize = lambda *a, **k: None
    from megatron.core import parallel_state
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
    from megatron.core.transformer import TransformerConfig
    start_gloo()
    parallel_state.initialize_model_parallel(tensor_model_parallel_size=ways, create_gloo_process_groups=False)
    hf = hf_model(num_attention_heads=4, num_key_value_heads=2, head_dim=2)
    config = TransformerConfig(num_layers=2, hidden_size=8, num_attention_heads=4, num_query_groups=2, kv_channels=2, ffn_hidden_size=12,
                               gated_linear_unit=True, activation_func=torch.nn.functional.silu, add_bias_linear=False, normalization="RMSNorm",
                               use_cpu_initialization=True, perform_initialization=False, tensor_model_parallel_size=ways, bias_activation_fusion=False,
                               bias_dropout_fusion=False, masked_softmax_fusion=False, params_dtype=torch.float32)
    model = GPTModel(config, get_gpt_layer_local_spec(normalization="RMSNorm"), vocab_size=32, max_sequence_length=64,
                     position_embedding_type="rope", share_embeddings_and_output_weights=False)
    found = model.load_state_dict(megatron_part(hf, parallel_state.get_tensor_model_parallel_rank(), ways), strict=False)
    assert not found.unexpected_keys and not [k for k in found.missing_keys if "_extra_state" not in k], found
    arguments = argparse.Namespace(tensor_model_parallel_size=ways, pipeline_model_parallel_size=1, swiglu=True, num_layers=2,
                                   consumed_train_samples=40, seq_length=64, iteration=5, layernorm_zero_centered_gamma=False)
    return hf, model, {"args": arguments, "checkpoint_version": 3.0, "iteration": 5}


def megatron_legacy(out, ways):
    import torch
    from megatron.core import parallel_state
    hf, model, common = megatron_model(ways)
    folder = out / "iter_0000005" / f"mp_rank_{parallel_state.get_tensor_model_parallel_rank():02d}"
    folder.mkdir(parents=True)
    torch.save(common | {"model": model.state_dict_for_save_checkpoint()}, folder / "model_optim_rng.pt")
    finish(out, hf, "iter_0000005", 5, 2560)


def megatron_legacy_tp2(out):
    megatron_legacy(out, 2)


def megatron_dist_tp2(out):
    from megatron.core import dist_checkpointing
    hf, model, common = megatron_model(2)
    folder = out / "iter_0000005"
    if is_first():
        folder.mkdir(parents=True)
    barrier()
    dist_checkpointing.save(common | model.sharded_state_dict(prefix=""), str(folder))
    finish(out, hf, "iter_0000005", 5, 2560)


WRITERS = {"torch_fsdp": 2, "torchtitan": 2, "olmo_core": 2, "litgpt": 1, "deepspeed_zero1": 2, "deepspeed_zero2": 2,
           "deepspeed_zero3": 2, "composer": 1, "megatron_legacy_tp2": 2, "megatron_dist_tp2": 2}


def run(out, name, ranks):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(ranks):
        env = dict(os.environ, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(ranks), LOCAL_WORLD_SIZE=str(ranks),
                   MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1",
                   DS_ACCELERATOR="cpu", NODE_RANK="0", GROUP_RANK="0", NUM_NODES="1", OLMO_NUM_NODES="1", OLMO_LOCAL_WORLD_SIZE=str(ranks))
        children.append(subprocess.Popen([sys.executable, __file__, "--rank", name, str(out)], env=env,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    texts = []
    for child in children:
        try:
            texts.append(child.communicate(timeout=600)[0])
        except subprocess.TimeoutExpired:
            child.kill()
            texts.append("did not end within 600 s")
    if all(child.returncode == 0 for child in children):
        return None
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    if os.environ.get("WRITERS_LOG"):
        print("\n".join(lines), file=sys.stderr)
    return next((line for line in reversed(lines) if "Error" in line or "Exception" in line), lines[-1] if lines else "no output")


def main(out, *names):
    failed = 0
    for name in names or WRITERS:
        reason = run(pathlib.Path(out).resolve() / name, name, WRITERS[name])
        print(f"{name:20} " + ("written" if reason is None else "cannot write here: " + reason[:160]), flush=True)
        failed += reason is not None
    return failed


if __name__ == "__main__":
    if sys.argv[1] == "--rank":
        globals()[sys.argv[2]](pathlib.Path(sys.argv[3]))
        os._exit(0)  # without waiting for threads that libraries leave behind
    main(*sys.argv[1:])
