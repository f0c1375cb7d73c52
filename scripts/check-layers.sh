#!/usr/bin/env bash
# The decoder layer must build without burn and without ffmpeg's libraries; the encoder layer must have burn, or this check
# would find nothing whatever happened.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# prints what pulls a package in; cargo's exit code 101 with 'did not match any packages' means nothing does
pulls() {
  local package=$1 out
  shift
  if out=$(cargo tree --quiet --locked --edges normal "$@" --invert "$package" 2>&1); then
    echo "$out"
  elif ! grep -q 'did not match any packages' <<<"$out"; then
    echo "cargo tree failed: $out" >&2
    exit 1
  fi
}

# what stays out of whose build
forbid() {
  local name=$1 package found
  shift
  for package in $1; do
    found=$(pulls "$package" "${@:2}")
    if [ -n "$found" ]; then
      echo "error: $name depends on $package:" >&2
      echo "$found" >&2
      exit 1
    fi
  done
}

forbid "the decoder's crate" "burn image clap ffmpeg-next tempfile serde serde_json" --package nvc
forbid "nvc-decode" "burn burn-flex burn-cuda ffmpeg-next indicatif ureq plotters nvc-encoder" --package nvc-cli --no-default-features
forbid "the harness" "nvc-encoder burn" --package nvc-lab
[ -n "$(pulls burn --package nvc-cli)" ] || { echo "error: the encoder does not depend on burn; this check looks for the wrong name" >&2; exit 1; }
features=$(cargo tree --quiet --locked --edges features --package nvc-cli --features cuda)
grep -q 'burn-cuda v' <<<"$features" || { echo "error: a build with 'cuda' has no burn-cuda; this check looks for the wrong name" >&2; exit 1; }
if grep -q autotune <<<"$features"; then
  echo "error: a build with 'cuda' has autotune, with which no first step comes for minutes:" >&2
  grep autotune <<<"$features" >&2
  exit 1
fi
echo "layers: the decoder depends on neither burn nor ffmpeg" >&2
