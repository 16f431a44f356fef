# Sourced from the root: fetches lm-eval 0.4.13 and what its tasks need (no torch; 550 MB unpacked) into .deps/prompts, and names
# its folder in `lm_eval_site`.
lm_eval_site=$PWD/.deps/prompts/site
if ! cmp -s bench/oracle/prompts-requirements.txt "$PWD/.deps/prompts/requirements.txt"; then
  echo "Fetching lm-eval 0.4.13 into .deps/prompts" >&2
  rm -rf "$PWD/.deps/prompts"
  PYTHONPATH='' PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --progress-bar on --no-deps --no-compile \
    --root-user-action=ignore --target "$lm_eval_site" -r bench/oracle/prompts-requirements.txt
  cp bench/oracle/prompts-requirements.txt "$PWD/.deps/prompts/requirements.txt"
fi
