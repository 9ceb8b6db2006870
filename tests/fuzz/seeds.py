#!/usr/bin/env python3
"""Small honest files of every format, from which the fuzzers start.

  python3 tests/fuzz/seeds.py --corpus FOLDER --whit PATH/TO/whit [--shared ../shared]

Writes FOLDER/<target>/<name>; nothing but Python's own library is needed. Files of ../shared/data are added where they are
there and small.
"""

import argparse
import collections
import io
import json
import os
import pathlib
import pickle
import shutil
import struct
import subprocess
import zipfile

LARGEST = 60_000  # bytes: mutation of larger files finds little in the same time


def safetensors(tensors):
    header, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    header["__metadata__"] = {"format": "pt"}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def npy(descr, shape, raw, fortran=False):
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + raw


def archive(entries, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in entries.items():
            z.writestr(name, data)
    return out.getvalue()


class Global:
    """Pickles as the name of something that this Python does not have."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self):
        raise TypeError("only a name")


class Reduce:
    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Storage:
    def __init__(self, kind, key, count):
        self.id = ("storage", Global("torch", kind), key, "cpu", count)


class Pickler(pickle._Pickler):  # the one in Python can be taught to write any name
    dispatch = dict(pickle._Pickler.dispatch)

    def persistent_id(self, obj):
        return obj.id if isinstance(obj, Storage) else None

    def save_name(self, obj):
        self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())

    dispatch[Global] = save_name


def dumps(obj):
    out = io.BytesIO()
    Pickler(out, protocol=2).dump(obj)
    return out.getvalue()


def tensor(storage, offset, shape, stride):
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    return Reduce(rebuild, (storage, offset, shape, stride, False, collections.OrderedDict()))


def state_dict():
    w = Storage("FloatStorage", "0", 6)
    b = Storage("HalfStorage", "1", 3)
    model = collections.OrderedDict(
        [("fc.weight", tensor(w, 0, (2, 3), (3, 1))), ("fc.turned", tensor(w, 0, (3, 2), (1, 3))), ("fc.bias", tensor(b, 1, (2,), (1,)))]
    )
    return {"state_dict": model, "epoch": 3, "name": "seed"}


def torch_zip():
    return archive(
        {
            "model/data.pkl": dumps(state_dict()),
            "model/byteorder": b"little",
            "model/data/0": struct.pack("<6f", *range(6)),
            "model/data/1": struct.pack("<3e", 1, 2, 3),
            "model/version": b"3\n",
        }
    )


def torch_legacy():
    out = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
    out += pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, 2)

    class Legacy(Storage):
        def __init__(self, kind, key, count):
            self.id = ("storage", Global("torch", kind), key, "cpu", count, None)

    w, b = Legacy("FloatStorage", "10", 6), Legacy("HalfStorage", "11", 3)
    out += dumps(collections.OrderedDict([("w", tensor(w, 0, (2, 3), (3, 1))), ("b", tensor(b, 0, (3,), (1,)))]))
    out += pickle.dumps(["10", "11"], 2)
    out += struct.pack("<Q6f", 6, *range(6)) + struct.pack("<Q3e", 3, 1, 2, 3)
    return out


def weights():
    floats = struct.pack("<6f", *range(6))
    arrays = {"a.npy": npy("<f4", (2, 3), floats), "b.npy": npy(">i2", (3, 2), struct.pack(">6h", *range(6)), True)}
    return {
        "plain.safetensors": safetensors({"w": ("F32", [2, 3], floats), "b": ("BF16", [3], b"\0\x3f" * 3)}),
        "stored.npz": archive(arrays),
        "deflated.npz": archive(arrays, zipfile.ZIP_DEFLATED),
        "one.npy": arrays["a.npy"],
        "zip.pth": torch_zip(),
        "legacy.pth": torch_legacy(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, type=pathlib.Path)
    parser.add_argument("--whit", required=True)
    parser.add_argument("--shared", default="../shared", type=pathlib.Path)
    args = parser.parse_args()
    folders = {t: args.corpus / t for t in ("fuzz_weights", "fuzz_tflite", "fuzz_whit")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for name, data in weights().items():
        (folders["fuzz_weights"] / name).write_bytes(data)
    models = [pathlib.Path("examples/classify/digits.tflite")]
    if args.shared.is_dir():
        models += sorted((args.shared / "data").glob("models/**/*.tflite"))
        for path in sorted((args.shared / "data").glob("weights/*")):
            if path.suffix != ".csv" and path.stat().st_size <= LARGEST:
                shutil.copy(path, folders["fuzz_weights"])
    else:
        print("SKIPPED: no ../shared: the models there are no seeds")
    for path in models:
        if path.stat().st_size > LARGEST:
            continue
        shutil.copy(path, folders["fuzz_tflite"] / path.name)
        out = folders["fuzz_whit"] / (path.stem + ".whit")
        subprocess.run([args.whit, "import", path, "-o", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for target, folder in folders.items():
        print(f"{target}: {len(os.listdir(folder))} seeds")


if __name__ == "__main__":
    main()
