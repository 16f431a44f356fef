#!/usr/bin/env python3
"""Writes checkpoints whose tensors mean another computation, or lie in parts that are not merged, with torch.save (2.11.0).

  refused_fixtures.py tests/probes/checkpoint/data/refused

Each is a directory with expected.json: {"checkpoint", "says"}, the words that its refusal must hold.
"""
import argparse, json, pathlib, shutil, sys

import torch

WEIGHT = {"decoder.final_layernorm.weight": torch.ones(2)}
MEGATRON = {  # an argument, and the words of the refusal
    "megatron_layernorm_1p": (dict(apply_layernorm_1p=True), "minus one"),
    "megatron_zero_centered_gamma": (dict(layernorm_zero_centered_gamma=True), "minus one"),
    "megatron_rotary_interleaved": (dict(rotary_interleaved=True), "neighbouring elements"),
    "megatron_qk_l2_norm": (dict(qk_l2_norm=True), "divided by their length"),
    "megatron_sigmoid_router": (dict(moe_router_score_function="sigmoid"), "softmax"),
    "megatron_expert_bias": (dict(moe_router_enable_expert_bias=True), "with a bias"),
    "megatron_expert_parallel": (dict(expert_model_parallel_size=2), "expert-parallel"),
}


def megatron(folder, arguments, name="mp_rank_00", **more):
    path = folder / "iter_0000001" / name / "model_optim_rng.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    usual = dict(tensor_model_parallel_size=1, pipeline_model_parallel_size=1, rotary_interleaved=False, softmax_type="vanilla",
                 moe_router_score_function="softmax", layernorm_zero_centered_gamma=False)
    state = {"args": argparse.Namespace(**(usual | arguments)), "checkpoint_version": 3.0, "iteration": 1, "model": WEIGHT}
    torch.save(state | more, path)


def deepspeed(folder, name="zero_pp_rank_0_mp_rank_00_model_states.pt", **more):
    path = folder / "global_step1" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"module": {}, "param_shapes": [], "buffer_names": [], "mp_world_size": 1, "global_steps": 1} | more, path)


def main(out):
    out = pathlib.Path(out)
    shutil.rmtree(out, ignore_errors=True)

    def case(name, checkpoint, says):
        folder = out / name
        folder.mkdir(parents=True)
        (folder / "expected.json").write_text(json.dumps({"checkpoint": checkpoint, "says": says}) + "\n")
        return folder

    for name, (arguments, says) in MEGATRON.items():
        megatron(case(name, "iter_0000001", says), arguments)
    megatron(case("megatron_virtual_pipeline", "iter_0000001", "virtual pipeline"), {}, model0=WEIGHT, model1=WEIGHT)
    megatron(case("megatron_expert_part", "iter_0000001", "expert-parallel"), {}, name="mp_rank_00_000_001")
    frozen = {"frozen_param_shapes": {"a.weight": torch.Size([2])}, "frozen_param_fragments": {"a.weight": torch.ones(1)}}
    deepspeed(case("deepspeed_zero3_frozen", "global_step1", "1 frozen parameters"), **frozen)
    deepspeed(case("deepspeed_zero3_two_tensor_parts", "global_step1", "tensor-parallel"), mp_world_size=2)
    folder = case("deepspeed_zero3_tensor_part", "global_step1", "zero_pp_rank_0_mp_rank_01_model_states.pt")
    deepspeed(folder)
    deepspeed(folder, "zero_pp_rank_0_mp_rank_01_model_states.pt")
    folder = case("deepspeed_pipeline", "global_step1", "layer_01-model_00-model_states.pt")
    deepspeed(folder, "mp_rank_00_model_states.pt")
    deepspeed(folder, "layer_01-model_00-model_states.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
