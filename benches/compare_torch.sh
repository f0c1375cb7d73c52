#!/usr/bin/env bash
# Training steps of nvc against PyTorch on this CPU, interleaved so that a busy machine hurts both alike.
# Usage: benches/compare_torch.sh [rounds] [steps] [network...]      PYTHON=/path/to/python picks the interpreter, THREADS the threads,
# BATCHES the batch sizes
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-7} steps=${2:-8} python=${PYTHON:-python3} threads=${THREADS:-2} batches=${BATCHES:-1 2}
shift $(($# < 2 ? $# : 2))
networks=("$@")
((${#networks[@]})) || networks=(hnerv-0.1m hnerv-0.75m nervpp-s)
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "SKIPPED: $python cannot import torch; nothing was compared (set PYTHON)" >&2
    exit 0
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
step=$(cargo bench --bench step --no-run --message-format=json 2>/dev/null | grep -o '"executable":"[^"]*/step-[^"]*"' | tail -1 | cut -d'"' -f4)
[[ -x $step ]] || { echo "cargo bench --bench step --no-run gave no program" >&2; exit 1; }
for ((i = 0; i < rounds; i++)); do
    for network in "${networks[@]}"; do
        for batch in $batches; do
            args=("$network" --batch "$batch" --threads "$threads" --steps "$steps")
            "$step" "${args[@]}" | grep '^nvc'
            for layout in nchw nhwc; do "$python" benches/torch_step.py "${args[@]}" --layout $layout; done
        done
    done
done | tee "$out" >&2
# minimum over all rounds; median of the rounds' medians
awk '
function med(key,    a, i, j, t, n) {
    n = split(medians[key], a, " ")
    for (i = 2; i <= n; i++) for (j = i; j > 1 && a[j] + 0 < a[j-1] + 0; j--) { t = a[j]; a[j] = a[j-1]; a[j-1] = t }
    return a[int((n + 1) / 2)]
}
{
    name = $2 " " $3 " " $4; key = $1 " " name
    if (!(name in seen)) { seen[name]; order[++names] = name }
    if (!(key in min) || $5 < min[key]) min[key] = $5
    medians[key] = medians[key] " " $6
}
END {
    print "network batch threads | nvc min/median ms | torch nchw | torch channels_last | best torch/nvc: min, median"
    for (i = 1; i <= names; i++) {
        k = order[i]; n = "nvc " k; c = "torch-nchw " k; l = "torch-nhwc " k
        mc = med(c); ml = med(l)
        bestmin = min[c] < min[l] ? min[c] : min[l]; bestmed = mc + 0 < ml + 0 ? mc : ml
        printf "%s | %.1f/%.1f | %.1f/%.1f | %.1f/%.1f | %.2f, %.2f\n", k, min[n], med(n), min[c], mc, min[l], ml, bestmin / min[n], bestmed / med(n)
    }
}' "$out"
