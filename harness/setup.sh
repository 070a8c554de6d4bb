#!/usr/bin/env bash
# Sets up everything that deformdiff needs on Debian 12, builds it, and runs what is asked for.
#
#   harness/setup.sh fuzz [ARGS]   build the programs, then a short fuzz of every built-in implementation
#   harness/setup.sh test [ARGS]   build, then the tests (ARGS go to ctest)
#   harness/setup.sh build         build only
#   harness/setup.sh wheel         the Python package with the program in it, without LibTorch: a wheel in build/dist/
#
# What is already there is not installed again. Set DEFORMDIFF_TORCH_DIR to use a LibTorch 2.11 of your own (the
# folder with include/ and lib/), DEFORMDIFF_PREFIX to keep the downloads elsewhere than in .deps/.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly prefix=${DEFORMDIFF_PREFIX:-$PWD/.deps}
readonly build=build/release
readonly torch_version=2.11.0
readonly cuda_version=13.0.2
readonly packages=(cmake ninja-build g++ ccache python3-venv python3-pip libeigen3-dev libfmt-dev libgtest-dev
  librapidcheck-dev libcli11-dev libpugixml-dev libsqlite3-dev libsqlitecpp-dev nlohmann-json3-dev
  libboost-context-dev)

say() { printf '\n== %s\n' "$*"; }

install_packages() {
  local missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "Installing from Debian: ${missing[*]}"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# The nvcc of an installed CUDA 13 toolkit, or nothing.
system_nvcc() {
  local nvcc
  for nvcc in "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
    if [ -x "$nvcc" ] && "$nvcc" --version | grep -q 'release 13\.'; then
      printf '%s\n' "$nvcc"
      return
    fi
  done
}

# Wheels that LibTorch needs for CUDA libraries that the loader does not find on this machine.
missing_cuda_wheels() {
  local soname wheel
  while read -r soname wheel; do
    ldconfig -p | grep -qF "$soname " || printf '%s\n' "$wheel"
  done <<LIST
libcudnn.so.9 nvidia-cudnn-cu13==9.19.0.56
libnccl.so.2 nvidia-nccl-cu13==2.28.9
libcublas.so.13 cuda-toolkit[cublas]==$cuda_version
libcufft.so.12 cuda-toolkit[cufft]==$cuda_version
libcurand.so.10 cuda-toolkit[curand]==$cuda_version
libcusolver.so.12 cuda-toolkit[cusolver]==$cuda_version
libcusparse.so.12 cuda-toolkit[cusparse]==$cuda_version
libnvrtc.so.13 cuda-toolkit[nvrtc]==$cuda_version
libnvJitLink.so.13 cuda-toolkit[nvjitlink]==$cuda_version
libcupti.so.13 cuda-toolkit[cupti]==$cuda_version
libcudart.so.13 cuda-toolkit[cudart]==$cuda_version
LIST
}

install_torch() {
  if [ -n "${DEFORMDIFF_TORCH_DIR:-}" ]; then
    [ -e "$DEFORMDIFF_TORCH_DIR/lib/libtorch_cpu.so" ] && return
    echo "DEFORMDIFF_TORCH_DIR=$DEFORMDIFF_TORCH_DIR has no lib/libtorch_cpu.so: name the folder that has include/ and lib/" >&2
    exit 2
  fi
  export DEFORMDIFF_TORCH_DIR=$prefix/torch
  [ -e "$prefix/installed-$torch_version" ] && return
  local pip=("$prefix/venv/bin/python" -m pip install --quiet --disable-pip-version-check)
  [ -x "$prefix/venv/bin/python" ] || python3 -m venv "$prefix/venv"
  if [ -n "$(system_nvcc)" ]; then
    say "Installing LibTorch $torch_version from PyPI beside the CUDA toolkit found (about 0.8 GB)"
    "${pip[@]}" --no-deps torch==$torch_version numpy typing-extensions nvidia-cusparselt-cu13==0.8.0 \
      nvidia-nvshmem-cu13==3.4.5 nvidia-cufile==1.15.1.6
    local missing
    mapfile -t missing < <(missing_cuda_wheels)
    [ ${#missing[@]} -eq 0 ] || "${pip[@]}" "${missing[@]}"
  else
    say "Installing LibTorch $torch_version and the CUDA compiler from PyPI (about 2.8 GB)"
    "${pip[@]}" torch==$torch_version numpy "cuda-toolkit[nvcc,crt,nvvm,cccl]==$cuda_version"
  fi
  # For the Python package's tests; autograd needs sympy, torch.export and torch.compile the next four.
  "${pip[@]}" pytest sympy filelock fsspec jinja2 networkx onnx onnxruntime
  ln -sfn "$(echo "$prefix"/venv/lib/python3*/site-packages/torch)" "$prefix/torch"
  touch "$prefix/installed-$torch_version"
}

# Puts an nvcc on PATH: the system's, or the one from PyPI. Without one the CUDA parts are left out.
find_nvcc() {
  local nvcc
  nvcc=$(system_nvcc)
  if [ -z "$nvcc" ]; then
    local toolkit
    toolkit=$(dirname "$(readlink -f "$DEFORMDIFF_TORCH_DIR")")/nvidia/cu13
    nvcc=$toolkit/bin/nvcc
    # The wheels keep libraries in lib, where their nvcc does not look, and leave out the name to link by.
    export LIBRARY_PATH=$toolkit/lib${LIBRARY_PATH:+:$LIBRARY_PATH}
    [ ! -e "$toolkit/lib/libcudart.so.13" ] || ln -sf libcudart.so.13 "$toolkit/lib/libcudart.so"
  fi
  if [ -x "$nvcc" ]; then
    export PATH="${nvcc%/*}:$PATH"
  else
    say "No nvcc of CUDA 13 found: the CUDA operator is left out of this build"
  fi
}

# Builds what is named, or everything.
build() {
  say "Building in $build: ${*:-everything}"
  export CCACHE_SLOPPINESS=pch_defines,time_macros
  cmake --preset release -DDEFORMDIFF_TORCH_DIR="$DEFORMDIFF_TORCH_DIR" >"$prefix/configure.log" ||
    { cat "$prefix/configure.log"; exit 1; }
  grep -E '^-- (No |CUDA|LibTorch)' "$prefix/configure.log" || true
  cmake --build --preset release ${@:+--target "$@"}
}

main() {
  local command=${1:-}
  case $command in
    fuzz | test | build | wheel) shift ;;
    *)
      sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
  mkdir -p "$prefix"
  install_packages
  if [ "$command" = wheel ]; then
    say "Building a wheel in build/dist"
    exec python3 -m pip wheel . --no-deps --wheel-dir build/dist "$@"
  fi
  install_torch
  find_nvcc
  case $command in
    fuzz)
      build deformdiff deformdiff-worker
      say "Fuzzing every built-in implementation"
      exec "$build/bin/deformdiff" fuzz "$@"
      ;;
    build) build ;;
    test)
      build
      say "Running the tests"
      exec ctest --preset release "$@"
      ;;
  esac
}

main "$@"
