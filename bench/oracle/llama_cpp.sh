#!/usr/bin/env bash
# Builds llama.cpp's llama-perplexity from the sources inside the source distribution of llama-cpp-python 0.3.36:
#   bench/oracle/llama_cpp.sh FOLDER     makes FOLDER/bin/llama-perplexity and FOLDER/source
set -euo pipefail
folder=$1
version=0.3.36
mkdir -p "$folder"
if [ ! -d "$folder/source" ]; then
  echo "Fetching llama-cpp-python $version" >&2
  scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
  # The backend is there so that pip can name the package; nothing is built by pip.
  PYTHONPATH='' PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip download --quiet --no-deps --no-binary llama-cpp-python \
    --dest "$scratch" "llama-cpp-python==$version" >&2
  tar -xzf "$scratch"/llama_cpp_python-*.tar.gz -C "$scratch"
  mv "$scratch"/llama_cpp_python-*/vendor/llama.cpp "$folder/source"
fi
echo "Building llama-perplexity" >&2
cmake -S "$folder/source" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DBUILD_SHARED_LIBS=OFF \
  -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF \
  -DLLAMA_BUILD_TOOLS=ON > "$folder/configure.log"
cmake --build "$folder/build" --target llama-perplexity -j "${COUPLINGD_JOBS:-$(nproc)}" > "$folder/build.log"
mkdir -p "$folder/bin"
cp "$folder/build/bin/llama-perplexity" "$folder/bin/"
