#!/usr/bin/env bash
# What a machine of several does: bash launch/on_host.sh install [EXTRA] | start FLAGS | follow |
# result | stop. A run goes on when the connection that started it breaks.
set -euo pipefail
HERE="$(dirname "${BASH_SOURCE[0]}")"
RUN="$HERE/../.run"

make_recent_python() { # Ubuntu 22.04 of TPU machines has 3.10; uv brings a newer one.
  local venv="$HERE/../.venv" uv="$HOME/.local/bin/uv"
  if [ -x "$venv/bin/python" ] || python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    return
  fi
  [ -x "$uv" ] || curl -LsSf https://astral.sh/uv/install.sh | sh
  "$uv" venv --seed --python 3.12 "$venv"
}

extra() { # Prints the one that goes with this machine's devices.
  if nvidia-smi > /dev/null 2>&1; then
    echo gpu
  elif compgen -G "/dev/accel[0-9]*" > /dev/null || compgen -G "/dev/vfio/[0-9]*" > /dev/null; then
    echo tpu
  fi
}

start() { # FLAGS: of jaxbench; in the background.
  mkdir -p "$RUN"
  if [ -e "$RUN/pid" ] && kill -0 "$(cat "$RUN/pid")" 2> /dev/null; then return; fi
  rm -f "$RUN/status"
  printf '%s\0' "$@" > "$RUN/flags"
  # shellcheck disable=SC2016 # They are for the shell that goes on alone.
  nohup setsid bash -c '
    cd "$1/.."
    mapfile -d "" -t flags < .run/flags
    "$2" -m jaxbench "${flags[@]}" > .run/log 2>&1 &
    echo $! > .run/pid
    wait $!
    echo $? > .run/status
  ' on_host "$HERE" "$PYTHON" > /dev/null 2>&1 < /dev/null &
  while [ ! -e "$RUN/pid" ]; do sleep 0.1; done
}

follow() { # Shows the log until the run has ended.
  tail -n +1 --follow=name --retry --pid="$(cat "$RUN/pid")" "$RUN/log" 2> /dev/null
}

case "${1:-}" in
  install)
    make_recent_python
    source "$HERE/environment.sh"
    extra="${2-$(extra)}"
    case "$extra" in gpu) space=7000 ;; tpu) space=4000 ;; *) space=1500 ;; esac
    install "$extra" "$space"
    ;;
  start)
    source "$HERE/environment.sh"
    shift
    start "$@"
    ;;
  follow) follow ;;
  result)
    for _ in $(seq 10); do # It is written just after the process has gone.
      [ -e "$RUN/status" ] && break
      kill -0 "$(cat "$RUN/pid")" 2> /dev/null || sleep 0.2
    done
    echo "exit $(cat "$RUN/status" 2> /dev/null || echo running) of $(hostname)"
    ;;
  stop) kill -TERM "$(cat "$RUN/pid")" ;;
  *)
    sed -n '2,3p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
