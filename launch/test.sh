#!/usr/bin/env bash
# Everything that must pass before a change lands: bash launch/test.sh [arguments of pytest]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

install test 3500
"$PYTHON" -m pip install --quiet --no-deps --requirement "$ROOT/tests/writers.txt"
cd "$ROOT"
"$PYTHON" -m ruff check
"$PYTHON" -m ruff format --check
"$PYTHON" -m mypy
"$VENV/bin/lint-imports"
# By file: tests of one file share what they compile and run. tests/conftest.py orders the files.
exec "$PYTHON" -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
