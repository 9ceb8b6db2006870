#!/usr/bin/env python3
"""ONNX conformance: models with inputs and outputs, imported and run through the command line.

    onnx_cases.py --whit build/release/.../whit [--data ../shared/data] [--cases folders|nodes] [--only PART] [-v]

Folders of --data/onnx_pytorch_converted (model.onnx, test_data_set_*/{input,output}_*.pb), and the single-node cases of
the Python package onnx: both, or those that --cases says. A case passes, is refused with a message, or fails: other numbers, a crash
or an empty message. Single-node cases have weights, shapes and axes as inputs, which real models have as constants: what
is refused so is tried again with all inputs but the first as constants, then with all of them. Prints a table by
operator. Exit 0: nothing failed, nothing of the folders was refused, and 95 % of the single-node cases of operators
that whit claims passed. 77: skipped, nothing is there."""
import argparse
import collections
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as missing:
    print("onnx_cases: skipped, %s" % missing)
    sys.exit(77)

NUMPY_TYPES = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8",
               12: "<u4", 13: "<u8"}


# ---- the wire format, as much of it as this needs ----

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of a message: integers, or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        yield tag >> 3, value


def encoded(number, payload):
    def number_of(value):
        out = b""
        while value > 127:
            out += bytes([value & 127 | 128])
            value >>= 7
        return out + bytes([value])
    return number_of(number << 3 | 2) + number_of(len(payload)) + payload


def tensor(data):
    """A TensorProto as an array, or None where this does not read it."""
    dims, kind, raw, typed = [], 0, None, []
    for number, value in fields(data):
        if number == 1:
            dims += list(packed(value))
        elif number == 2:
            kind = value
        elif number == 9:
            raw = value
        elif number in (4, 5, 7, 10, 11):
            typed.append((number, value))
    if kind not in NUMPY_TYPES:
        return None
    dtype = np.dtype(NUMPY_TYPES[kind])
    if raw is not None:
        return np.frombuffer(raw, dtype).reshape(dims)
    values = []
    for number, value in typed:
        if number in (4, 10):
            values += list(np.frombuffer(value, "<f4" if number == 4 else "<f8"))
        else:
            values += list(packed(value))
    if kind == 10:
        return np.array(values, np.uint16).view(dtype).reshape(dims)
    signed = [v - (1 << 64) if isinstance(v, int) and v >> 63 else v for v in values]
    return np.array(signed).astype(dtype).reshape(dims)


def packed(value):
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        one, at = varint(value, at)
        yield one


class Model:
    """Names of inputs and outputs, operators and the operator set, of the bytes of a model."""

    def __init__(self, data):
        self.data, self.inputs, self.outputs, self.ops, self.opset = data, [], [], [], 0
        initializers = set()
        for number, value in fields(data):
            if number == 8:
                entry = dict(fields(value))
                if not entry.get(1):
                    self.opset = entry.get(2, 0)
            if number != 7:
                continue
            for inner, message in fields(value):
                if inner == 1:
                    self.ops += [v.decode() for n, v in fields(message) if n == 4]
                elif inner == 5:
                    initializers |= {v for n, v in fields(message) if n == 8}
                elif inner in (11, 12):
                    entry = dict(fields(message))
                    (self.inputs if inner == 11 else self.outputs).append((entry[1], elem_type(entry.get(2, b""))))
        self.inputs = [(name.decode(), kind) for name, kind in self.inputs if name not in initializers]
        self.outputs = [(name.decode(), kind) for name, kind in self.outputs]

    def with_constants(self, tensors):
        """The model with TensorProtos as initializers, by name. Messages that come twice are merged."""
        graph = b"".join(encoded(5, raw + encoded(8, name.encode())) for name, raw in tensors.items())
        return self.data + encoded(7, graph)


def elem_type(type_proto):
    """Of a tensor; -1 of anything else."""
    entry = dict(fields(type_proto))
    return dict(fields(entry[1])).get(1, 0) if 1 in entry else -1


def unnamed(raw):
    """A TensorProto without its name."""
    out = b""
    at = 0
    while at < len(raw):
        begin = at
        tag, at = varint(raw, at)
        if tag & 7 == 0:
            _, at = varint(raw, at)
        elif tag & 7 == 2:
            size, at = varint(raw, at)
            at += size
        else:
            at += {1: 8, 5: 4}[tag & 7]
        if tag >> 3 != 8:
            out += raw[begin:at]
    return out


# ---- one case ----

class Case:
    def __init__(self, name, model, inputs, outputs, rtol=1e-3, atol=1e-5):
        self.name, self.model, self.inputs, self.outputs = name, Model(model), inputs, outputs
        self.rtol, self.atol = rtol, max(atol, 1e-5)


def difference(got, want, case):
    """None, or a sentence with both numbers."""
    if list(got.shape) != list(want.shape):
        return f"shape {list(got.shape)}, expected {list(want.shape)}"
    if want.size == 0:
        return None
    g, w = got.astype(np.float64).ravel(), want.astype(np.float64).ravel()
    if want.dtype.kind == "f":
        allowed = case.atol + case.rtol * abs(w) * (4 if want.dtype.itemsize == 2 else 1)
        with np.errstate(invalid="ignore"):
            bad = ~((abs(g - w) <= allowed) | (g == w) | (np.isnan(g) & np.isnan(w)))
    elif want.dtype.itemsize == 1 and want.dtype.kind in "iu":
        bad = abs(g - w) > 1  # codes: a result between two may become either
    else:
        bad = got.ravel() != want.ravel()
    if not bad.any():
        return None
    at = int(bad.argmax())
    return f"{g[at]:.9g} at {at}, expected {w[at]:.9g} ({int(bad.sum())} of {g.size} differ)"


class Runner:
    def __init__(self, whit, scratch):
        self.whit, self.scratch = whit, pathlib.Path(scratch)

    def call(self, *args):
        return subprocess.run([self.whit, *map(str, args)], capture_output=True, text=True, errors="replace", timeout=120)

    def attempt(self, case, constants):
        """("passed" | "refused" | "failed", why) with those inputs as constants."""
        source, whit = self.scratch / "case.onnx", self.scratch / "case.whit"
        live = [(n, raw) for n, raw in zip(case.model.inputs, case.inputs) if n[0] not in constants]
        fixed = {n[0]: unnamed(raw) for n, raw in zip(case.model.inputs, case.inputs) if n[0] in constants}
        data = case.model.with_constants(fixed) if fixed else case.model.data
        if not live:  # a model has an input
            data += encoded(7, encoded(11, encoded(1, b"whit_unused") + encoded(2, encoded(1, b"\x08\x01" + encoded(2, b"")))))
        source.write_bytes(data)
        shapes = []
        for (name, _), raw in live:
            array = tensor(raw)
            if array is None:
                return "refused", "an input of a type that this driver does not read"
            if array.ndim and array.size:
                shapes += ["--shape", name + "=" + ",".join(map(str, array.shape))]
        made = self.call("import", source, "-o", whit, *shapes)
        if made.returncode != 0:
            text = made.stderr.strip()
            return ("refused", text) if made.returncode in (1, 2) and text else ("failed", f"import ended with {made.returncode}: {text}")
        info = self.call("info", whit, "--json")
        return self.run(case, whit, live, info.stdout)

    def run(self, case, whit, live, info):
        import json
        takes = {entry["name"]: entry for entry in json.loads(info)["inputs"]}
        args = []
        if "whit_unused" in takes:
            np.save(self.scratch / "unused.npy", np.zeros(takes["whit_unused"]["shape"], np.float32))
            args += ["--in", f"whit_unused={self.scratch / 'unused.npy'}"]
        for i, ((name, _), raw) in enumerate(live):
            if name not in takes:
                continue
            path, array = self.scratch / f"in{i}.npy", tensor(raw)
            if array.size == 0:  # of which the type alone counts
                array = np.zeros(takes[name]["shape"], array.dtype)
            np.save(path, array.astype(takes[name]["type"]))
            args += ["--in", f"{name}={path}"]
        outs = [self.scratch / f"out{i}.npy" for i in range(len(case.outputs))]
        for i, (name, _) in enumerate(case.model.outputs[:len(outs)]):
            args += ["--out", f"{name}={outs[i]}"]
        ran = self.call("run", whit, *args)
        if ran.returncode != 0:
            return "failed", f"run ended with {ran.returncode}: {ran.stderr.strip()}"
        for path, raw in zip(outs, case.outputs):
            want = tensor(raw)
            if want is None:
                return "refused", "an output of a type that this driver does not read"
            wrong = difference(np.load(path), want, case)
            if wrong:
                return "failed", wrong
        return "passed", ""

    def judge(self, case):
        names = [name for name, _ in case.model.inputs]
        tried = []
        for constants in (set(), set(names[1:]), set(names[2:]), set(names)):
            if constants in tried:
                continue
            tried.append(constants)
            result = self.attempt(case, constants)
            if result[0] != "refused":
                return result
        return result


# ---- where cases come from ----

def folder_cases(root):
    for folder in sorted(p for p in root.iterdir() if (p / "model.onnx").exists()):
        for data in sorted(folder.glob("test_data_set_*")):
            def load(kind):
                return [p.read_bytes() for p in sorted(data.glob(kind + "_*.pb"), key=lambda p: int(p.stem.split("_")[1]))]
            yield Case(folder.name, (folder / "model.onnx").read_bytes(), load("input"), load("output"))


def node_cases():
    import warnings
    warnings.simplefilter("ignore")
    from onnx import numpy_helper
    from onnx.backend.test.case.node import collect_testcases
    np.seterr(all="ignore")
    for case in collect_testcases(None):
        def encode(values):
            return [v.SerializeToString() if hasattr(v, "SerializeToString") else numpy_helper.from_array(np.asarray(v)).SerializeToString()
                    for v in values]
        for inputs, outputs in case.data_sets:
            try:
                yield Case(case.name, case.model.SerializeToString(), encode(inputs), encode(outputs), case.rtol, case.atol)
            except (TypeError, ValueError, AttributeError, NotImplementedError):
                yield Case(case.name, case.model.SerializeToString(), None, None)


def unclaimed(case):
    """Why a case is of no kind that an import takes, or None."""
    kinds = [kind for _, kind in case.model.inputs + case.model.outputs]
    if case.inputs is None or not all(kind in NUMPY_TYPES for kind in kinds):
        return "of other types"
    if case.model.opset < 6:
        return "of other operator sets"
    if "training" in case.name:
        return "of training"
    if any(tensor(raw).size == 0 for raw in case.inputs + case.outputs):
        return "without elements"
    return None


def judge_all(runner, cases, args):
    table = collections.defaultdict(collections.Counter)
    unknown = set()
    failures = []
    for case in cases:
        if args.only and args.only not in case.name:
            continue
        op = case.model.ops[0] if len(case.model.ops) == 1 else "graph of " + "+".join(sorted(set(case.model.ops)))[:60]
        other = unclaimed(case)
        if other:
            table[op][other] += 1
            continue
        result, why = runner.judge(case)
        table[op][result] += 1
        first_line = why.splitlines()[0][:300] if why else ""
        if result == "refused" and any(f" {name} ('" in why for name in set(case.model.ops)):
            unknown.add(op)
        if result == "failed":
            failures.append(case.name)
        if args.verbose and result != "passed" or result == "failed":
            print(f"{result}: {case.name}: {first_line}")
    return table, unknown, failures


def report(title, table, unknown):
    total = collections.Counter()
    for op in sorted(table):
        if op not in unknown:
            total += table[op]
    print(f"\n{title}")
    for op in sorted(table):
        counts = ", ".join(f"{n} {what}" for what, n in sorted(table[op].items()))
        print(f"  {op:32} {counts}{'  (no operator of whit)' if op in unknown else ''}")
    judged = total["passed"] + total["refused"] + total["failed"]
    print(f"{title}: of operators that whit has {total['passed']} of {judged} passed, {total['refused']} refused, {total['failed']} failed")
    return total["passed"] / judged if judged else 1.0, total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whit", required=True)
    parser.add_argument("--data", default="../shared/data", type=pathlib.Path)
    parser.add_argument("--cases", choices=("folders", "nodes"), help="these alone")
    parser.add_argument("--only", help="cases with this in their name")
    parser.add_argument("-v", "--verbose", action="store_true", help="say why a case was refused")
    args = parser.parse_args()
    bad, ran = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        runner = Runner(args.whit, scratch)
        root = args.data / "onnx_pytorch_converted"
        if args.cases == "nodes":
            pass
        elif root.is_dir():
            table, unknown, failures = judge_all(runner, folder_cases(root), args)
            _, total = report("onnx_pytorch_converted", table, unknown)
            ran += 1
            bad += len(failures) + total["refused"] + len(unknown)
        else:
            print(f"SKIPPED: {root} is not there")
        try:
            if args.cases != "folders":
                table, unknown, failures = judge_all(runner, node_cases(), args)
                share, _ = report("single nodes", table, unknown)
                ran += 1
                bad += len(failures) + (0 if share >= 0.95 or args.only else 1)
        except ImportError as missing:
            print(f"SKIPPED: single-node cases: {missing}")
    if ran == 0:
        return 77
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
