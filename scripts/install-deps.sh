#!/usr/bin/env bash
# Installs Debian packages, if they are missing: those of the sets named, `build` if none is.
#   build     to build with media support and to fetch the test clips: ffmpeg with its libraries, libclang, pip
#   anchors   codecs that nvc is compared with; each is optional, an anchor whose program is missing says so
#   browser   headless Chromium and its WebDriver, which the test of the report drives
set -euo pipefail

packages=()
for set in "${@:-build}"; do
  case $set in
    build) packages+=(ffmpeg libavcodec-dev libavformat-dev libavutil-dev libswscale-dev libclang-dev clang pkg-config python3 python3-pip python3-venv) ;;
    anchors) packages+=(ffmpeg libjpeg-turbo-progs webp libavif-bin libjxl-tools) ;;
    browser) packages+=(chromium chromium-driver) ;;
    *) echo "unknown set of packages '$set' (known: build, anchors, browser)" >&2; exit 2 ;;
  esac
done
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
