#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Fuzzes on a Slurm cluster: arrays of tasks, each with a part of the cases, and a job after them that joins the parts.

  harness/slurm/submit.sh -o DIR [-n TASKS [-s 'SBATCH OPTIONS'] [-f 'FUZZ OPTIONS']]... [-r REPORT]... -- FUZZ OPTIONS

  -o DIR               folder of the run, which all nodes see: DIR/parts/ has a folder for each task, DIR/merged the
                       whole, DIR/log what was printed
  -n TASKS             begins an array of so many tasks, which share the cases
  -s 'SBATCH OPTIONS'  of this array's tasks, as in '--partition=gpu --gres=gpu:1 --cpus-per-task=8'
  -f 'FUZZ OPTIONS'    of this array's tasks alone, as in '--subject cuda'; in words without spaces
  -r REPORT            KIND:FILE, of the whole, as `deformdiff fuzz --report`; beside that DIR/log/merge.txt has it as text
  -- FUZZ OPTIONS      of all tasks: what to run, --seed, --cases or --time

DEFORMDIFF names the program; without it, it is the one in build/release/bin. A task that dies or is put back into the
queue goes on where it was, and so does the whole after the same command line. The merge job ends with the exit code
of `deformdiff fuzz`: 0 nothing was found, 1 findings.

Four CPU nodes and a GPU node share a night; each implementation gets every case:

  harness/slurm/submit.sh -o night -n 4 -s '--time=9:00:00 --cpus-per-task=8' -f '--subject cpu --subject composite' \
    -n 1 -s '--time=9:00:00 --partition=gpu --gres=gpu:1' -f '--subject cuda' -- --block ms_deform_attn --time 8h --seed 1
TEXT
}

refuse() {
  echo "submit.sh: $* (see submit.sh --help)" >&2
  exit 2
}

folder='' tasks=() sbatch=() fuzz=() reports=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --)
      shift
      break
      ;;
    -o | -n | -s | -f | -r) [ $# -ge 2 ] || refuse "$1 wants a value" ;;&
    -o) folder=$(realpath -m "$2") ;;
    -n)
      [[ $2 =~ ^[1-9][0-9]*$ ]] || refuse "-n $2: a number of tasks is wanted"
      tasks+=("$2") sbatch+=('') fuzz+=('')
      ;;
    -s | -f) [ ${#tasks[@]} -gt 0 ] || refuse "$1 belongs to an array: -n TASKS comes first" ;;&
    -s) sbatch[-1]=$2 ;;
    -f) fuzz[-1]=$2 ;;
    -r) reports+=("$2") ;;
    -[onsfr]) ;;
    *) refuse "$1 is not known" ;;
  esac
  shift 2
done
[ -n "$folder" ] || refuse "-o DIR is wanted"
[ ${#tasks[@]} -gt 0 ] || refuse "-n TASKS is wanted"

here=$(dirname "$(realpath "$0")")
program=$(realpath "${DEFORMDIFF:-$here/../../build/release/bin/deformdiff}")
[ -x "$program" ] || refuse "$program: no program; build it, or say where it is in DEFORMDIFF"

mkdir -p "$folder/parts" "$folder/log"
jobs=''
for i in "${!tasks[@]}"; do
  read -ra of_slurm <<<"${sbatch[i]}"
  read -ra of_fuzz <<<"${fuzz[i]}"
  name=array$((i + 1))
  job=$(sbatch --parsable --job-name="deformdiff-$name" --array="1-${tasks[i]}" --output="$folder/log/$name-%a.txt" \
    "${of_slurm[@]}" "$here/array_job.sh" "$program" "$folder/parts/$name" "${tasks[i]}" "$@" "${of_fuzz[@]}")
  jobs+=:${job%%;*}
  echo "array of ${tasks[i]}: job ${job%%;*}"
done
job=$(sbatch --parsable --job-name=deformdiff-merge --dependency="afterany$jobs" --output="$folder/log/merge.txt" \
  "$here/merge_job.sh" "$program" "$folder" terminal "${reports[@]}")
echo "merge: job ${job%%;*}; its report will be in $folder/log/merge.txt"
