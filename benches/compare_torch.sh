#!/usr/bin/env bash
# Training step of nvc against PyTorch on this CPU, interleaved so that a busy machine hurts both alike.
# Usage: benches/compare_torch.sh [rounds] [steps]      PYTHON=/path/to/python picks the interpreter
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-4} steps=${2:-10} python=${PYTHON:-python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "SKIPPED: $python cannot import torch; nothing was compared (set PYTHON)" >&2
    exit 0
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
cargo bench -q --bench train_step --no-run
for ((i = 0; i < rounds; i++)); do
    for batch in 1 2; do
        for threads in 1 2; do
            args=(--batch $batch --threads $threads --steps "$steps")
            cargo bench -q --bench train_step -- "${args[@]}"
            for layout in nchw nhwc; do "$python" benches/torch_train_step.py "${args[@]}" --layout $layout; done
        done
    done
done | tee "$out" >&2
# minimum over all rounds; median of the rounds' medians
awk -v rounds="$rounds" '
function med(key,    a, i, j, t, n) {
    n = split(medians[key], a, " ")
    for (i = 2; i <= n; i++) for (j = i; j > 1 && a[j] + 0 < a[j-1] + 0; j--) { t = a[j]; a[j] = a[j-1]; a[j-1] = t }
    return a[int((n + 1) / 2)]
}
{ key = $1 " " $2 " " $3; if (!(key in min) || $4 < min[key]) min[key] = $4; medians[key] = medians[key] " " $5 }
END {
    print "batch threads | nvc min/median ms | torch nchw | torch channels_last | nvc/torch best: min, median"
    for (b = 1; b <= 2; b++) for (t = 1; t <= 2; t++) {
        k = b " " t; n = "nvc " k; c = "torch-nchw " k; l = "torch-nhwc " k
        mc = med(c); ml = med(l)
        bestmin = min[c] < min[l] ? min[c] : min[l]; bestmed = mc + 0 < ml + 0 ? mc : ml
        printf "%d %d | %.1f/%.1f | %.1f/%.1f | %.1f/%.1f | %.2f, %.2f\n", b, t, min[n], med(n), min[c], mc, min[l], ml, min[n] / bestmin, med(n) / bestmed
    }
}' "$out"
