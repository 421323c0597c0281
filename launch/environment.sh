# shellcheck shell=bash
# The Python environment that the scripts here share; source it, then call `install EXTRA MEGABYTES`.
# JAXBENCH_VENV=path wins over an active virtual environment, which wins over .venv in the checkout.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${JAXBENCH_VENV:-${VIRTUAL_ENV:-$ROOT/.venv}}"
PYTHON="$VENV/bin/python"

fail() {
  echo "jaxbench: $*" >&2
  exit 1
}

is_recent() { # PYTHON: whether it runs and is new enough.
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1
}

find_python() { # Prints the first interpreter that will do.
  local candidate
  for candidate in python3 python python3.13 python3.12 python3.11 python3.14; do
    if is_recent "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  fail "needs Python 3.11 or newer, found $(python3 --version 2> /dev/null || echo none);" \
    "install one, or name an environment that has one: JAXBENCH_VENV=path"
}

require_space() { # MEGABYTES: that many are free where the environment is or will be.
  local folder="$VENV" free
  while [ ! -e "$folder" ]; do folder="$(dirname "$folder")"; done
  free=$(($(df -Pk "$folder" | awk 'NR == 2 { print $4 }') / 1024))
  [ "$free" -ge "$1" ] || fail "$folder has $free MB free, the installation needs $1 MB;" \
    "make room, or put it elsewhere: JAXBENCH_VENV=path"
}

make_environment() {
  local python
  if "$PYTHON" -m pip --version > /dev/null 2>&1; then
    is_recent "$PYTHON" || fail "$VENV has $("$PYTHON" --version), needs 3.11 or newer;" \
      "deactivate it or name another: JAXBENCH_VENV=path"
    return
  fi
  if [ -e "$VENV" ] && [ "$VENV" != "$ROOT/.venv" ]; then
    fail "$VENV is not a working virtual environment with pip; name another: JAXBENCH_VENV=path"
  fi
  python="$(find_python)" || exit 1
  echo "jaxbench: making the virtual environment $VENV"
  "$python" -m venv --clear "$VENV" || fail "cannot make $VENV;" \
    "on Debian and Ubuntu first: apt install python3-venv"
}

install() { # EXTRA MEGABYTES: jaxbench with this extra, unless it is there already.
  local stamp log
  make_environment
  stamp="$VENV/.jaxbench-${1:-base}"
  if [ "$(cat "$stamp" 2> /dev/null)" = "$(state)" ]; then return; fi
  require_space "$2"
  echo "jaxbench: installing into $VENV; this takes a minute or two"
  log="$VENV/jaxbench-install.log"
  if ! "$PYTHON" -m pip install --quiet --editable "$ROOT${1:+[$1]}" > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    grep -q "No space left" "$log" && fail "the disk is full; make room and run this again"
    fail "the installation failed, see above and $log"
  fi
  # An extra brings the base with it.
  state | tee "$VENV/.jaxbench-base" > "$stamp"
}

state() { # What an installation depends on.
  "$PYTHON" - "$ROOT" <<'END'
import hashlib, pathlib, sys
root = pathlib.Path(sys.argv[1])
files = b"".join((root / name).read_bytes() for name in ("setup.py", "pyproject.toml"))
print(sys.version.split()[0], root, hashlib.sha256(files).hexdigest())
END
}
