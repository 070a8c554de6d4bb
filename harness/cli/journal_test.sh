#!/usr/bin/env bash
# Runs that die, are ended, or lose their disk, and go on: journal_test.sh PROGRAM FOLDER TEST, where TEST is a function
# below.
source "$(dirname "$0")/shell_test.sh"

tools=$(dirname "$(realpath "$0")")
readonly tools
night=(fuzz --block ms_deform_attn --subject cpu --subject fault/range_to_last_pixel --cases 120 --no-shrink --seed 7
  --progress never --quiet)

# same A B [counts]: two JSON reports tell the same.
same() { python3 "$tools/same_results.py" "$@" || fail "$1 and $2 differ"; }

# done_cases DIR: of its first implementation, now.
done_cases() {
  "$program" report "$1" --report json:/dev/stdout 2>/dev/null | sed -n 's/^ *"cases": \([0-9]*\).*/\1/p' | head -n 1
}

# start DIR WORD...: the night, with these words too, in the background; its process is $run.
start() {
  local out=$1
  shift
  "$program" "${night[@]}" --out "$out" "$@" >printed 2>errors &
  run=$!
}

# await DIR CASES: until so many are done; the run must still go on.
await() {
  local cases
  while kill -0 "$run" 2>/dev/null; do
    cases=$(done_cases "$1")
    [ "${cases:-0}" -ge "$2" ] && return
    sleep 0.05
  done
  fail "ended before $2 cases were done: $(cat printed errors)"
}

# ends CODE: the run does, with this exit code.
ends() {
  local code=0
  wait "$run" || code=$?
  [ "$code" -eq "$1" ] || fail "exit $code, wanted $1"
}

workers() { cat /proc/"$run"/task/*/children; }

killed_and_resumed() {
  cd "$folder" || fail "no $folder"
  expect 1 '"$program" "${night[@]}" --out whole --report json:whole.json'
  start killed
  await killed 4
  kill -9 "$run"
  ends 137

  start killed --resume
  await killed 12
  kill -9 $(workers)
  await killed 60
  kill -9 "$run" $(workers)
  ends 137

  expect 1 '"$program" fuzz --out killed --resume --progress never --report json:killed.json'
  same whole.json killed.json
  expect 1 '"$program" report killed --report json:report.json'
  same whole.json report.json
}

shards_merged() {
  cd "$folder" || fail "no $folder"
  expect 1 '"$program" "${night[@]}" --out whole --report json:whole.json'
  expect 1 '"$program" "${night[@]}" --out first --shard 1/2'
  expect 1 '"$program" "${night[@]}" --out second --shard 2/2'
  expect 1 '"$program" merge second first -o merged --report json:merged.json --report terminal >printed'
  same whole.json merged.json counts
  ! grep -q 'missing' printed || fail "$(cat printed)"
  expect 1 '"$program" replay merged/findings/*.json >/dev/null'

  expect 1 '"$program" merge first -o half --report terminal >printed'
  expect_in printed 'missing'
}

# refused WORD...: the night in `run`, so resumed.
refused() { expect 2 "\"\$program\" \"\${night[@]}\" --out run --resume $* 2>errors"; }

# What to run need not be typed again; what is typed stands in place of what it was, from then on.
resume_adds_what_is_typed() {
  cd "$folder" || fail "no $folder"
  expect 0 '"$program" fuzz --block ms_deform_attn --subject cpu --cases 20 --seed 7 --out run --quiet'
  expect 0 '"$program" fuzz --resume --out run --cases=40 >printed'
  grep -q '^cpu  *40 ' printed || fail "$(cat printed)"
  expect 0 '"$program" fuzz --resume --out run --report json:again.json'
  [ "$(grep -c '"block": "ms_deform_attn"' again.json)" -eq 1 ] || fail "$(cat again.json)"
  grep -q '"cases": 40,' again.json || fail "$(cat again.json)"
  grep -q '"LibTorch"\|"libtorch"' again.json || fail "no environment: $(cat again.json)"
  expect 2 '"$program" fuzz --resume --out run --seed 8 2>errors'
}

resume_refuses_other_cases() {
  cd "$folder" || fail "no $folder"
  night=(fuzz --block ms_deform_attn --subject cpu --cases 4 --quiet)
  expect 0 '"$program" "${night[@]}" --out run'
  refused --seed 8
  expect_in errors '--resume: the run in run has --seed 0, this one 8'
  refused --tier typical
  expect_in errors 'has --tier all, this one typical'
  refused --only M==8
  expect_in errors 'has --only none, this one M==8'
  refused --shard 1/2
  expect_in errors 'has --shard 1/1, this one 1/2'
}

second_process_is_refused() {
  cd "$folder" || fail "no $folder"
  start run
  await run 4
  for resume in '' --resume; do
    expect 2 '"$program" "${night[@]}" --out run $resume 2>errors'
    expect_in errors "another run is writing here (process $run on $(hostname))"
  done
  kill -TERM "$run"
  ends 1
}

# The privileged may write where nobody may, so the folder is another's.
read_only_folder() {
  mkdir "$folder/out"
  chmod 555 "$folder/out"
  local as=()
  [ "$(id -u)" -ne 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  for out in "$folder/out" "$folder/out/below"; do
    expect 3 '"${as[@]}" "$program" "${night[@]}" --out "$out" 2>"$folder/errors"'
    expect_in "$folder/errors" "$out"
    expect_in "$folder/errors" 'Permission denied'
  done
}

# A file system of our own, where we may make one; it is gone with the process.
full_disk() {
  local own=(unshare --mount)
  [ "$(id -u)" -eq 0 ] || own+=(--map-root-user)
  mkdir "$folder/disk"
  "${own[@]}" mount -t tmpfs -o size=1m tmpfs "$folder/disk" 2>/dev/null || skip "no file system can be mounted here"
  expect 0 '"${own[@]}" "$0" "$program" "$folder/inside" in_full_disk'
}

in_full_disk() {
  cd "$folder" || fail "no $folder"
  expect 1 '"$program" "${night[@]}" --out whole --report json:whole.json'
  mkdir disk
  mount -t tmpfs -o size=16m tmpfs disk
  start disk/run
  await disk/run 4
  dd if=/dev/zero of=disk/ballast bs=1k 2>/dev/null
  ends 3
  expect_in errors 'journal.sqlite: the disk is full; what was found until then is kept'
  rm disk/ballast
  expect 1 '"$program" fuzz --out disk/run --resume --progress never --report json:resumed.json'
  same whole.json resumed.json
}

removed_journal() {
  cd "$folder" || fail "no $folder"
  start run --report json:run.json
  await run 12
  rm run/journal.sqlite*
  ends 3
  expect_in errors 'run/journal.sqlite: '
  expect_in run.json '"exit_code": 3'
  expect 1 '"$program" replay run/findings/*.json >/dev/null'
  expect 2 '"$program" fuzz --out run --resume 2>errors'
  expect_in errors 'there is no journal'
}

damaged_journal() {
  cd "$folder" || fail "no $folder"
  start run --report json:run.json
  await run 12
  for file in run/journal.sqlite*; do
    head -c "$(stat -c %s "$file")" /dev/urandom | dd of="$file" conv=notrunc 2>/dev/null
  done
  ends 3
  expect_in errors 'run/journal.sqlite: '
  expect_in run.json '"exit_code": 3'
  expect 1 '"$program" replay run/findings/*.json >/dev/null'
  expect 2 '"$program" fuzz --out run --resume 2>errors'
  expect_in errors 'run/journal.sqlite: '
}

# ended_by SIGNAL: at a batch's end, with all reports; then the run goes on.
ended_by() {
  cd "$folder" || fail "no $folder"
  expect 1 '"$program" "${night[@]}" --out whole --report json:whole.json'
  # A shell's background processes ignore Ctrl-C unless they are told otherwise.
  env --default-signal "$program" "${night[@]}" --out run --report json:run.json --report terminal >printed 2>errors &
  run=$!
  await run 4
  kill -"$1" "$run"
  ends 1
  expect_in printed 'interrupted: this is what was done until then'
  expect 1 '"$program" report run --report json:report.json --report terminal >printed'
  same run.json report.json
  expect_in printed 'is not finished'
  expect 1 '"$program" fuzz --out run --resume --progress never --report json:resumed.json'
  same whole.json resumed.json
}
ended_by_interrupt() { ended_by INT; }
ended_by_termination() { ended_by TERM; }

# What cannot end for want of a reader of its report ends at the second signal.
second_signal_ends_at_once() {
  cd "$folder" || fail "no $folder"
  mkfifo report
  start run --report json:report
  await run 4
  kill -TERM "$run"
  sleep 1
  kill -0 "$run" || fail "the first signal ended it"
  kill -TERM "$run"
  ends 143
  expect 1 '"$program" report run --report json:report.json'
}

# The library is there when the run begins, and gone when its worker dies.
vanished_library() {
  cd "$folder" || fail "no $folder"
  cp "$DEFORMDIFF_FIXTURE_LIBRARY" library.so
  local subject='torchop:library.so#fixture::ms_deform_attn'
  night=(fuzz --block ms_deform_attn --subject cpu --subject "$subject" --cases 200 --no-shrink --seed 7 --progress never
    --quiet)
  start run --report terminal --report json:run.json
  await run 12
  rm library.so
  kill -9 $(workers)
  ends 1
  grep -Eq '"not_run: .*library.so: cannot be loaded' run.json || fail "$(cat run.json)"
  grep -Eq '^cpu +200 ' printed || fail "the run did not go on: $(cat printed)"
  expect 1 '"$program" report run --report json:report.json'
  same run.json report.json
  expect 2 '"$program" fuzz --out run --resume 2>errors'
  expect_in errors 'library.so'
}

run_test
