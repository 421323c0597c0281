#!/usr/bin/env bash
# Everything that must pass before a change lands: bash launch/test.sh
# A part of it, in seconds and without the static checks: bash launch/test.sh PATH, -k WORDS or other
# arguments of pytest. What takes minutes, and all cases of what the usual run tries on a few:
# bash launch/test.sh --slow
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

install test 3500
"$PYTHON" -m pip install --quiet --no-deps --requirement "$ROOT/tests/writers.txt"
cd "$ROOT"
# Where it is set, each of the processes that tests start would compile all of our Python anew.
unset PYTHONDONTWRITEBYTECODE
# By file: tests of one file share what they compile and run. tests/conftest.py orders the files.
tests=("$PYTHON" -m pytest -n 2 --dist loadfile --no-loadscope-reorder)
if [ "${1:-}" = --slow ]; then exec "${tests[@]}" -m slow "${@:2}"; fi
if [ $# -gt 0 ]; then exec "${tests[@]}" "$@"; fi

logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT
check() { # NAME COMMAND...: beside the tests; what it says is shown if it fails.
  "${@:2}" > "$logs/$1" 2>&1 && rm "$logs/$1"
}
check "ruff check" "$PYTHON" -m ruff check &
check "ruff format" "$PYTHON" -m ruff format --check &
check "mypy" "$PYTHON" -m mypy &
check "lint-imports" "$VENV/bin/lint-imports" &
status=0
"${tests[@]}" --durations=10 || status=$?
wait
for log in "$logs"/*; do
  [ -e "$log" ] || continue
  echo "failed: $(basename "$log")"
  cat "$log"
  status=1
done
exit "$status"
