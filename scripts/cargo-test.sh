#!/usr/bin/env bash
# `cargo test` with these arguments. If it fails, the names of the failing tests come last, and go to target/failed-tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p target
output=$(mktemp)
trap 'rm -f "$output"' EXIT
code=0
"${CARGO:-cargo}" test "$@" 2>&1 | tee "$output" || code=$?
if [ "$code" != 0 ]; then
  # what the harness says of each, and a test program that died
  names=$(sed -nE 's/^test (.*) \.\.\. FAILED$/\1/p; s/^error: test failed, to rerun pass `(.*)`$/\1/p; s/^error: could not compile.*/&/p' "$output" | sort -u | paste -sd' ')
  echo "failing tests: ${names:-none by name; see above}" | tee target/failed-tests
fi
exit "$code"
