#!/usr/bin/env python3
"""Real files of weights against what is recorded of every tensor.

  python3 tests/weights/real_weights_test.py --whit PATH/TO/whit [--weights ../shared/data/weights]

Each FILE.tensors.csv beside a FILE has, of every tensor in order: name, type, shape, sum, mean, min, max and the first 16
digits of the SHA-256 of its little-endian bytes. They are compared with `whit weights stats` and with the bytes that
`whit weights convert` writes to .npz and .safetensors. Exit status 77: skipped, there are none.
"""

import argparse
import csv
import hashlib
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile


def npz_bytes(path):
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            data = archive.read(info)
            header = struct.unpack_from("<H", data, 8)[0]
            yield info.filename.removesuffix(".npy"), data[10 + header :]


def safetensors_bytes(path):
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    for name, tensor in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            begin, end = tensor["data_offsets"]
            yield name, data[8 + size + begin : 8 + size + end]


def near(text, value, scale):
    if text == "":
        return True
    return value is not None and math.isclose(float(text), value, rel_tol=2e-7, abs_tol=1e-7 * scale)


def check(whit, path, scratch):
    """Messages of what differs."""
    rows = list(csv.DictReader(open(f"{path}.tensors.csv")))
    stats = json.loads(subprocess.run([whit, "weights", "stats", path, "--json"], check=True, capture_output=True).stdout)
    tensors, wrong = stats["tensors"], []
    if [t["name"] for t in tensors] != [r["name"] for r in rows]:
        wrong.append(f"names: {sorted({t['name'] for t in tensors} ^ {r['name'] for r in rows})[:4]}, or their order")
    by_name = {t["name"]: t for t in tensors}
    rows = [r for r in rows if r["name"] in by_name]
    for row in rows:
        t = by_name[row["name"]]
        shape = "x".join(map(str, t["shape"])) or "1"
        if (t["type"], shape, t["elements"]) != (row["dtype"], row["shape"], int(row["elements"])):
            wrong.append(f"{row['name']}: {t['type']} {shape}, expected {row['dtype']} {row['shape']}")
            continue
        scale = max(abs(t["min"] or 0), abs(t["max"] or 0)) * max(1, t["elements"])
        for key in ("sum", "mean", "min", "max"):
            if not near(row[key], t[key], scale if key == "sum" else scale / max(1, t["elements"])):
                wrong.append(f"{row['name']}: {key} {t[key]}, expected {row[key]}")
    for suffix, read in ((".npz", npz_bytes), (".safetensors", safetensors_bytes)):
        out = scratch / f"{path.name}{suffix}"
        subprocess.run([whit, "weights", "convert", path, "-o", out], check=True, stdout=subprocess.DEVNULL)
        written = dict(read(out))
        for row in rows:
            digest = hashlib.sha256(written.get(row["name"], b"?")).hexdigest()
            if not digest.startswith(row["sha256_le_bytes"]):
                wrong.append(f"{row['name']}: bytes in {suffix}")
        again = subprocess.run([whit, "weights", "diff", path, out], capture_output=True, text=True)
        if again.returncode != 0:
            wrong.append(f"diff with its own {suffix}: {again.stdout[-200:]}")
    return wrong, len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whit", required=True)
    parser.add_argument("--weights", type=pathlib.Path, default=pathlib.Path("../shared/data/weights"))
    args = parser.parse_args()
    files = sorted(args.weights.glob("*.tensors.csv")) if args.weights.is_dir() else []
    if not files:
        print(f"SKIPPED: no {args.weights}")
        return 77
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for record in files:
            path = record.with_name(record.name.removesuffix(".tensors.csv"))
            wrong, count = check(args.whit, path, pathlib.Path(scratch))
            failed += bool(wrong)
            print(f"{'FAILED' if wrong else 'ok':6} {path.name}: {count} tensors")
            for message in wrong[:10]:
                print(f"       {message}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
