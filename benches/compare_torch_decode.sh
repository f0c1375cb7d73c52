#!/usr/bin/env bash
# Computing pictures with nvc against PyTorch on this CPU, interleaved so that a busy machine hurts both alike.
# Usage: benches/compare_torch_decode.sh [rounds] [threads]      PYTHON=/path/to/python picks the interpreter
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-7} threads=${2:-2} python=${PYTHON:-python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "SKIPPED: $python cannot import torch; nothing was compared (set PYTHON)" >&2
    exit 0
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
bench=(cargo bench -q --no-default-features --bench decode --)
"${bench[@]}" table --shapes > /dev/null
for ((i = 0; i < rounds; i++)); do
    while read -r net shape; do
        "${bench[@]}" table --net "$net" --threads "$threads" --rounds 3 --level best --brief
        for layout in nchw nhwc; do
            "$python" benches/torch_decode.py --net "$net" --shape "$shape" --threads "$threads" --rounds 3 --layout $layout
        done
    done < <("${bench[@]}" table --shapes)
done | tee "$out" >&2
# minimum over all rounds; median of the rounds' medians
awk '
function med(key,    a, i, j, t, n) {
    n = split(medians[key], a, " ")
    for (i = 2; i <= n; i++) for (j = i; j > 1 && a[j] + 0 < a[j-1] + 0; j--) { t = a[j]; a[j] = a[j-1]; a[j-1] = t }
    return a[int((n + 1) / 2)]
}
{ key = $1 " " $2; nets[$2]; threads = $3; if (!(key in min) || $4 < min[key]) min[key] = $4; medians[key] = medians[key] " " $5 }
END {
    print "network, " threads " threads | nvc min/median ms | torch nchw | torch channels_last | torch best/nvc: min, median"
    for (net in nets) {
        n = "nvc " net; c = "torch-nchw " net; l = "torch-nhwc " net
        mc = med(c); ml = med(l)
        bestmin = min[c] < min[l] ? min[c] : min[l]; bestmed = mc + 0 < ml + 0 ? mc : ml
        printf "%s | %.1f/%.1f | %.1f/%.1f | %.1f/%.1f | %.2f, %.2f\n", net, min[n], med(n), min[c], mc, min[l], ml, bestmin / min[n], bestmed / med(n)
    }
}' "$out"
