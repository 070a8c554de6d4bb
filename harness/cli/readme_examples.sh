#!/usr/bin/env bash
# Runs the examples of READMEs, the lines that begin with "$ deformdiff" in their blocks, and compares what each
# prints with what stands below it. Decimal fractions may differ: they depend on the machine's vector units.
#
#   readme_examples.sh ROOT PROGRAM FOLDER README...    run in FOLDER, which is made anew, as if in ROOT, where READMEs are
set -euo pipefail

readonly root=$(realpath "$1") folder=$3
bin=$(dirname "$(realpath "$2")")
PATH=$bin:$PATH
shift 3

rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
ln -s "$root/cases" cases

# example.N.command and example.N.wanted of each.
awk '
  /^```/ { example = 0; next }
  /^\$ deformdiff / { example = ++count; print substr($0, 3) > ("example." example ".command"); next }
  example { print > ("example." example ".wanted") }
' "${@/#/$root/}"

failed=0
for command in example.*.command; do
  name=${command%.command}
  bash "$command" >"$name.printed" 2>"$name.errors" || [ $? -eq 1 ]
  if ! diff <(sed -E 's/[0-9]+\.[0-9]+(e[-+]?[0-9]+)?/FRACTION/g' "$name.wanted") \
    <(sed -E 's/[0-9]+\.[0-9]+(e[-+]?[0-9]+)?/FRACTION/g' "$name.printed") >"$name.diff"; then
    echo "README: what '$(cat "$command")' prints is not what it says (< README, > printed):"
    cat "$name.diff" "$name.errors"
    failed=1
  fi
done
exit $failed
