#!/usr/bin/env bash
# The job after all arrays, which submit.sh submits: merge_job.sh PROGRAM DIR REPORT...
# Joins DIR/parts/* in DIR/merged, in place of what was there, and writes the reports.
set -euo pipefail

readonly program=$1 folder=$2
shift 2

parts=()
for journal in "$folder"/parts/*/journal.sqlite; do
  parts+=("$(dirname "$journal")")
done
words=()
for report in "$@"; do
  words+=(--report "$report")
done
rm -rf "$folder/merged"
exec "$program" merge "${parts[@]}" -o "$folder/merged" "${words[@]}"
