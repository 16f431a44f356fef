"""Lets torch's CUDA build run on a CPU without 2.7 GB of CUDA libraries.

The wheel of torch on PyPI links libcublas, libcudnn and others, which CPU inference never calls. This
makes small libraries of those names that define the symbols torch asks them for; a call aborts.
Libraries that are really installed are left alone. Needs gcc and readelf.

  python bench/oracle/cuda_stand_ins.py SITE_PACKAGES OUT     then LD_LIBRARY_PATH=OUT
"""

import pathlib
import re
import subprocess
import sys
import tempfile

CUDA = re.compile(r"lib(cu|nv|nccl)")
SYMBOL = re.compile(r"UND\s+([A-Za-z_]\w*)(?:@([^\s(]+))?")
PREFIXES = {"libcublas": "cublas", "libcudnn": "cudnn", "libcufft": "cufft", "libcurand": "curand"}
PREFIXES |= {"libcusolver": "cusolver", "libcusparse": "cusparse", "libnccl": "nccl", "libnvrtc": "nvrtc"}
PREFIXES |= {"libcufile": "cuFile", "libnvshmem_host": "nvshmem"}


def readelf(option, path):
    return subprocess.run(["readelf", "-W", option, str(path)], capture_output=True, text=True, check=True).stdout


def wanted(torch_lib, present):
    """{library: {symbol: version}} of what torch's libraries need and nothing provides."""
    needs = {}
    for path in sorted(torch_lib.glob("*.so")):
        missing = set(re.findall(r"NEEDED.*\[(.*)\]", readelf("-d", path)))
        missing = {n for n in missing if CUDA.match(n) and n not in present and n != "libcuda.so.1"}
        if not missing:
            continue
        for library in missing:
            needs.setdefault(library, {})
        file_of = dict(version_files(readelf("-V", path)))
        for symbol, version in SYMBOL.findall(readelf("--dyn-syms", path)):
            library = file_of.get(version) if version else unversioned(symbol, missing)
            if library in missing:
                needs[library][symbol] = version
    return needs


def version_files(text):
    file = None
    for line in text.splitlines():
        if found := re.search(r"File: (\S+)", line):
            file = found[1]
        elif found := re.search(r"Name: (\S+)\s+Flags", line):
            yield found[1], file


def unversioned(symbol, libraries):
    for library in sorted(libraries, key=len, reverse=True):
        prefix = PREFIXES.get(library.split(".so")[0])
        if prefix and symbol.startswith(prefix):
            return library
    return None


def make(library, symbols, out):
    with tempfile.TemporaryDirectory() as folder:
        source, script = pathlib.Path(folder, "s.c"), pathlib.Path(folder, "s.map")
        source.write_text("".join(f"void {s}(void) {{ __builtin_trap(); }}\n" for s in symbols))
        nodes = {}
        for symbol, version in symbols.items():
            nodes.setdefault(version, []).append(symbol)
        script.write_text("".join(f"{v} {{ global: {'; '.join(s)}; }};\n" for v, s in nodes.items() if v))
        command = ["gcc", "-shared", "-fPIC", "-w", f"-Wl,-soname,{library}", "-o", str(out / library), str(source)]
        if script.stat().st_size:
            command.append(f"-Wl,--version-script={script}")
        subprocess.run(command, check=True)


def main():
    site, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    present = {p.name for p in site.glob("nvidia/**/*.so*")} | {p.name for p in site.glob("torch/lib/*.so*")}
    needs = wanted(site / "torch" / "lib", present)
    for library, symbols in needs.items():
        make(library, symbols, out)
    print(f"{out}: {len(needs)} stand-ins with {sum(map(len, needs.values()))} symbols")


if __name__ == "__main__":
    main()
