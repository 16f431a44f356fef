#!/usr/bin/env python3
"""Lets training libraries write checkpoints of one tiny model, on the CPU, with their own code.

  writers.py OUT [NAME ...]        all writers, or these; one line each

OUT/NAME/ holds config.json, expected.json and the checkpoint that expected.json names: {"writer", "checkpoint", "step",
"tokens", "tensors": {Hugging Face name: {"dtype", "shape", "bytes" (hex)}}, "sequences", "loglikelihoods"}; the last are of the
framework's own model, or a text that says why it cannot compute any. The weights begin as a transformers model; each
library's own converter, where it has one, brings them into its model, so that the names are checked too.
Versions that the fixtures were made with: torch 2.11.0, transformers 5.23.0, torchtitan 0.3.0, ai2-olmo-core 3.0.0,
litgpt 0.5.13, deepspeed 0.19.8, megatron-core 0.19.2, mosaicml 0.32.1.
"""
import json, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile

from writers_common import SIZES, barrier, finish, hf_model, in_fp32, is_first, loglikelihoods, start_gloo
import writers_megatron as megatron

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
    scores = loglikelihoods(lambda tokens: model(tokens).logits)
    finish(out, whole, "checkpoint-4", 4, 256, scores=scores)


def hf_trainer(out):
    """The Trainer of transformers: checkpoint-2 as it writes it."""
    import torch, transformers
    model = hf_model()
    whole = {k: v.clone() for k, v in model.state_dict().items()}
    rows = [{"input_ids": torch.randint(0, 20, (8,)), "labels": torch.randint(0, 20, (8,))} for _ in range(2)]
    settings = transformers.TrainingArguments(str(out), max_steps=2, save_steps=2, per_device_train_batch_size=1, learning_rate=0.0,
                                              use_cpu=True, report_to=[], include_num_input_tokens_seen="all", disable_tqdm=True)
    trainer = transformers.Trainer(model=model, args=settings, train_dataset=rows)
    trainer.train()
    scores = loglikelihoods(lambda tokens: trainer.model.eval()(tokens).logits)
    finish(out, model, "checkpoint-2", 2, 16, state=whole, scores=scores)


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
    from torch.nn.attention.flex_attention import create_block_mask
    if not hasattr(torch.distributed.fsdp, "DataParallelMeshDims"):  # of a newer torch, for a way to shard that is not used here
        torch.distributed.fsdp.DataParallelMeshDims = object
    from torchtitan.components.checkpointer.dcp import CheckpointManager
    from torchtitan.models import llama3
    mesh = start_gloo()
    hf = hf_model(rms_norm_eps=1e-5)
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


    def logits_of(tokens):  # torchtitan's own causal mask asks for a newer torch
        size = tokens.shape[1]
        mask = create_block_mask(lambda b, h, query, key: query >= key, 1, None, size, size, device="cpu")
        return model(tokens, torch.arange(size)[None], mask)
    scores = loglikelihoods(logits_of)
    fully_shard(model, mesh=mesh)

    manager = CheckpointManager(CheckpointManager.Config(enable=True, interval=1, keep_latest_k=0), dataloader=Loader(),
                                model_parts=[model], optimizers=Nothing(), lr_schedulers=Nothing(),
                                states={"train_state": TrainState()}, sd_adapter=adapter, base_folder=str(out))
    manager.save(6)
    finish(out, hf, "checkpoint/step-6", 6, 768, scores=scores)


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
        block_name=TransformerBlockType.reordered_norm, qk_norm=True, rope_theta=10000, layer_norm_eps=hf.config.rms_norm_eps)
    model = config.build(init_device="cpu")
    state = convert_state_from_hf(hf.config, dict(hf.state_dict()), model_type="olmo2")
    model.load_state_dict(state)
    scores = loglikelihoods(model)
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
    finish(out, hf, "step12", 12, 1536, scores=scores)


def litgpt(out):
    """litgpt's conversion from Hugging Face, then fabric.save of a training state as its pretrain script does."""
    import torch, lightning
    from litgpt import Config, GPT
    from litgpt.scripts.convert_hf_checkpoint import copy_weights_hf_llama
    from litgpt.utils import save_config
    hf = hf_model()
    config = Config(name="tiny", block_size=64, vocab_size=20, padding_multiple=64, n_layer=2, n_head=2, n_embd=8, n_query_groups=1,
                    head_size=4, rotary_percentage=1.0, parallel_residual=False, bias=False, norm_class_name="RMSNorm",
                    mlp_class_name="LLaMAMLP", intermediate_size=12, norm_eps=hf.config.rms_norm_eps)
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
    finish(out, hf, "step-00000007", 7, scores=loglikelihoods(model.eval()))


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
    logits_of = (lambda tokens: engine(tokens).logits) if dtype is torch.float32 else in_fp32(hf_model(), whole)
    finish(out, hf_model(), "global_step3", 3, state=whole, scores=loglikelihoods(logits_of))


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
    scores = loglikelihoods(lambda tokens: trainer.state.model.eval()({"input_ids": tokens}).logits)
    written = next(out.glob("ckpt/ep*-ba2-rank0.pt"))
    finish(out, hf, str(written.relative_to(out)), 2, state=whole, scores=scores)


WRITERS = {"hf_trainer": 1, "torch_fsdp": 2, "torchtitan": 2, "olmo_core": 2, "litgpt": 1, "deepspeed_zero1": 2, "deepspeed_zero2": 2,
           "deepspeed_zero3": 2, "composer": 1} | {name: ranks for name, (_, ranks, _) in megatron.WRITERS.items()}


def run(out, name, ranks):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(ranks):
        env = dict(os.environ, TORCHDYNAMO_DISABLE="1", RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(ranks), LOCAL_WORLD_SIZE=str(ranks),
                   MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1",
                   DS_ACCELERATOR="cpu", NODE_RANK="0", GROUP_RANK="0", NUM_NODES="1", OLMO_NUM_NODES="1", OLMO_LOCAL_WORLD_SIZE=str(ranks))
        log = tempfile.TemporaryFile("w+")
        children.append((subprocess.Popen([sys.executable, __file__, "--rank", name, str(out)], env=env, stdout=log,
                                          stderr=subprocess.STDOUT, start_new_session=True), log))
    texts = []
    for child, log in children:
        try:
            child.wait(timeout=600)
        except subprocess.TimeoutExpired:
            print("did not end within 600 s", file=log)
        try:
            os.killpg(child.pid, signal.SIGKILL)  # what a library left running too
        except ProcessLookupError:
            pass
        child.wait()
        log.seek(0)
        texts.append(log.read())
    if all(child.returncode == 0 for child, _ in children):
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
        name, out = sys.argv[2], pathlib.Path(sys.argv[3])
        megatron.write(out, name) if name in megatron.WRITERS else globals()[name](out)
        os._exit(0)  # without waiting for threads that libraries leave behind
    main(*sys.argv[1:])
