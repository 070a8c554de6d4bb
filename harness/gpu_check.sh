#!/usr/bin/env bash
# Checks the CUDA operator on a machine with a GPU: the emulation in ctest proves its logic, this proves the rest.
#
#   harness/gpu_check.sh [CASES]     CASES: fuzz cases of the forward, half as many of the backward (default 3000)
#
# Forward and backward in every dtype, streams, every device that there is, determinism on request, and
# compute-sanitizer's memcheck, racecheck, initcheck and synccheck. Needs: an NVIDIA GPU of compute capability 8.0 or
# newer with a driver for CUDA 13, an nvcc of CUDA 13, and compute-sanitizer (part of the CUDA toolkit). Meant to take
# less than ten minutes after the build. What it found is in gpu-check/report.txt, with a JSON report of each replay
# and fuzz.
# Exit code: 0 if everything agreed and was really run on the device, 1 otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly cases=${1:-3000}
readonly program=build/release/bin/deformdiff
readonly out=gpu-check
readonly subjects=(--subject cuda --subject composite_cuda)
readonly required=(--require cuda --require composite_cuda)

fail() { printf 'gpu_check: %s\n' "$*" | tee -a "$out/report.txt" >&2; exit 1; }

# step NAME COMMAND...: runs it, says how it went and how long it took; the first failure ends the check.
step() {
  local name=$1 begin=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  if "$@" >"$out/log.txt" 2>&1; then
    tail -n 3 "$out/log.txt"
    printf 'passed  %4d s  %s\n' $((SECONDS - begin)) "$name" >>"$out/report.txt"
  else
    cat "$out/log.txt"
    printf 'FAILED  %4d s  %s\n' $((SECONDS - begin)) "$name" >>"$out/report.txt"
    tail -n 40 "$out/log.txt" >>"$out/report.txt"
    fail "$name: see above"
  fi
}

# Every process that compute-sanitizer watched must have written a summary without an error.
check_logs() {
  local log found=0
  for log in "$1"/*.log; do
    [ -e "$log" ] || continue
    found=1
    grep -Eq 'ERROR SUMMARY: 0 errors|RACECHECK SUMMARY: 0 hazards' "$log" || { cat "$log"; return 1; }
  done
  [ "$found" -eq 1 ] || { echo "compute-sanitizer wrote nothing into $1"; return 1; }
}

sanitized() {
  local tool=$1
  shift
  mkdir -p "$out/$tool"
  "$program" replay "$@" --subject cuda --case-timeout 600s \
    --worker-prefix "compute-sanitizer --tool $tool --log-file $out/$tool/%p.log" || return 1
  check_logs "$out/$tool"
}

rm -rf "$out"
mkdir -p "$out"
if ! nvidia-smi -L >"$out/report.txt" 2>/dev/null; then
  fail "no NVIDIA driver on this machine"
fi
cat "$out/report.txt"
git describe --always --dirty >>"$out/report.txt" 2>/dev/null || true

step "build" harness/setup.sh build
[ -e build/release/bin/libdeformdiff_cuda.so ] ||
  fail "the build left the CUDA operator out: is there an nvcc of CUDA 13?"

operator=(cases/ms_deform_attn/smoke/*.json cases/ms_deform_attn_backward/smoke/*.json)
all=(cases/*/smoke/*.json)
for file in "${operator[@]}"; do [ -e "$file" ] || fail "no such case: $file"; done

step "unit tests on the device" build/release/bin/subjects_test --gtest_filter='*cuda*:CudaDevices.*'
step "fuzz, forward" "$program" fuzz --block ms_deform_attn --cases "$cases" --seed 1 --out "$out/forward" \
  "${subjects[@]}" "${required[@]}" --report "json:$out/forward.json"
step "fuzz, backward" "$program" fuzz --block ms_deform_attn_backward --cases $((cases / 2)) --seed 1 \
  --out "$out/backward" "${subjects[@]}" "${required[@]}" --report "json:$out/backward.json"
step "hand-written cases of every block" "$program" replay "${all[@]}" "${subjects[@]}" --report "json:$out/cases.json"

command -v compute-sanitizer >/dev/null || fail "compute-sanitizer is not on PATH"
# The caching allocator hides overruns between its blocks.
export PYTORCH_NO_CUDA_MEMORY_CACHING=1
for tool in memcheck racecheck initcheck synccheck; do
  step "compute-sanitizer: $tool" sanitized "$tool" "${operator[@]}"
done

printf '\n'
cat "$out/report.txt"
printf '\nThe CUDA operator agrees, and compute-sanitizer has nothing to say (%d s)\n' "$SECONDS" | tee -a "$out/report.txt"
