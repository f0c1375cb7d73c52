"""Reads JSON lines {"anchor": [[rate, quality], ...], "test": ..., "method": ...} and writes each with the BD-rate and BD-PSNR of
the package bjontegaard; points must be sorted by rate."""

import json
import sys
import warnings

import bjontegaard

warnings.simplefilter("ignore")  # its advice on small overlaps

for line in sys.stdin:
    pair = json.loads(line)
    columns = [list(c) for curve in (pair["anchor"], pair["test"]) for c in zip(*curve)]
    options = {"method": pair["method"], "require_matching_points": False, "min_overlap": 0}
    pair["bd_rate"] = bjontegaard.bd_rate(*columns, **options)
    pair["bd_psnr"] = bjontegaard.bd_psnr(*columns, **options)
    print(json.dumps(pair))
