"""What the writers of bench/oracle/writers.py share: the tiny model, and what a checkpoint of it must give back."""
import json, os

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


def sequences():
    """Token sequences whose log-likelihoods are compared."""
    import torch
    generator = torch.Generator().manual_seed(11)
    return [torch.randint(0, SIZES["vocab_size"], (1, length), generator=generator) for length in (2, 9, 33)]


def loglikelihoods(logits_of):
    """Of every sequence, by logits [1, tokens, rows] of the framework's own model; rows beyond the vocabulary are padding."""
    import torch
    sums = []
    with torch.no_grad():
        for tokens in sequences():
            logits = logits_of(tokens)
            if logits is None:  # a pipeline stage that has none
                return None
            scores = logits[0, :-1, : SIZES["vocab_size"]].float().log_softmax(-1)
            sums.append(float(scores.double().gather(1, tokens[0, 1:, None]).sum()))
    return sums


def finish(out, model, checkpoint, step=None, tokens=None, state=None, *, scores):
    """What the checkpoint must give back; `scores`: log-likelihoods, or why the framework computes none here."""
    barrier()
    if not is_first():
        return
    model.config.to_json_file(out / "config.json")
    expected = {"writer": out.name, "checkpoint": checkpoint, "step": step, "tokens": tokens,
                "tensors": described(state or model.state_dict()),
                "sequences": [s[0].tolist() for s in sequences()], "loglikelihoods": scores}
    (out / "expected.json").write_text(json.dumps(expected) + "\n")


def in_fp32(model, state):
    """Logits of a Hugging Face model with the weights that were saved, in fp32."""
    import copy
    whole = copy.deepcopy(model).float()
    whole.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=False)
    return lambda tokens: whole(tokens).logits


def start_gloo():
    import torch.distributed as dist
    dist.init_process_group("gloo")
    return dist.device_mesh.init_device_mesh("cpu", (dist.get_world_size(),))
