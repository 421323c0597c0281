#!/usr/bin/env bash
# From a fresh clone to a robustness report: bash launch/quickstart.sh [flags of jaxbench]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

install "" 1500
cd "$ROOT"
exec "$PYTHON" -m jaxbench --config=configs/quickstart.py --workdir=runs/quickstart "$@"
