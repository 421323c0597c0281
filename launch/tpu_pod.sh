#!/usr/bin/env bash
# Runs jaxbench on all hosts of a Cloud TPU slice; the same command again goes on from where it is:
#   bash launch/tpu_pod.sh --name=N --zone=Z --type=v5litepod-64 [--version=V] [--project=P] [--spot]
#     [--delete] [--dry-run] -- --config=configs/imagenet_c.py --workdir=gs://BUCKET/RUN [flags]
# It asks for the slice once, as a queued resource, unless one of that name is there. --delete removes
# it when nothing runs on it any more, which is when it stops costing; --dry-run prints every command
# and runs none. What asks again after a preemption is SkyPilot or GKE: launch/README.md.
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
NAME="" ZONE="" TYPE="" VERSION="" PROJECT="" SPOT="" DELETE="" DRY=""
FLAGS=()

fail() {
  echo "jaxbench: $*" >&2
  exit 1
}

usage() {
  sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
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
    v7x-* | tpu7x-*) fail "$TYPE is had through GKE alone: launch/jobset.yaml" ;;
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

slice() { # VERB ARGUMENTS
  run gcloud compute tpus queued-resources "$@" "--zone=$ZONE" ${PROJECT:+"--project=$PROJECT"}
}

on_all() { # COMMAND
  slice ssh "$NAME" --node=all --worker=all --batch-size=all "--command=$1"
}

state() { # Prints that of the slice, and why it failed; nothing if it was never asked for.
  slice list "--filter=name~/queuedResources/$NAME\$" \
    "--format=value(state.state,state.failedData.error.message)"
}

delete() { slice delete "$NAME" --force --quiet; }

cost() { # Says what goes on costing, and what ends that.
  echo "jaxbench: slice $NAME costs while it is there; what ends that: gcloud compute tpus" \
    "queued-resources delete $NAME --force --zone=$ZONE${PROJECT:+ --project=$PROJECT}" >&2
}

end() { # Nothing runs on the slice any more.
  if [ -n "$DELETE" ] && delete; then return; fi
  cost
}

lose() { # MESSAGE: why nothing runs.
  echo "jaxbench: $1" >&2
  end
  exit 1
}

later() { # MESSAGE: what the same command will go on with.
  echo "jaxbench: $1" >&2
  cost
  exit 75
}

ask() {
  slice create "$NAME" "--node-id=$NAME" "--accelerator-type=$TYPE" \
    "--runtime-version=$VERSION" ${SPOT:+--spot} --async
}

acquire() { # Returns when the slice is there.
  local now reason
  now="$(state)" || fail "gcloud cannot tell whether slice $NAME exists, see above"
  IFS=$'\t' read -r now reason <<< "$now"
  case "$now" in
    ACTIVE) ;;
    "")
      ask || fail "the slice was not asked for, see above"
      later "slice $NAME is asked for; the same command goes on when it is ACTIVE"
      ;;
    FAILED | SUSPENDED) # It does not come back by itself.
      lose "slice $NAME is $now${reason:+: $reason}; once it is deleted, the same command asks anew"
      ;;
    *) later "slice $NAME is $now; the same command goes on when it is ACTIVE" ;;
  esac
}

deploy() { # Copies this checkout to all workers and installs it there, in parallel.
  local archive="${TMPDIR:-/tmp}/jaxbench-$NAME.tar.gz"
  run tar -czf "$archive" -C "$ROOT" --exclude=./.git --exclude=./.venv --exclude=./runs . &&
    slice scp "$archive" "$NAME:jaxbench.tar.gz" --node=all --worker=all --batch-size=all &&
    # Where the run goes on, its files stay as they are.
    on_all "kill -0 \"\$(cat jaxbench/.run/pid 2> /dev/null)\" 2> /dev/null || { mkdir -p jaxbench && tar -xzf jaxbench.tar.gz -C jaxbench && bash jaxbench/launch/on_host.sh install tpu; }"
}

start() { on_all "bash jaxbench/launch/on_host.sh start $(printf '%q ' "${FLAGS[@]}")"; }

follow() { # Shows worker 0's progress until it has ended, or the connection has.
  slice ssh "$NAME" --node=0 --worker=0 "--command=bash jaxbench/launch/on_host.sh follow" || true
}

parse "$@"
check
VERSION="${VERSION:-$(version)}" || exit 1
if [ -n "$DRY" ]; then
  state
  ask
else
  acquire
fi
deploy || lose "the checkout could not be brought to all workers, see above"
start || lose "the run could not be started on all workers, see above"
follow
results="$(on_all "bash jaxbench/launch/on_host.sh result")" ||
  later "not all workers tell how they ended; the same command asks again"
echo "$results"
case "$results" in *"exit running"*) later "the run goes on; the same command shows it again" ;; esac
if grep -qE '^exit [^0]' <<< "$results"; then
  on_all "tail -n 20 jaxbench/.run/log" || true
  lose "a worker ended early, see above; the same command continues the run"
fi
end
