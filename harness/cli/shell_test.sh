# What tests of the program by a shell share. Read by a script that is called with PROGRAM FOLDER TEST, where TEST is
# one of its functions; it ends with `run_test`.
set -uo pipefail

readonly program=$1 folder=$2 test=$3

fail() {
  echo "$test: $*"
  exit 1
}

# skip REASON: exit code 77 is a skipped test.
skip() {
  echo "$test: skipped: $*"
  exit 77
}

# expect CODE COMMAND...: the exit code that the command, a line for the shell, must have.
expect() {
  local wanted=$1 code=0
  shift
  eval "$@" || code=$?
  [ "$code" -eq "$wanted" ] || fail "exit $code, wanted $wanted: $*"
}

# expect_in FILE TEXT: a line of the file holds the text.
expect_in() { grep -qF -- "$2" "$1" || fail "no '$2' in: $(cat "$1")"; }

# In a folder of its own, which is empty.
run_test() {
  rm -rf "$folder"
  mkdir -p "$folder"
  "$test"
}
