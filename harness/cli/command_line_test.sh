#!/usr/bin/env bash
# What only a shell can set up: command_line_test.sh PROGRAM FOLDER TEST, where TEST is a function below.
source "$(dirname "$0")/shell_test.sh"

fault=(fuzz --block ms_deform_attn --subject fault/range_from_zero --cases 40 --seed 1 --first-finding)

full_output() { expect 2 '"$program" list rules >/dev/full'; }
closed_output() { expect 2 '"$program" list rules >&-'; }

# What is printed must not get into the file that was opened next.
closed_output_spares_files() {
  expect 1 '"$program" "${fault[@]}" --out "$folder" >&-'
  expect 1 '"$program" replay "$folder"/findings/*.json'
}

endless_input() {
  expect 2 '"$program" replay /dev/zero'
  expect 2 '"$program" judge /dev/zero --block ms_deform_attn'
  expect 2 '"$program" check /dev/zero --block opaque'
}

unknown_requirement() {
  expect 2 '"$program" fuzz --block ms_deform_attn --cases 1 --out "$folder" --require nosuch 2>"$folder/errors"'
  grep -q -- '--require nosuch: no subject' "$folder/errors" || fail "$(cat "$folder/errors")"
}

conditions_reach_the_cases() {
  expect 1 '"$program" "${fault[@]}" --no-shrink --only M==8 --out "$folder" >"$folder/printed"'
  grep -q '"generator": "fuzz --only M==8"' "$folder"/findings/*.json || fail "$(cat "$folder/printed")"
}

report_on_standard_output() {
  expect 0 '"$program" fuzz --block ms_deform_attn --subject cpu --cases 4 --out "$folder" --report terminal \
    --report json:/dev/stdout >"$folder/printed"'
  grep -q '^Nothing found' "$folder/printed" || fail "the terminal's report is gone"
  grep -q '"exit_code": 0' "$folder/printed" || fail "the JSON report is not there"
}

report_through_a_link() {
  ln -s target.json "$folder/link.json"
  expect 0 '"$program" fuzz --block ms_deform_attn --subject cpu --cases 4 --out "$folder" --report "json:$folder/link.json"'
  [ -L "$folder/link.json" ] || fail "the link was replaced"
  grep -q '"exit_code": 0' "$folder/target.json" || fail "the report is not where the link points"
}

# A link to /dev/full where the finding is to be saved stands for the full disk.
finding_that_cannot_be_saved() {
  expect 1 '"$program" "${fault[@]}" --out "$folder" >"$folder/printed"'
  local saved
  saved=$(echo "$folder"/findings/*.json)
  rm "$folder"/findings/*
  ln -s /dev/full "$saved"
  expect 1 '"$program" "${fault[@]}" --subject cpu --out "$folder" >"$folder/printed"'
  grep -q "  not saved: $saved: cannot be written: No space left" "$folder/printed" || fail "$(cat "$folder/printed")"
  grep -Eq '^cpu +40 +' "$folder/printed" || fail "the run did not go on"
  [ "$(ls "$folder/findings")" = "$(basename "$saved")" ] || fail "left behind: $(ls "$folder/findings")"
}

# An implementation that serves a few blocks is run on those and on no other.
served_blocks() {
  "$program" fuzz --subject fault/traced_block_stale_mask --cases 1 --no-shrink --out "$folder" >"$folder/printed"
  grep -q '=mask_predictor' "$folder/printed" || fail "$(cat "$folder/printed")"
  ! grep -q '=ms_deform_attn' "$folder/printed" || fail "$(cat "$folder/printed")"
}

verbose_tables() {
  expect 0 '"$program" fuzz --block ms_deform_attn --block reference_points --subject cpu --cases 4 --out "$folder" \
    --verbose >"$folder/printed"'
  grep -q '^reference_points$' "$folder/printed" || fail "no table of reference_points"
}

# Ten seconds are long for a test: the first line comes after five.
plain_progress() {
  expect 0 '"$program" fuzz --block ms_deform_attn --subject cpu --time 7s --out "$folder" >"$folder/printed" \
    2>"$folder/errors"'
  grep -Eq '^ms_deform_attn: [0-9]+ cases, .*all agree; 0:05 of 0:07, 0:0[12] left' "$folder/errors" ||
    fail "$(cat "$folder/errors")"
}

# A recorded run's finding is a case like any other, found from any folder, but for its inputs, which it is tied to.
saved_recording() {
  cp "$(dirname "$0")/../../cases/decoder_layer/recorded/decoder_layer_pre_norm.safetensors" "$folder/recorded #1.safetensors"
  cd "$folder" || fail "no $folder"
  expect 1 '"$program" judge "recorded #1.safetensors" --map param.self_attn.k_proj.weight=param.self_attn.q_proj.weight \
    --map param.self_attn.q_proj.weight=param.self_attn.k_proj.weight >printed'
  local saved
  saved=$(sed -n 's/^  deformdiff replay //p' printed | head -n 1)
  mkdir elsewhere
  cd elsewhere || fail "no elsewhere"
  expect 1 '"$program" replay "../$saved" >printed'
  grep -q 'out_of_bound (reproduces)' printed || fail "$(cat printed)"
  expect 1 '"$program" explain "../$saved" >printed'
  grep -q '^First diverging stage: self_attn.q_proj$' printed || fail "$(cat printed)"
  expect 2 '"$program" shrink "../$saved" 2>errors'
  grep -q 'a recording cannot be run on other inputs: give --subject' errors || fail "$(cat errors)"
}

run_test
