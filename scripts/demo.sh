#!/usr/bin/env bash
# Encodes a real picture and a real clip, decodes them, and prints what came of each beside other codecs at the same size. All
# results go to demo-out/. Settings can be given in the environment, as in: FRAMES=16 STEPS=300 make demo
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

WIDTH=${WIDTH:-320}
HEIGHT=${HEIGHT:-180}
FRAMES=${FRAMES:-48}
BPP=${BPP:-0.15}
PRESET=${PRESET:-medium}
STEPS=${STEPS:-}                       # optimiser steps; empty: from the preset
AGAINST=${AGAINST:-x264,x265}
PICTURE_PRESET=${PICTURE_PRESET:-fast}
PICTURE_CRF=${PICTURE_CRF:-33}
OUT=${OUT:-demo-out}

say() { echo "== $*" >&2; }

scripts/install-deps.sh
scripts/install-deps.sh anchors || say "NOTE: some codecs to compare with are missing"
say "building (a first build takes minutes)"
cargo build --release --locked --features ffmpeg
bin=${CARGO_TARGET_DIR:-target}/release
nvc=$bin/nvc
decode=$bin/nvc-decode
mkdir -p "$OUT"
clip=$OUT/clip.y4m
file=$OUT/clip.nvc
picture=$OUT/picture.png
small=$OUT/picture.nvc

if datasets/fetch-clips.sh target/data; then
  picture_title="A frame of Big Buck Bunny at 640x360"
  title="Big Buck Bunny, first $FRAMES frames scaled to ${WIDTH}x$HEIGHT"
  ffmpeg -nostdin -v error -y -i target/data/bigbuckbunny.mp4 -vf "select=eq(n\,20),scale=640:360:flags=area" -frames:v 1 "$picture"
  ffmpeg -nostdin -v error -y -i target/data/bigbuckbunny.mp4 -vf "scale=$WIDTH:$HEIGHT:flags=lanczos" -frames:v "$FRAMES" \
    -pix_fmt yuv420p -f yuv4mpegpipe "$clip"
else
  picture_title="A SYNTHETIC picture, the first frame of the clip"
  title="SYNTHETIC clip (a moving test picture with noise, ${WIDTH}x$HEIGHT, $FRAMES frames): its figures say little about real video"
  say "NOTE: the real clip could not be fetched. A synthetic one takes its place; its figures say little about real video."
  ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=s=${WIDTH}x$HEIGHT:r=25" -frames:v "$FRAMES" \
    -vf "rotate=0.05*sin(t):ow=iw:oh=ih,noise=alls=4:allf=t:all_seed=1" -pix_fmt yuv420p -f yuv4mpegpipe "$clip"
  ffmpeg -nostdin -v error -y -i "$clip" -frames:v 1 "$picture"
fi

commands=()
seconds=()
# Runs a command, and keeps it and its time for the report.
timed() {
  local start end code=0
  say "$*"
  start=$(date +%s.%N)
  "$@" || code=$?
  end=$(date +%s.%N)
  commands+=("$*")
  seconds+=("$(awk "BEGIN { printf \"%.1f\", $end - $start }")")
  return "$code"
}

# The table of a file beside other codecs, into the variable `table`. Scores are for people and therefore on stderr.
score() {
  local code=0
  timed "$decode" "$1" -o null: --score "$2" --against "$3" 2> "$OUT/table.txt" || code=$?
  table=$(grep -v '^== ' "$OUT/table.txt")
  rm "$OUT/table.txt"
  [ "$code" -eq 0 ] || { echo "$table" >&2; exit "$code"; }
}

timed "$nvc" encode "$picture" -o "$small" -y --preset "$PICTURE_PRESET" --crf "$PICTURE_CRF"
timed "$decode" "$small" -o "$OUT/picture-decoded.png" -y
score "$small" "$picture" jpeg:420,webp,avif:444
picture_table=$table

steps=()
[ -z "$STEPS" ] || steps=(--steps "$STEPS")
code=0
timed "$nvc" encode "$clip" -o "$file" -y --arch hnerv --bpp "$BPP" --preset "$PRESET" "${steps[@]}" --stats "$OUT/encode.ndjson" || code=$?
# 6: written, but its size misses the target; the table tells by how much
[ "$code" -eq 0 ] || [ "$code" -eq 6 ] || exit "$code"

timed "$decode" "$file" -o "$OUT/decoded.y4m" -y
md5() { "$decode" "$file" -o - --format md5 "$@"; }
one=$(md5 --threads 1)
two=$(md5 --threads 2)
portable=$(md5 --simd off)
say "decoded frames: $one (1 thread), $two (2 threads), $portable (no SIMD)"
if [ "$one" != "$two" ] || [ "$one" != "$portable" ]; then
  echo "error: the decoded samples depend on threads or instructions" >&2
  exit 8
fi

# source, decoded, and four times their difference around gray, for four frames
last=$((FRAMES - 1))
pick="select='eq(n,0)+eq(n,$((last / 3)))+eq(n,$((2 * last / 3)))+eq(n,$last)',format=yuv444p,split"
ffmpeg -nostdin -v error -y -i "$clip" -i "$OUT/decoded.y4m" -filter_complex \
  "[0:v]$pick[a][x];[1:v]$pick[b][y];[x][y]blend=all_expr='clip(128+4*(A-B),0,255)'[d];[a][b][d]hstack=inputs=3,tile=1x4" \
  -frames:v 1 "$OUT/strip.png"

score "$file" "$clip" "$AGAINST"

{
  echo "# nvc demo"
  echo
  echo "## A picture"
  echo
  echo "$picture_title."
  echo
  echo '```'
  echo "$picture_table"
  echo '```'
  echo
  echo "![decoded](picture-decoded.png)"
  echo
  echo "Decoded; the source is [picture.png](picture.png), the file [picture.nvc](picture.nvc)."
  echo
  echo "## A clip"
  echo
  echo "$title."
  echo
  echo '```'
  echo "$table"
  echo '```'
  echo
  echo "![source, decoded, difference x 4](strip.png)"
  echo
  echo "Left to right: source, decoded, four times their difference around gray; frames 0, $((last / 3)), $((2 * last / 3)), $last."
  echo
  echo "Samples: $one, the same with 1 and 2 threads and without SIMD."
  echo
  echo "## What the file holds"
  echo
  echo '```'
  "$nvc" info "$file"
  echo '```'
  echo
  echo "## Commands"
  echo
  echo "| seconds | command |"
  echo "|---:|---|"
  for i in "${!commands[@]}"; do echo "| ${seconds[$i]} | \`${commands[$i]}\` |"; done
  echo
  echo "On $(nproc) processors, $("$nvc" --version | sed -n 's/^processor: //p'); $("$nvc" --version | head -1)."
} > "$OUT/report.md"

echo
echo "$picture_title"
echo "$picture_table"
echo
echo "$title"
echo "$table"
echo
echo "report: $OUT/report.md    pictures: $OUT/strip.png    files: $small, $file"
