#!/usr/bin/env bash
# Runs jaxbench on all hosts of a Cloud TPU slice, and again after each preemption:
#   bash launch/tpu_pod.sh --name=N --zone=Z --type=v5litepod-64 [--version=V] [--project=P] [--spot]
#     [--delete] [--dry-run] -- --config=configs/imagenet_c.py --workdir=gs://BUCKET/RUN [flags]
# The slice is made as a queued resource unless it is there. --delete removes it in the end, which is
# when it stops costing; --dry-run prints every command and runs none. launch/README.md tells more.
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
POLL="${JAXBENCH_POLL:-30}" # Seconds between two looks at a slice that is being made.
NAME="" ZONE="" TYPE="" VERSION="" PROJECT="" SPOT="" DELETE="" DRY=""

fail() {
  echo "jaxbench: $*" >&2
  exit 1
}

usage() {
  sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

parse() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --name=*) NAME="${1#*=}" ;;
      --zone=*) ZONE="${1#*=}" ;;
      --type=*) TYPE="${1#*=}" ;;
      --version=*) VERSION="${1#*=}" ;;
      --project=*) PROJECT="${1#*=}" ;;
      --spot) SPOT=yes ;;
      --delete) DELETE=yes ;;
      --dry-run) DRY=yes ;;
      --)
        shift
        FLAGS=("$@")
        return
        ;;
      *)
        echo "jaxbench: unknown option $1" >&2
        usage
        ;;
    esac
    shift
  done
}

check() {
  if [ -z "$NAME" ] || [ -z "$ZONE" ] || [ -z "$TYPE" ] || [ ${#FLAGS[@]} -eq 0 ]; then usage; fi
  case " ${FLAGS[*]} " in
    *" --workdir=gs://"* | *" --workdir=/mnt/"*) ;;
    *) fail "the workers of a slice share no disk: name --workdir=gs://BUCKET/FOLDER" \
      "(or a shared file system under /mnt)" ;;
  esac
  if [ -n "$DRY" ]; then return; fi
  command -v gcloud > /dev/null || fail "gcloud is missing: https://cloud.google.com/sdk/docs/install"
}

version() { # Prints the runtime that goes with a type of accelerator.
  case "$TYPE" in
    v6e-*) echo v2-alpha-tpuv6e ;;
    v5litepod-*) echo v2-alpha-tpuv5-lite ;;
    v5p-*) echo v2-alpha-tpuv5 ;;
    v2-* | v3-* | v4-*) echo tpu-ubuntu2204-base ;;
    *) fail "the runtime of $TYPE is not known here: name it, --version=..." ;;
  esac
}

run() { # Runs a command, or prints it.
  if [ -n "$DRY" ]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

tpus() { run gcloud compute tpus "$@" --zone="$ZONE" ${PROJECT:+"--project=$PROJECT"}; }

ssh_to() { # WORKERS COMMAND
  tpus tpu-vm ssh "$NAME" --worker="$1" --batch-size=all --command="$2"
}

state() { # Prints that of the queued resource; nothing if there is none.
  tpus queued-resources describe "$NAME" --format="value(state.state)" 2> /dev/null || true
}

delete() { tpus queued-resources delete "$NAME" --force --quiet; }

acquire() { # Returns when the slice is there.
  local now="" before=none
  while true; do
    [ -n "$DRY" ] && state || now="$(state)"
    if [ "$now" != "$before" ]; then echo "jaxbench: slice $NAME: ${now:-none}" >&2; fi
    before="$now"
    case "$now" in
      ACTIVE) return ;;
      "")
        tpus queued-resources create "$NAME" --node-id="$NAME" --accelerator-type="$TYPE" \
          --runtime-version="$VERSION" ${SPOT:+--spot}
        if [ -n "$DRY" ]; then return; fi
        ;;
      FAILED | SUSPENDED) delete ;; # Preempted, or never made: it does not come back by itself.
    esac
    sleep "$POLL"
  done
}

deploy() { # Copies this checkout to all workers and installs it there, in parallel.
  local archive="${TMPDIR:-/tmp}/jaxbench-$NAME.tar.gz"
  run tar -czf "$archive" -C "$ROOT" --exclude=./.git --exclude=./.venv --exclude=./runs . &&
    tpus tpu-vm scp "$archive" "$NAME:jaxbench.tar.gz" --worker=all --batch-size=all &&
    ssh_to all "mkdir -p jaxbench && tar -xzf jaxbench.tar.gz -C jaxbench && bash jaxbench/launch/on_host.sh install"
}

start() {
  ssh_to all "bash jaxbench/launch/on_host.sh start $(printf '%q ' "${FLAGS[@]}")"
}

collect() { # Shows worker 0's progress, then how all ended. Status 0: all did well; 1: some failed;
  # 75: the slice was taken away, or asked to stop.
  local results
  while true; do
    ssh_to 0 "bash jaxbench/launch/on_host.sh follow" || true
    if [ -n "$DRY" ]; then
      ssh_to all "bash jaxbench/launch/on_host.sh result"
      return 0
    fi
    [ "$(state)" = ACTIVE ] || return 75
    results="$(ssh_to all "bash jaxbench/launch/on_host.sh result")" || { sleep "$POLL"; continue; }
    case "$results" in *"exit running"*) sleep "$POLL"; continue ;; esac
    echo "$results"
    if grep -qE '^exit (143|130) ' <<< "$results"; then return 75; fi
    if grep -qvE '^exit 0 ' <<< "$results"; then return 1; fi
    return 0
  done
}

FLAGS=()
parse "$@"
check
VERSION="${VERSION:-$(version)}" || exit 1
while true; do
  acquire
  status=0
  { deploy && start && collect; } || status=$?
  case "$status" in
    0) break ;;
    75) ;;
    *) if [ "$(state)" = ACTIVE ]; then
      fail "a worker failed, see above; its log: gcloud compute tpus tpu-vm ssh $NAME --zone=$ZONE" \
        "--worker=N --command='cat jaxbench/.run/log'"
    fi ;;
  esac
  echo "jaxbench: slice $NAME was taken away; asking for it again" >&2
done
if [ -n "$DELETE" ]; then delete; else
  echo "jaxbench: the slice goes on costing; to end that: gcloud compute tpus queued-resources" \
    "delete $NAME --zone=$ZONE --force" >&2
fi
