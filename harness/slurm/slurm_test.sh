#!/usr/bin/env bash
# A night on a real Slurm: slurm_test.sh PROGRAM FOLDER
# Two arrays, one of two tasks of which one is put back into the queue, and their merge are the uninterrupted run. Exit
# code 77 where Slurm is missing.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
readonly here program=$1 folder=$2
night=(--block ms_deform_attn --cases 300 --no-shrink --seed 7)

fail() {
  echo "slurm_test: $*"
  cat "$folder"/night/log/* || true
  exit 1
}

done_cases() {
  "$program" report "$1" --report json:/dev/stdout 2>/dev/null | sed -n 's/^ *"cases": \([0-9]*\).*/\1/p' | head -n 1
}

# wait_for COMMAND...: a minute's work, and as long again for a machine that does other things.
wait_for() {
  local end=$((SECONDS + 600))
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fail "waited in vain for: $*"
    sleep 0.2
  done
}

has_begun() { local cases && cases=$(done_cases "$1") && [ "${cases:-0}" -ge 4 ]; }
is_pending() { squeue -h -j "$1" -o %T | grep -q PENDING; }
is_over() { [ -z "$(squeue -h)" ]; }

in_cluster() {
  local job code=0
  DEFORMDIFF=$program "$here/submit.sh" -o "$folder/night" -n 2 -f '--subject cpu' -n 1 -f '--subject fault/range_to_last_pixel' \
    -r "json:$folder/night.json" -- "${night[@]}" | tee "$folder/submitted"
  job=$(sed -n 's/^array of 2: job //p' "$folder/submitted")

  wait_for has_begun "$folder/night/parts/array1-1"
  scontrol requeue "${job}_1"
  wait_for is_pending "${job}_1"
  # Slurm would let it wait for two minutes.
  scontrol update JobId="${job}_1" StartTime=now
  wait_for is_over

  [ ! -e "$folder/night/parts/array1-1/journal.previous.sqlite" ] || fail "the requeued task began anew"
  grep -q 'range_to_last_pixel' "$folder/night/log/merge.txt" || fail "no report"
  ! grep -q 'missing' "$folder/night/log/merge.txt" || fail "cases are missing"
  "$program" fuzz "${night[@]}" --subject cpu --subject fault/range_to_last_pixel --out "$folder/whole" --quiet \
    --progress never --report "json:$folder/whole.json" || code=$?
  [ "$code" -eq 1 ] || fail "exit $code of the uninterrupted run, wanted 1"
  python3 "$here/../cli/same_results.py" "$folder/whole.json" "$folder/night.json" counts || fail "other results"
}

if [ "${3:-}" = in_cluster ]; then
  in_cluster
else
  rm -rf "$folder"
  mkdir -p "$folder"
  "$here/test_cluster.sh" "$folder/cluster" "$0" "$program" "$folder" in_cluster
fi
