#!/usr/bin/env bash
# What only a shell can set up: command_line_test.sh PROGRAM FOLDER TEST, where TEST is a function below.
source "$(dirname "$0")/shell_test.sh"

readonly fixture=${4:-}  # a library for bisect_git, and one for without_a_bound

fault=(fuzz --block ms_deform_attn --subject fault/range_from_zero --cases 40 --seed 2 --first-finding)

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

# A kernel of 8 bits: the right one is not blamed, and of a wrong one both sides are shown.
without_a_bound() {
  local saved
  expect 0 '"$program" fuzz --block ms_deform_attn --subject "torchop:$fixture#int8::ms_deform_attn?bound=none" --cases 10 \
    --seed 3 --out "$folder/right" --report terminal --report "json:$folder/right.json" >"$folder/printed"'
  tr -s ' \n' ' ' <"$folder/printed" | grep -q 'permuted_heads [1-9]' || fail "$(cat "$folder/printed")"
  grep -q '"permuted_heads": {' "$folder/right.json" || fail "$(cat "$folder/right.json")"
  expect 1 '"$program" fuzz --block ms_deform_attn --subject "torchop:$fixture#next_head::ms_deform_attn?bound=none" \
    --cases 10 --seed 3 --first-finding --out "$folder/wrong" >"$folder/printed"'
  saved=$(ls "$folder"/wrong/findings/*.json | head -n 1)
  expect 1 '"$program" replay "$saved" >"$folder/printed"'
  expect 1 '"$program" explain "$saved" >"$folder/printed"'
  grep -Eq '^relation  [a-z]+_' "$folder/printed" && grep -q '^itself    ' "$folder/printed" &&
    grep -Eq '^  1 \* output\[.*, of value \[' "$folder/printed" || fail "$(cat "$folder/printed")"
  expect 2 '"$program" emit "$saved" --python 2>"$folder/errors"'
  grep -q 'without a bound nothing says' "$folder/errors" || fail "$(cat "$folder/errors")"
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

# The finding of `fault`, in findings/ of the present folder, where cases/ is made too.
found_in_folder() {
  cd "$folder" || fail "no $folder"
  mkdir cases
  expect 1 '"$program" "${fault[@]}" --out . >printed'
  finding=$(echo findings/*.json)
}

bisect_versions() {
  found_in_folder
  expect 0 '"$program" bisect "$finding" --versions cpu,composite,traced/op,fault/range_from_zero,fault/range_from_zero \
    --report json:report.json >printed'
  grep -q '^first bad: fault/range_from_zero$' printed || fail "$(cat printed)"
  grep -q '^good     traced/op: agree$' printed || fail "$(cat printed)"
  grep -q '^bad      fault/range_from_zero: out_of_bound: output\[0, 0, 0\] = 0' printed || fail "$(cat printed)"
  tr -d ' \n' <report.json | grep -q '"first_bad":\["fault/range_from_zero"\]' || fail "$(cat report.json)"
  expect 0 '"$program" bisect "$finding" --versions cpu,torchop:gone.so#m,fault/range_from_zero >printed'
  grep -q '^skipped  torchop:gone.so#m: there is no file gone.so' printed || fail "$(cat printed)"
  grep -q 'first bad one is one of these, .*: torchop:gone.so#m fault/range_from_zero$' printed || fail "$(cat printed)"
  expect 1 '"$program" bisect "$finding" --versions fault/range_from_zero,cpu >printed'
  grep -q 'is the order old to new?' printed || fail "$(cat printed)"
  expect 1 '"$program" bisect "$finding" --versions cpu,composite >printed'
  expect 1 '"$program" bisect "$finding" --versions fault/range_from_zero >printed'
  expect 4 '"$program" bisect "$finding" --versions torchop:gone.so#m >printed'
  expect 2 '"$program" bisect "$finding" 2>errors'
  expect 2 '"$program" bisect "$finding" --versions cpu,nosuch 2>errors'
  expect 2 '"$program" bisect nosuch.json --versions cpu 2>errors'
  # To git 2 would be a bad version.
  expect 130 '"$program" bisect nosuch.json --run true 2>errors'
  expect 130 '"$program" bisect "$finding" --run true --nosuch 2>errors'
  expect 1 '"$program" bisect "$finding" --run true >printed'
  expect 0 '"$program" bisect "$finding" --run true --subject cpu >printed'
  expect 125 '"$program" bisect "$finding" --run false >printed'
  expect 125 '"$program" bisect "$finding" --run true --subject torchop:gone.so#m >printed'
}

# The library gives what the file `deed` says; one commit cannot be built.
bisect_git() {
  local library=$fixture
  git --version >/dev/null || { echo "no git"; exit 77; }
  cd "$folder" || fail "no $folder"
  expect 1 '"$program" fuzz --block ms_deform_attn --subject "torchop:$library#fixture::ms_deform_attn" --cases 40 --seed 3 \
    --first-finding --out . >printed'
  git init -q tree
  cd tree || fail "no tree"
  git config user.name Nobody
  git config user.email nobody@localhost
  local i
  for i in 1 2 3 4 5 6 7 8; do
    if [ "$i" -lt 6 ]; then echo ones; else echo zeros; fi >deed
    rm -f broken
    [ "$i" -ne 4 ] || touch broken
    echo "$i" >number
    git add -A
    git commit -qm "commit $i"
  done
  git bisect start HEAD HEAD~7 >../printed
  # shellcheck disable=SC2016
  expect 0 'git bisect run sh -c '\''DEFORMDIFF_FIXTURE=$(cat deed) "$0" bisect "$1" --run "test ! -e broken"'\'' \
    "$program" ../findings/*.json >../printed 2>&1'
  grep -q 'is the first bad commit' ../printed || fail "$(cat ../printed)"
  [ "$(git show -s --format=%s refs/bisect/bad)" = "commit 6" ] || fail "$(cat ../printed)"
}

# Of cases/ in the working directory, unless told otherwise.
known_findings() {
  found_in_folder
  expect 1 '"$program" "${fault[@]}" --out again --report json:r.json >printed'
  grep -q '"status": "new"' r.json || fail "$(cat r.json)"
  expect 0 '"$program" promote "$finding" --as zeros >printed'
  expect 0 '"$program" "${fault[@]}" --out again >printed'
  grep -q '  known: cases/ms_deform_attn/open/zeros.json' printed || fail "$(cat printed)"
  grep -q '^Of these 0 new, 1 known, 0 regressions.$' printed || fail "$(cat printed)"
  expect 1 '"$program" "${fault[@]}" --out again --known-fail >printed'
  expect 1 '"$program" "${fault[@]}" --subject fault/half_pixel --out again >printed'
  grep -q '^Of these [1-9][0-9]* new, 1 known, 0 regressions.$' printed || fail "$(cat printed)"
  expect 0 '"$program" promote cases/ms_deform_attn/open/zeros.json --fixed >printed'
  mv cases elsewhere
  expect 1 '"$program" "${fault[@]}" --out again --known elsewhere --report terminal --report json:r.json >printed'
  grep -q '  a regression: this was fixed: elsewhere/ms_deform_attn/regression/zeros.json' printed || fail "$(cat printed)"
  grep -q '"status": "regression"' r.json || fail "$(cat r.json)"
  expect 2 '"$program" "${fault[@]}" --out again --known nosuch 2>errors'
  echo '{' >elsewhere/ms_deform_attn/regression/broken.json
  expect 2 '"$program" "${fault[@]}" --out again --known elsewhere 2>errors'
  grep -q 'regression/broken.json' errors || fail "$(cat errors)"
}

promote_open() {
  found_in_folder
  expect 0 '"$program" promote "$finding" --as zeros --note "one for people" >printed'
  local place=cases/ms_deform_attn/open/zeros.json
  grep -q "deformdiff replay $place" printed || fail "$(cat printed)"
  [ ! -e "$finding" ] || fail "the finding is still in findings/"
  grep -q '"note": "one for people"' "$place" || fail "$(cat "$place")"
  expect 1 '"$program" replay "$place" >printed'
  grep -q 'out_of_bound (reproduces)' printed || fail "$(cat printed)"
  expect 0 '"$program" replay --origin "$place" >printed'
  sed -i 's|fault/range_from_zero|cpu|' "$place"
  expect 1 '"$program" replay --origin "$place" >printed'
  grep -q 'GONE: promote it with --fixed' printed || fail "$(cat printed)"
  expect 0 '"$program" promote "$place" --fixed >printed'
  [ -e cases/ms_deform_attn/regression/zeros.json ] || fail "$(find cases)"
}

# Right implementations agree on it, and the fault still fails.
promote_fixed() {
  found_in_folder
  expect 0 '"$program" promote "$finding" --fixed --as zeros --cases cases >printed'
  local place=cases/ms_deform_attn/regression/zeros.json
  expect 0 '"$program" replay "$place" >printed'
  grep -q ': composite: agree (as expected)' printed || fail "$(cat printed)"
  expect 0 '"$program" replay --origin "$place" >printed'
  grep -q 'fault/range_from_zero: out_of_bound (as it must)' printed || fail "$(cat printed)"
  sed -i 's|"data": \[0.5, 0\]|"data": [0.5, 0.5]|' "$place"
  expect 1 '"$program" replay --origin "$place" >printed'
  grep -q 'DIFFERS: the case no longer shows the failure' printed || fail "$(cat printed)"
  sed -i 's|"subject": "fault/range_from_zero"|"subject": "torchop:gone.so#mine"|' "$place"
  expect 4 '"$program" replay --origin "$place" >printed'
  grep -q 'not run: .*there is no file gone.so' printed || fail "$(cat printed)"
}

promote_refuses() {
  found_in_folder
  expect 0 'cp "$finding" copy.json'
  expect 0 '"$program" promote copy.json --as zeros >printed'
  expect 2 '"$program" promote "$finding" --as zeros 2>errors'
  grep -q 'zeros.json: is there already: choose another name with --as' errors || fail "$(cat errors)"
  expect 2 '"$program" promote "$finding" --as ../zeros 2>errors'
  expect 2 '"$program" promote "$finding" --cases nosuch 2>errors'
  grep -q -- '--cases nosuch: there is no such folder' errors || fail "$(cat errors)"
  expect 2 '"$program" promote "$finding" --note "" --as "" --cases "" 2>errors'
  [ -e "$finding" ] || fail "a refused finding is gone"
  rm -r cases
  expect 2 '"$program" promote "$finding" 2>errors'
  grep -q 'there is no folder cases/ here' errors || fail "$(cat errors)"
  sed -i '/"signature"/d' "$finding"
  expect 2 '"$program" promote "$finding" 2>errors'
  grep -q "field 'signature' is missing" errors || fail "$(cat errors)"
}

run_test
