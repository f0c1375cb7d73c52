#!/usr/bin/env bash
# Installs the Debian packages with the codecs that nvc is compared with, if they are missing. All are optional: an anchor
# whose program is not there says so.
set -euo pipefail

#        x264, x265, SVT-AV1, libaom   cjpeg djpeg          cwebp dwebp  avifenc avifdec  cjxl djxl
packages=(ffmpeg                       libjpeg-turbo-progs  webp         libavif-bin      libjxl-tools)
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null; then
  echo "please install with your package manager: ${missing[*]}" >&2
  exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "missing packages, and neither root nor sudo: apt-get install ${missing[*]}" >&2; exit 1; }
  sudo=sudo
fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q >&2
$sudo apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
