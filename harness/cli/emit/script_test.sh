#!/usr/bin/env bash
# Runs emitted scripts as other people would: script_test.sh PROGRAM FOLDER TEST PYTHON LIBRARY, where TEST is a
# function below and LIBRARY the worker's operator_fixture. Exit code 77, skipped, where PYTHON lacks what a script needs.
set -uo pipefail

readonly program=$1 folder=$2 test=$3 python=$4 library=$5

fail() {
  echo "$test: $*"
  exit 1
}

# needs MODULE...: what the script imports.
needs() {
  local module
  for module in "$@"; do
    "$python" -c "import $module" 2>import_errors && continue
    echo "skipped: $python: $(tail -n 1 import_errors)"
    exit 77
  done
}

# found ARGUMENTS...: a finding of fuzz, its case in $case.
found() {
  rm -rf out
  "$program" fuzz --first-finding --out out "$@" >printed 2>&1
  case=$(find out/findings -name '*.json' | head -n 1)
  [ -n "$case" ] || fail "nothing was found: $(cat printed)"
}

# emitted ARGUMENTS...: the case's script.
emitted() {
  "$program" emit "$case" --python -o script.py "$@" >printed 2>&1 || fail "emit: $(cat printed)"
}

# ends CODE TEXT [ARGUMENTS...]: how the script ends and a line that it prints.
ends() {
  local wanted=$1 text=$2 code=0
  shift 2
  "$python" script.py "$@" >shown 2>&1 || code=$?
  [ "$code" -eq "$wanted" ] || fail "exit $code, wanted $wanted: $(cat shown)"
  grep -qF "$text" shown || fail "'$text' is not in: $(cat shown)"
}

operator() {
  needs torch
  found --block ms_deform_attn --subject "torchop:$library#fixture::ms_deform_attn" --cases 40 --seed 3
  emitted
  ! grep -qi 'import deformdiff' script.py || fail "it needs deformdiff"
  ends 1 'got      0.0'
  grep -q 'expected 1.0' shown || fail "$(cat shown)"
  DEFORMDIFF_FIXTURE=ones ends 0 'output: 1 of 1 elements are as expected'
  ends 2 'It could not be run.' nosuch.so
  cp "$library" another.so
  ends 1 'The failure shows.' ./another.so
  "$program" emit "$case" --issue -o issue.md || fail "no issue"
  local line
  for line in '## fixture::ms_deform_attn_forward of liboperator_fixture.so: a number comes back' '### Expected' '### Got' \
    '### Environment' '- libtorch ' '### To reproduce' '````python'; do
    grep -qF -- "$line" issue.md || fail "'$line' is not in: $(head -n 40 issue.md)"
  done
  sed -n '/^````python$/,/^````$/p' issue.md | sed '1d;$d' | cmp -s - script.py || fail "the issue holds another script"
  # Generated cases have strides of their own and more numbers than are listed.
  found --block ms_deform_attn --subject "torchop:$library#fixture::ms_deform_attn" --cases 40 --seed 3 --no-shrink
  emitted
  ends 1 'The failure shows.'
}

operator_that_crashes() {
  needs torch
  export DEFORMDIFF_FIXTURE='abort the call'
  found --block ms_deform_attn --subject "torchop:$library#fixture::ms_deform_attn" --cases 40 --seed 3
  emitted
  ends 1 'the process died of SIGABRT'
  DEFORMDIFF_FIXTURE='' ends 0 'The failure does not show.'
  ends 2 'It could not be run.' nosuch.so
}

# Nobody else can run it: its numbers are in the script, and PyTorch computes its own beside them.
builtin() {
  needs torch
  found --block ms_deform_attn --subject fault/range_from_zero --cases 40 --seed 2
  emitted
  ends 1 'plain PyTorch, here and now: 0.5, as expected'
  sed -i "s/^GOT = .*/GOT = tensor('float32', (1, 1, 1), [0.5])/" script.py
  ends 0 'output: 1 of 1 elements are as expected'
  "$program" emit "$case" --python --subject composite >printed
  [ $? -eq 4 ] || fail "what agrees has nothing to show: $(cat printed)"
  found --block ms_deform_attn --subject fault/aborts --cases 40 --seed 2
  "$program" emit "$case" --python >printed 2>&1
  [ $? -eq 2 ] || fail "a crash of ours cannot be shown: $(cat printed)"
}

recorded() {
  needs numpy
  local file
  file=$(dirname "$0")/../../../cases/decoder_layer/recorded/decoder_layer_pre_norm.safetensors
  "$program" judge "$file" --map param.self_attn.k_proj.weight=param.self_attn.q_proj.weight \
    --map param.self_attn.q_proj.weight=param.self_attn.k_proj.weight --out out >printed
  for case in out/findings/*.json; do
    emitted
    ! grep -q torch script.py || fail "it needs PyTorch"
    ends 1 'self_attn.q_proj[1, 4, 6]'
    grep -q 'the formula in float64, here and now: -3.19.*, as expected' shown || fail "$(cat shown)"
  done
}

# One stage of each operation is wrong: what the definition gives lies where it should.
formulas() {
  needs numpy
  local stages pair block
  stages=(position_embedding:y_embed position_embedding:dim_t position_embedding:angle_y
    pixel_decoder:adapter_1.0 pixel_decoder:fpn_interpolate decoder_layer:cross_attn.scores reference_points:reference_points_per_level.0
    reference_points:reference_points attention_layer:value_proj attention_layer:msda.value
    attention_layer:msda.attention_weights attention_layer:msda.sampling_locations attention_layer:msda.output
    encoder_layer:activation encoder_layer:final_layer_norm encoder_layer:ffn_residual)
  for pair in "${stages[@]}"; do
    block=${pair%%:*}
    found --block "$block" --subject "fault/wrong_stage:${pair#*:}:3e-2" --cases 20 --seed 2 --no-shrink
    emitted
    ends 1 ', as expected'
  done
  local fault
  for fault in scatter_last_query_dropped gradient_without_weight gradient_of_next_head gradient_zero_on_centres; do
    found --block ms_deform_attn_backward --subject "fault/$fault" --cases 40 --seed 2
    emitted
    ends 1 ', as expected'
  done
  grep -q 'expected -1.0 or 1.0' shown || fail "the slope on a centre is that of either side: $(cat shown)"
}

rm -rf "$folder"
mkdir -p "$folder"
cd "$folder" || exit 1
"$test"
