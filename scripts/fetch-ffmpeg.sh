#!/usr/bin/env bash
# Fetches a static ffmpeg with libvmaf, xpsnr and libvvenc (from the wheel of the PyPI package imageio-ffmpeg) into a folder,
# target/ffmpeg if none is named, and prints the program's path for NVC_FFMPEG:
#   export NVC_FFMPEG=/usr/bin/ffmpeg:$(scripts/fetch-ffmpeg.sh)
# With /usr/bin/ffmpeg first, encoders that it has stay those of the distribution.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$(realpath -m "${1:-$root/target/ffmpeg}")
version=${IMAGEIO_FFMPEG_VERSION:-0.8.1}

find_program() { [ ! -d "$dir" ] || find "$dir" -maxdepth 1 -type f -name "ffmpeg-*" -perm -u+x | sort | head -1; }

verify() {
  local thing
  for thing in encoder=libvvenc filter=libvmaf filter=xpsnr; do
    # ffmpeg exits 0 whether it has the thing or not
    "$1" -hide_banner -h "$thing" 2>&1 | grep -iq "^${thing%%=*} ${thing##*=}" || { echo "$1 has no ${thing/=/ }" >&2; return 1; }
  done
}

program=$(find_program)
if [ -z "$program" ]; then
  mkdir -p "$dir"
  work=$(mktemp -d "$dir/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" "imageio-ffmpeg==$version" >&2
  # pip has checked the wheel against the index's hash; a wheel is a zip archive with hashes of its own
  python3 - "$work" "$dir" <<'PY'
import glob, os, sys, zipfile
work, out = sys.argv[1:]
with zipfile.ZipFile(glob.glob(os.path.join(work, "*.whl"))[0]) as wheel:
    names = [n for n in wheel.namelist() if os.path.basename(n).startswith("ffmpeg-")]
    if len(names) != 1:
        sys.exit(f"error: the wheel holds {len(names)} ffmpeg programs (expected 1): {names}")
    part = os.path.join(work, "program")
    with open(part, "wb") as f:
        f.write(wheel.read(names[0]))
    os.chmod(part, 0o755)
    os.replace(part, os.path.join(out, os.path.basename(names[0])))
PY
  program=$(find_program)
fi
verify "$program"
echo "$program"
