#!/usr/bin/env bash
# Checks the CUDA operator on a machine with a GPU: the emulation in ctest proves its logic, this proves the rest.
#
#   harness/gpu_check.sh [CASES]     CASES: fuzz cases (default 5000)
#
# Needs: an NVIDIA GPU of compute capability 8.0 or newer with a driver for CUDA 13, an nvcc of CUDA 13, and
# compute-sanitizer (part of the CUDA toolkit) for the last step. Takes about fifteen minutes after the build.
# Exit code: 0 if everything agreed and was really run on the device, 1 otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly cases=${1:-5000}
readonly program=build/release/bin/deformdiff
readonly out=$(mktemp -d)
readonly subjects=(--subject cuda --subject composite_cuda)
trap 'rm -rf "$out"' EXIT

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'gpu_check: %s\n' "$*" >&2; exit 1; }

# Every process that compute-sanitizer watched must have written a summary without an error.
check_logs() {
  local log found=0
  for log in "$1"/*.log; do
    [ -e "$log" ] || continue
    found=1
    grep -Eq 'ERROR SUMMARY: 0 errors|RACECHECK SUMMARY: 0 hazards' "$log" || { cat "$log" >&2; fail "$1: see above"; }
  done
  [ "$found" -eq 1 ] || fail "compute-sanitizer wrote nothing into $1"
}

command -v nvidia-smi >/dev/null && nvidia-smi -L || fail "no NVIDIA driver on this machine"

say "Build"
harness/setup.sh build
[ -e build/release/bin/libdeformdiff_cuda.so ] || fail "the build left the CUDA operator out: is there an nvcc of CUDA 13?"

say "Unit tests of every implementation, on the device as well"
ctest --test-dir build/release --output-on-failure -R 'Each(Subject|Backward).*cuda'

say "Hand-written cases"
smoke=(cases/ms_deform_attn/smoke/*.json)
[ -e "${smoke[0]}" ] || fail "no smoke cases found"
"$program" replay "${smoke[@]}" "${subjects[@]}"

say "Deep blocks: hand-written cases, then 40 of each"
deep=(cases/*/smoke/*.json)
"$program" replay "${deep[@]}" "${subjects[@]}"
"$program" fuzz --cases 40 --seed 1 --out "$out/deep" "${subjects[@]}" --require cuda --require composite_cuda

say "Fuzz: $cases cases of all tiers"
"$program" fuzz --block ms_deform_attn --cases "$cases" --seed 1 --out "$out/fuzz" "${subjects[@]}" \
  --require cuda --require composite_cuda

say "compute-sanitizer"
command -v compute-sanitizer >/dev/null || fail "compute-sanitizer is not on PATH"
# The caching allocator hides overruns between its blocks.
export PYTORCH_NO_CUDA_MEMORY_CACHING=1
for tool in memcheck racecheck initcheck; do
  echo "-- $tool"
  mkdir -p "$out/$tool"
  "$program" replay "${smoke[@]}" --subject cuda --case-timeout 600s \
    --worker-prefix "compute-sanitizer --tool $tool --log-file $out/$tool/%p.log"
  check_logs "$out/$tool"
done

say "The CUDA operator agrees, and compute-sanitizer has nothing to say"
