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
import sys
import zipfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fixtures"))
import tf_checkpoint

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
            z.writestr(zipfile.ZipInfo(name), data, method)  # of 1980, so that the same bytes come every time
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
    scales = tensor(Storage("DoubleStorage", "2", 3), 0, (3,), (1,))
    zeros = tensor(Storage("LongStorage", "3", 3), 0, (3,), (1,))
    quantizer = (Global("torch", "per_channel_affine"), scales, zeros, 1)
    codes = (Storage("QInt8Storage", "4", 6), 0, (2, 3), (3, 1), quantizer, False, collections.OrderedDict())
    model = collections.OrderedDict(
        [("fc.weight", tensor(w, 0, (2, 3), (3, 1))), ("fc.turned", tensor(w, 0, (3, 2), (1, 3))), ("fc.bias", tensor(b, 1, (2,), (1,))),
         ("codes", Reduce(Global("torch._utils", "_rebuild_qtensor"), codes))]
    )
    return {"state_dict": model, "epoch": 3, "name": "seed"}


def torch_zip():
    return archive(
        {
            "model/data.pkl": dumps(state_dict()),
            "model/byteorder": b"little",
            "model/data/0": struct.pack("<6f", *range(6)),
            "model/data/1": struct.pack("<3e", 1, 2, 3),
            "model/data/2": struct.pack("<3d", 0.5, 0.25, 2),
            "model/data/3": struct.pack("<3q", 0, -3, 7),
            "model/data/4": bytes(range(6)),
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


def checkpoint(compressed):
    entry = tf_checkpoint.number(1, 1) + tf_checkpoint.message(2, tf_checkpoint.message(2, tf_checkpoint.number(1, 3)))
    entry += tf_checkpoint.number(5, 12)
    entries = [(b"", tf_checkpoint.number(1, 2))] + [(b"layer/kernel/%d" % i, entry) for i in range(4)]
    return tf_checkpoint.table(entries, compressed, 3)


def hdf5(datasets):
    """A new-style HDF5 file of float32 datasets, each in its header: {"0": values}."""

    def message(kind, body):
        return struct.pack("<BHB", kind, len(body), 0) + body

    def header(messages):
        body = b"".join(messages)
        return b"OHDR\2\1" + struct.pack("<H", len(body)) + body + bytes(4)

    out, links = b"\x89HDF\r\n\x1a\n\2\x08\x08\0" + struct.pack("<4QI", 0, 2**64 - 1, 0, 0, 0), []
    kind = struct.pack("<4BIHH4BI", 0x11, 0x20, 31, 0, 4, 0, 32, 23, 8, 0, 23, 127)
    for name, values in datasets.items():
        data = struct.pack(f"<{len(values)}f", *values)
        space = b"\1\1" + bytes(6) + struct.pack("<Q", len(values))
        links.append(message(6, b"\1\0" + bytes([len(name)]) + name.encode() + struct.pack("<Q", len(out))))
        out += header([message(1, space), message(3, kind), message(8, b"\3\0" + struct.pack("<H", len(data)) + data)])
    return out[:36] + struct.pack("<Q", len(out)) + out[44:] + header(links)


def keras(method):
    config = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"name": "d"}}]}}
    weights = hdf5({"0": range(6), "1": [1.5, -2]})
    return archive({"metadata.json": b"{}", "config.json": json.dumps(config).encode(), "model.weights.h5": weights}, method)


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
        "stored.keras": keras(zipfile.ZIP_STORED),
        "deflated.keras": keras(zipfile.ZIP_DEFLATED),
        "plain.index": checkpoint(False),
        "snappy.index": checkpoint(True),
    }


def onnx_field(number, value):
    """One field of a protocol buffer: an integer below 2^63, or bytes."""
    def varint(v):
        out = b""
        while v > 127:
            out, v = out + bytes([v & 127 | 128]), v >> 7
        return out + bytes([v])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx_model(nodes, constants, shape):
    """x of that shape -> y; nodes are (operator, inputs, outputs, {attribute: integers}), constants (type, dims, bytes)."""
    f, graph = onnx_field, b""
    for op, inputs, outputs, attributes in nodes:
        node = b"".join(f(1, n.encode()) for n in inputs) + b"".join(f(2, n.encode()) for n in outputs) + f(4, op.encode())
        for name, ints in attributes.items():
            many = isinstance(ints, list)
            body = b"".join(f(8, i) for i in ints) + f(20, 7) if many else f(3, ints) + f(20, 2)
            node += f(5, f(1, name.encode()) + body)
        graph += f(1, node)
    for name, (kind, dims, raw) in constants.items():
        graph += f(5, b"".join(f(1, d) for d in dims) + f(2, kind) + f(8, name.encode()) + f(9, raw))
    dims = b"".join(f(1, f(1, d)) for d in shape)
    tensor = f(2, f(1, f(1, 1) + f(2, dims)))
    graph += f(11, f(1, b"x") + tensor) + f(12, f(1, b"y") + tensor)
    return f(1, 8) + f(7, graph) + f(8, f(2, 13))


def onnx_models():
    def floats(*values):
        return struct.pack(f"<{len(values)}f", *values)
    scale = (1, [], floats(0.5))
    zero, codes = (3, [], b"\3"), (3, [3, 2, 1, 1], bytes(range(6)))
    longs = struct.pack("<5q", 1, 3, 2, 1, 4)
    return {
        "classifier.onnx": onnx_model(
            [("Conv", ["x", "w"], ["c"], {"pads": [1, 1, 1, 1]}), ("Relu", ["c"], ["r"], {}), ("MaxPool", ["r"], ["p"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
             ("Flatten", ["p"], ["f"], {}), ("Gemm", ["f", "fc"], ["y"], {"transB": 1})],
            {"w": (1, [3, 2, 1, 1], floats(*range(6))), "fc": (1, [2, 27], floats(*range(54)))}, [1, 2, 4, 4]),
        "codes.onnx": onnx_model(
            [("QuantizeLinear", ["x", "s", "z"], ["q"], {}), ("DequantizeLinear", ["q", "s", "z"], ["d"], {}),
             ("DequantizeLinear", ["w", "s", "z"], ["v"], {}), ("Conv", ["d", "v"], ["c"], {}),
             ("QuantizeLinear", ["c", "s", "z"], ["e"], {}), ("DequantizeLinear", ["e", "s", "z"], ["y"], {})],
            {"s": scale, "z": zero, "w": codes}, [1, 2, 4, 4]),
        "shapes.onnx": onnx_model(
            [("Shape", ["x"], ["s"], {}), ("Gather", ["s", "i"], ["g"], {}), ("Reshape", ["x", "five"], ["r"], {}),
             ("Transpose", ["r"], ["t"], {"perm": [0, 2, 1, 3, 4]}), ("Expand", ["t", "g"], ["e"], {}), ("Resize", ["x", "", "n"], ["z"], {}),
             ("ReduceMean", ["z"], ["m"], {"axes": [1, 2, 3]}), ("Add", ["e", "m"], ["y"], {})],
            {"i": (7, [1], longs[8:16]), "five": (7, [5], longs), "n": (1, [4], floats(1, 1, 2, 1.5))}, [1, 6, 1, 4]),
    }


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, colour, rows):
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")


def bmp(width, height, pixels):
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + head + pixels


def jpeg():
    """8 x 8 grey pixels, all in one block: tables of one code each."""
    def segment(kind, body):
        return b"\xff" + bytes([kind]) + struct.pack(">H", len(body) + 2) + body
    one = bytes([1] + 15 * [0])  # one code of one bit
    return (b"\xff\xd8" + segment(0xDB, bytes([0]) + bytes(64 * [1])) + segment(0xC0, struct.pack(">BHHB3B", 8, 8, 8, 1, 1, 0x11, 0)) +
            segment(0xC4, bytes([0x00]) + one + b"\0") + segment(0xC4, bytes([0x10]) + one + b"\0") +
            segment(0xDA, bytes([1, 1, 0, 0, 63, 0])) + b"\x3f\xff\xd9")


def images():
    return {
        "grey.png": png(5, 3, 0, b"".join(b"\0" + bytes(range(5)) for _ in range(3))),
        "rgb.png": png(4, 4, 2, b"".join(bytes([filter]) + bytes(range(12)) for filter in range(1, 5))),
        "alpha.png": png(3, 2, 6, b"".join(b"\2" + bytes(range(12)) for _ in range(2))),
        "rgb.bmp": bmp(4, -3, bytes(range(36))),
        "grey.jpg": jpeg(),
    }


def arrays():
    return {
        "floats.npy": npy("<f4", (2, 3), struct.pack("<6f", *range(6))),
        "bytes.npy": npy("|u1", (1, 4, 2), bytes(range(8))),
        "truths.npy": npy("|b1", (3,), b"\0\1\1"),
        "turned.npy": npy("<i8", (2, 1), struct.pack("<2q", -1, 5), True),
        "empty.npy": npy("<f8", (0, 3), b""),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, type=pathlib.Path)
    parser.add_argument("--whit", required=True)
    parser.add_argument("--shared", default="../shared", type=pathlib.Path)
    args = parser.parse_args()
    folders = {t: args.corpus / t for t in ("fuzz_weights", "fuzz_tflite", "fuzz_onnx", "fuzz_whit", "fuzz_image", "fuzz_npy")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for name, data in weights().items():
        (folders["fuzz_weights"] / name).write_bytes(data)
    for name, data in images().items():
        (folders["fuzz_image"] / name).write_bytes(data)
    for name, data in arrays().items():
        (folders["fuzz_npy"] / name).write_bytes(data)
    for name, data in onnx_models().items():
        (folders["fuzz_onnx"] / name).write_bytes(data)
        (folders["fuzz_weights"] / name).write_bytes(data)
    models = [pathlib.Path("examples/classify/digits.tflite")]
    if args.shared.is_dir():
        models += sorted((args.shared / "data").glob("models/**/*.tflite"))
        for path in sorted((args.shared / "data").glob("onnx_pytorch_converted/*/model.onnx")):
            shutil.copy(path, folders["fuzz_onnx"] / f"{path.parent.name}.onnx")
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
    for folder in sorted(pathlib.Path("tests/data/bad").glob("fuzz_*")):
        seeds_of = args.corpus / folder.name
        seeds_of.mkdir(exist_ok=True)
        for path in folder.iterdir():
            shutil.copy(path, seeds_of / ("bad_" + path.name))
    for target, folder in folders.items():
        print(f"{target}: {len(os.listdir(folder))} seeds")


if __name__ == "__main__":
    main()
