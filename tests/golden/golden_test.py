#!/usr/bin/env python3
"""Every real model of the shared data against the outputs of LiteRT's reference kernels and of XNNPACK.

    golden_test.py --whit build/release/.../whit [--data ../shared/data] [--only PART]

Where the two goldens differ neither is the answer, so their distance is the yardstick: the mean distance to the nearer
one may exceed the mean distance between the two by 0.25 steps; the class must agree where the two agree; wide integers
are exact; floats are within 1e-4 of the nearer one or of the largest value (small ones are differences of large ones),
or 1e-5, or twice the largest distance between the two. Models without goldens must import and run. EXCEPTIONS names,
with the reason, what is refused as not supported (a crash is no refusal). Prints what it skipped; exit 0 only if
everything else passed."""
import argparse
import csv
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as missing:
    print("golden: skipped, %s" % missing)
    sys.exit(77)

# model -> why it is refused (LiteRT itself refuses or cannot run most of them).
EXCEPTIONS = {
    "tflite_testdata/add_quantized.tflite": "adds uint8 to uint8 into float32, which no kernel anywhere defines",
    "tflite_testdata/add_quantized_int8.tflite": "adds int8 to int8 into float32, which no kernel anywhere defines",
    "tflite_testdata/conv3d_huge_im2col.tflite": "CONV_3D is not in the list of operators",
    "tflite_testdata/dynamic_shapes.tflite": "its shapes follow from the values of an input",
    "tflite_testdata/sparse_tensor.tflite": "sparse tensors and a custom operator without a meaning",
    "tflite_testdata/with_metadata.tflite": "a custom operator of one NPU",
}


def golden(data, model, case):
    """[(reference, xnnpack, subsampled)] per output; one stands for both where a resolver lacks an operator."""
    folder = data / "golden" / model[: -len(".tflite")]
    found = []
    for k in range(64):
        pair = [hit for mode in ("ref", "xnn")
                for hit in (list(folder.glob(f"{case}.{mode}{k}.npy")) + list(folder.glob(f"{case}.{mode}{k}.s4.npy")))[:1]]
        if not pair:
            break
        found.append((np.load(pair[0]), np.load(pair[-1]), [p.name.endswith(".s4.npy") for p in (pair[0], pair[-1])]))
    return found


def wrong(got, ref, xnn):
    """None, or a sentence with both numbers."""
    if got.dtype != ref.dtype or got.size != ref.size:
        return f"{got.dtype}{list(got.shape)}, expected {ref.dtype}{list(ref.shape)}"
    if got.size == 0:
        return None
    g, r, x = (a.astype(np.float64).ravel() for a in (got, ref, xnn))
    nearer, apart = np.minimum(abs(g - r), abs(g - x)), abs(r - x)
    if ref.dtype.kind == "f":
        allowed = np.maximum(np.maximum(1e-5, 1e-4 * abs(r)), 2 * apart.max())
        allowed = np.maximum(allowed, 1e-4 * abs(r).max())  # cancellation: small values beside large ones
        worst = int((nearer - allowed).argmax())
        return None if nearer[worst] <= allowed[worst] else f"off by {nearer[worst]:.4g} at {worst}, allowed {allowed[worst]:.4g}"
    if ref.dtype.itemsize >= 4 or ref.dtype.kind == "b":
        return None if nearer.max() == 0 else f"off by {nearer.max():g}, expected exact"
    if nearer.mean() > apart.mean() + 0.25:
        return f"mean distance {nearer.mean():.4g}, allowed {apart.mean() + 0.25:.4g} (largest {nearer.max():g})"
    if r.argmax() == x.argmax() and r.size >= 8 and g.argmax() != r.argmax():
        first, second = np.sort(r)[-1], np.sort(r)[-2]
        if first - second > 2 + 2 * apart.max():
            return f"class {g.argmax()}, expected {r.argmax()}"
    return None


class Runner:
    """Imports each model once and runs cases through the command line."""

    def __init__(self, whit, data, scratch):
        self.whit, self.data, self.scratch, self.models = whit, data, pathlib.Path(scratch), {}

    def call(self, *args):
        return subprocess.run([self.whit, *map(str, args)], capture_output=True, text=True, errors="replace", timeout=120)

    def imported(self, model):
        """Path of the .whit, or the message of the refusal."""
        if model not in self.models:
            out = self.scratch / (model.replace("/", "__") + ".whit")
            done = self.call("import", self.data / "models" / model, "-o", out)
            if done.returncode not in (0, 2):
                self.models[model] = f"exit {done.returncode}: {done.stderr.strip()}"
            else:
                self.models[model] = out if done.returncode == 0 else done.stderr.strip()
        return self.models[model]

    def run(self, model, inputs, count):
        outs = [self.scratch / f"out{k}.npy" for k in range(count)]
        done = self.call("run", model, *(a for i in inputs for a in ("--in", i)), *(a for o in outs for a in ("--out", o)))
        if done.returncode != 0:
            return f"exit {done.returncode}: {done.stderr.strip()}"
        return [np.load(o) for o in outs]


def check_case(runner, data, model, case, inputs):
    """List of complaints about one row of cases.csv."""
    goldens = golden(data, model, case)
    path = runner.imported(model)
    if isinstance(path, str):
        return [f"not imported: {path}"]
    outputs = runner.run(path, inputs, len(goldens))
    if isinstance(outputs, str):
        return [outputs]
    complaints = []
    for k, (got, (ref, xnn, small)) in enumerate(zip(outputs, goldens)):
        got = got[:, ::4, ::4] if small[0] else got
        bad = wrong(got, ref, xnn)
        if bad:
            complaints.append(f"output {k}: {bad}")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whit", required=True)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    data = args.data or pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (data / "cases.csv").exists():
        print(f"SKIPPED: no shared data at {data}")
        return 77
    passed, failed, excepted, seen = 0, 0, 0, set()
    with tempfile.TemporaryDirectory() as scratch:
        runner = Runner(args.whit, data, scratch)

        def report(name, complaints):
            nonlocal passed, failed, excepted
            model = name.split()[0]
            if not complaints and model in EXCEPTIONS:
                failed += 1
                print(f"  FAILED {name}: passes, so EXCEPTIONS need not name it")
            elif complaints and model in EXCEPTIONS and "not supported" in complaints[0]:
                excepted += 1
                print(f"  exception: {name}: {EXCEPTIONS[model]} ({complaints[0][:160]})")
            elif complaints:
                failed += 1
                print(f"  FAILED {name}: " + "; ".join(complaints)[:400])
            else:
                passed += 1

        for row in csv.DictReader(open(data / "cases.csv")):
            if args.only in row["model"]:
                seen.add(row["model"])
                report(f"{row['model']} {row['case']}", check_case(
                    runner, data, row["model"], row["case"], [data / "inputs" / f for f in row["inputs"].split(";")]))
        for path in sorted((data / "models").rglob("*.tflite")):
            model = str(path.relative_to(data / "models"))
            if model in seen or args.only not in model:
                continue
            imported = runner.imported(model)
            if isinstance(imported, str):
                report(f"{model} (no golden)", [imported])
                continue
            done = runner.call("bench", imported, "--runs", 1, "--warmup", 0)
            report(f"{model} (no golden)", [] if done.returncode == 0 else [done.stderr.strip()])
    print(f"golden: {passed} passed, {failed} failed, {excepted} excepted")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())
