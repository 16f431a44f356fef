"""The inside of a model through HF transformers: the reference for couplingctl internals and steer.

Layer coupling, competing heads, the output bottleneck, the dimension of representations, the truth
direction and steered texts, from hidden states that forward hooks take out of the model, with NumPy
in float64. Used in two ways, by an interpreter that has torch, transformers and safetensors:

  python bench/oracle/internals.py fixtures tests/probes/internals/data
      writes tiny random models of the three families with what this script says about them;
  python bench/oracle/internals.py measure MODEL > expected.json
      says it about the model in a directory; `compare` holds it against couplingctl's JSON (bench/internals).
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer

PROMPTS = pathlib.Path(__file__).resolve().parents[2] / "probes" / "internals" / "prompts.json"
STEERED_PROMPT = "What is the capital of France?"
STEERED_TOKENS = 12


def prompts():
    data = json.loads(PROMPTS.read_text())
    groups = [[text + data["suffix"] for text in data[name]] for name in ("reasoning", "truthfulness", "neutral")]
    return data, groups


class Model:
    """A causal model with hooks on its layers, its heads and what its output matrix reads."""

    def __init__(self, directory):
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager").eval()
        base = self.model.base_model
        kind = self.model.config.model_type
        self.layers = base.h if kind == "gpt2" else base.layers
        self.norm = {"llama": "norm", "gpt2": "ln_f", "gpt_neox": "final_layer_norm"}[kind]
        projections = {
            "llama": lambda layer: layer.self_attn.o_proj,
            "gpt2": lambda layer: layer.attn.c_proj,
            "gpt_neox": lambda layer: layer.attention.dense,
        }
        self.heads_count = self.model.config.num_attention_heads
        self.residual, self.heads, self.output = {}, {}, None
        self.steer_layer, self.steer_by = None, None
        for index, layer in enumerate(self.layers):
            layer.register_forward_hook(self.on_layer(index))
            projections[kind](layer).register_forward_pre_hook(self.on_heads(index))
        getattr(base, self.norm).register_forward_hook(self.on_norm)

    def on_layer(self, index):
        def hook(_module, _arguments, result):
            hidden = result[0] if isinstance(result, tuple) else result
            if self.steer_by is not None and self.steer_layer == index + 1:
                hidden = hidden + self.steer_by
                result = (hidden, *result[1:]) if isinstance(result, tuple) else hidden
            self.residual[index] = hidden[0]
            return result
        return hook

    def on_heads(self, index):
        def hook(_module, arguments):
            self.heads[index] = arguments[0][0]
        return hook

    def on_norm(self, _module, _arguments, result):
        self.output = result[0]

    def ids(self, text):
        return self.tokenizer.encode(text.rstrip()).ids

    def forward(self, ids):
        with torch.no_grad():
            return self.model(torch.tensor([ids]), use_cache=False).logits[0]

    def states(self, texts):
        """Per text: the last token's residual behind each layer, its heads, what the output matrix reads, logits."""
        residual, heads, output, logits = [], [], [], []
        for text in texts:
            rows = self.forward(self.ids(text))
            residual.append(np.stack([self.residual[i][-1].double().numpy() for i in range(len(self.layers))]))
            heads.append(np.stack([self.heads[i][-1].double().numpy() for i in range(len(self.layers))]))
            output.append(self.output[-1].double().numpy())
            logits.append(rows[-1].double().numpy())
        return np.stack(residual), np.stack(heads), np.stack(output), np.stack(logits)


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def coupling(vectors, counts):
    reasoning, truthfulness, _ = split(vectors, counts)
    return cosine(reasoning.mean(0), truthfulness.mean(0))


def split(vectors, counts):
    return np.split(vectors, np.cumsum(counts)[:-1])


def competing_share(vectors, counts):
    reasoning, truthfulness, _ = split(vectors, counts)
    a = reasoning / np.linalg.norm(reasoning, axis=1, keepdims=True)
    b = truthfulness / np.linalg.norm(truthfulness, axis=1, keepdims=True)
    return float((a @ b.T < -0.5).mean())


def participation_ratio(vectors, counts):
    reasoning, truthfulness, _ = split(vectors, counts)
    eigenvalues = np.linalg.eigvalsh(np.cov(np.concatenate([reasoning, truthfulness]).T))[::-1]
    return float(eigenvalues.sum() ** 2 / (eigenvalues ** 2).sum()), eigenvalues[:8].tolist()


def internals(model, groups):
    counts = [len(group) for group in groups]
    residual, heads, output, logits = model.states([text for group in groups for text in group])
    layers = []
    for index in range(residual.shape[1]):
        vectors = residual[:, index]
        reasoning, truthfulness, neutral = split(vectors, counts)
        d_rep, eigenvalues = participation_ratio(vectors, counts)
        of_heads = np.split(heads[:, index], model.heads_count, axis=1)
        layers.append({
            "layer": index + 1,
            "coupling": coupling(vectors, counts),
            "centred": cosine(reasoning.mean(0) - neutral.mean(0), truthfulness.mean(0) - neutral.mean(0)),
            "competing_share": competing_share(vectors, counts),
            "d_rep": d_rep,
            "eigenvalues": eigenvalues,
            "head_coupling": [coupling(head, counts) for head in of_heads],
            "competing_heads": sum(competing_share(head, counts) > 0.5 for head in of_heads),
        })
    centred = logits - logits.mean(1, keepdims=True)
    return {
        "layers": layers,
        "hidden": coupling(output, counts),
        "logits": coupling(centred, counts),
        "ranks": rank_sweep(model, output, counts),
    }


def rank_sweep(model, output, counts):
    weight = model.model.get_output_embeddings().weight.detach().double().numpy()
    _, singular, right = np.linalg.svd(weight - weight.mean(0), full_matrices=False)
    ranks, rank = [], 1
    while True:
        rank = min(rank, len(singular))
        ranks.append([rank, coupling(output @ (right[:rank].T * singular[:rank]), counts)])
        if rank == len(singular):
            return ranks
        rank *= 2


def truth_direction(model, data, layer):
    """Unit vector of mean(true) - mean(false) behind `layer` layers, and the mean length of the states there."""
    true, false = ([pair[side] for pair in data["statements"]] for side in (0, 1))
    at_true, at_false = (model.states(texts)[0][:, layer - 1] for texts in (true, false))
    difference = at_true.mean(0) - at_false.mean(0)
    norm = np.linalg.norm(np.concatenate([at_true, at_false]), axis=1).mean()
    return difference / np.linalg.norm(difference), float(norm)


def greedy(model, prompt, layer, vector):
    model.steer_layer = layer
    model.steer_by = None if vector is None else torch.tensor(vector, dtype=torch.float32)
    ids = model.ids(prompt)
    start = len(ids)
    for _ in range(STEERED_TOKENS):
        logits = model.forward(ids)[-1]
        if len(ids) == start:
            first = logits
        ids.append(int(logits.argmax()))
    model.steer_by = None
    return ids[start:], first.double().numpy()


def steering(model, data, strengths, prompt):
    layer = len(model.layers) // 4
    direction, norm = truth_direction(model, data, layer)
    prompt = prompt or STEERED_PROMPT + data["suffix"]
    texts = []
    for strength in strengths:
        ids, logits = greedy(model, prompt, layer, None if strength == 0 else strength * direction)
        texts.append({"strength": strength, "ids": ids, "logits": logits[:64].tolist()})
    return {"layer": layer, "prompt": prompt, "direction": direction.tolist(), "mean_norm": norm, "texts": texts,
            "eos": model.model.config.eos_token_id}


def measure(directory, strengths, prompt=None):
    torch.manual_seed(0)
    data, groups = prompts()
    model = Model(directory)
    return {"internals": internals(model, groups), "steering": steering(model, data, strengths, prompt)}


# --- comparison with couplingctl ------------------------------------------------------------------------------------

TOLERANCE = 1e-4


def worst(pairs):
    return max(abs(ours - theirs) for ours, theirs in pairs)


def until(ids, end):
    return ids[:ids.index(end)] if end in ids else ids


def compare(folder, tokenizer):
    """Prints the largest difference of each quantity; fails where one is above the tolerance."""
    expected = json.loads((folder / "expected.json").read_text())
    ours = json.loads((folder / "internals.json").read_text())["internals"]
    theirs = expected["internals"]
    layers = list(zip(ours["layers"], theirs["layers"], strict=True))
    rows = [
        ("layer coupling", worst((a["coupling"]["value"], b["coupling"]) for a, b in layers)),
        ("centred coupling", worst((a["centred"]["value"], b["centred"]) for a, b in layers)),
        ("competing share of a layer", worst((a["competing_share"], b["competing_share"]) for a, b in layers)),
        ("head coupling", worst(pair for a, b in layers for pair in zip(a["head_coupling"], b["head_coupling"]))),
        ("competing heads", worst((a["competing_heads"], b["competing_heads"]) for a, b in layers)),
        ("d_rep, relative", worst((a["d_rep"]["value"] / b["d_rep"], 1) for a, b in layers)),
        ("coupling before the output", abs(ours["bottleneck"]["hidden"]["value"] - theirs["hidden"])),
        ("coupling after it", abs(ours["bottleneck"]["logits"]["value"] - theirs["logits"])),
        ("coupling by rank", worst((a["coupling"]["value"], b[1])
                                   for a, b in zip(ours["ranks"], theirs["ranks"], strict=True))),
    ]
    decode = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    for path in sorted(folder.glob("steer-*.json")):
        steering = json.loads(path.read_text())["steering"]
        texts = {text["strength"]: decode.decode(until(text["ids"], expected["steering"]["eos"]),
                                                 skip_special_tokens=False)
                 for text in expected["steering"]["texts"]}
        same = steering["without"] == texts[0.0] and steering["with"] == texts[steering["strength"]]
        rows.append((f"texts at strength {steering['strength']:g} (0: the same)", 0.0 if same else 1.0))
        rows.append(("mean length of a state, relative",
                     abs(steering["mean_norm"] / expected["steering"]["mean_norm"] - 1)))
    for name, difference in rows:
        print(f"{name:36} {difference:10.2e}  {'ok' if difference <= TOLERANCE else 'DIFFERS'}")
    if any(difference > TOLERANCE for _, difference in rows):
        sys.exit(f"internals: a quantity differs by more than {TOLERANCE:g}")


# --- fixtures -------------------------------------------------------------------------------------------------------

TINY = dict(vocab_size=100)


def tiny_models():
    llama = transformers.LlamaConfig(
        **TINY, hidden_size=16, intermediate_size=24, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256)
    gpt2 = transformers.GPT2Config(
        **TINY, n_embd=16, n_layer=4, n_head=4, n_positions=256, bos_token_id=0, eos_token_id=0)
    neox = transformers.GPTNeoXConfig(
        **TINY, hidden_size=32, intermediate_size=24, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=256)
    return {
        "llama": (transformers.LlamaForCausalLM, llama),
        "gpt2": (transformers.GPT2LMHeadModel, gpt2),
        "gpt_neox": (transformers.GPTNeoXForCausalLM, neox),
    }


def randomise(model, seed):
    """As in model_fixtures.py: biases and norms that would show a mistake."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_norm = parameter.dim() == 1 and name.endswith("weight")
        parameter.data = 1.0 + 0.2 * noise if is_norm else 0.25 * noise


def tokenizer_json():
    """Byte-level without merges: one token per printable ASCII character, the blank and the line break."""
    vocabulary = {"\u0120": 0, "\u010a": 1}
    for code in range(33, 127):
        vocabulary[chr(code)] = len(vocabulary)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": vocabulary, "merges": []},
    }


def write_fixtures(root):
    root.mkdir(parents=True, exist_ok=True)
    for seed, (name, (kind, config)) in enumerate(tiny_models().items()):
        directory = root / name
        model = kind(config).eval()
        randomise(model, seed)
        model.save_pretrained(directory)
        (directory / "generation_config.json").unlink(missing_ok=True)
        (directory / "tokenizer.json").write_text(json.dumps(tokenizer_json()) + "\n")
        expected = measure(directory, strengths=[0.0, 1.5, -3.0])
        (directory / "expected.json").write_text(json.dumps(expected) + "\n")
    (root / "README.md").write_text(
        "Tiny random models and what HF transformers and NumPy say about their inside, written by\n"
        f"bench/oracle/internals.py with transformers {transformers.__version__}, torch {torch.__version__} and\n"
        f"NumPy {np.__version__} from probes/internals/prompts.json.\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("fixtures").add_argument("root", type=pathlib.Path)
    one = verbs.add_parser("measure")
    one.add_argument("model", type=pathlib.Path)
    one.add_argument("--strengths", default="0,1.5,3")
    one.add_argument("--prompt", help="the text that is steered")
    two = verbs.add_parser("compare")
    two.add_argument("folder", type=pathlib.Path)
    two.add_argument("--tokenizer", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if arguments.verb == "compare":
        return compare(arguments.folder, arguments.tokenizer)
    if arguments.verb == "fixtures":
        return write_fixtures(arguments.root)
    strengths = [float(word) for word in arguments.strengths.split(",")]
    json.dump(measure(arguments.model, strengths, arguments.prompt), sys.stdout)


if __name__ == "__main__":
    main()
