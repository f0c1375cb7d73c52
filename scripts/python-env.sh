#!/usr/bin/env bash
# Makes the Python environment that tests compare with, in target/pyenv, if it is not there: the package `bjontegaard` (BD-rate)
# with what it imports, all at fixed versions.
set -euo pipefail

cd "$(dirname "$0")/.."
packages=(bjontegaard==1.3.0 numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2)
env=target/pyenv
mark="$env/installed"
if [ -f "$mark" ] && [ "$(cat "$mark")" = "${packages[*]}" ]; then
  exit 0
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "python3 is $(python3 --version 2>&1), 3.11 or later is needed" >&2; exit 1; }
rm -rf "$env"
python3 -m venv "$env" || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; exit 1; }
"$env/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}"
printf '%s' "${packages[*]}" > "$mark"
