#!/usr/bin/env bash
#SBATCH --requeue
#SBATCH --open-mode=append
# A task of an array, which submit.sh submits: array_job.sh PROGRAM PARTS COUNT FUZZ-OPTION...
# Fuzzes shard I of COUNT, where I is the task, in the folder PARTS-I; goes on with the run that is there already, as it
# is when Slurm puts the task back into the queue.
set -euo pipefail

readonly program=$1 count=$3 folder=$2-$SLURM_ARRAY_TASK_ID
shift 3

words=(fuzz "$@" --shard "$SLURM_ARRAY_TASK_ID/$count" --out "$folder" --progress never)
[ -z "${SLURM_CPUS_PER_TASK:-}" ] || words+=(--threads "$SLURM_CPUS_PER_TASK")
[ ! -e "$folder/journal.sqlite" ] || words+=(--resume)
exec "$program" "${words[@]}"
