#!/usr/bin/env bash
# A Slurm cluster of one node, this machine, for tests: test_cluster.sh FOLDER COMMAND...
# Runs the command with the cluster's SLURM_CONF, and ends the cluster with it. Needs Debian's slurm-wlm and munge; what
# it writes lies in FOLDER. Exit code 77 where Slurm is missing, else that of the command.
set -euo pipefail
PATH=$PATH:/usr/sbin

mkdir -p "$1"
folder=$(realpath "$1")
readonly folder
shift

for program in munged slurmctld slurmd sbatch; do
  if ! command -v "$program" >/dev/null; then
    echo "skipped: no $program here; Debian's slurm-wlm and munge have it"
    exit 77
  fi
done

end() {
  local daemon
  for daemon in slurmd slurmctld munged; do
    [ ! -e "$folder/$daemon.pid" ] || kill "$(cat "$folder/$daemon.pid")" || true
  done
}

wait_until() {
  local waited
  for waited in {1..300}; do
    ! "$@" >/dev/null 2>&1 || return 0
    sleep 0.1
  done
  echo "waited $waited times in vain for: $*"
  tail "$folder"/*.log
  return 1
}

node_is_idle() { sinfo -h -o %T | grep -q '^idle$'; }

mkdir -p "$folder/state" "$folder/spool" "$folder/munge"
# The folder of a socket that munged trusts is written by nobody else and open to all.
chmod 755 "$folder" "$folder/munge"
(umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key")
port=$((20000 + RANDOM % 20000))
host=$(hostname -s)
cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes=ALL Default=YES
CONF
export SLURM_CONF=$folder/slurm.conf

trap end EXIT
munged --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munged.pid" \
  --seed-file="$folder/munge/seed" --log-file="$folder/munge.log"
slurmctld -c
slurmd
wait_until node_is_idle
"$@"
