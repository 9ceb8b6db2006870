#!/usr/bin/env python3
"""Writes the files beside it: each is a small lie that a reader must see through. A crash that a fuzzer finds is added as
the file that it found, cut down by hand or by `fuzz_NAME -minimize_crash=1`, with a name that says what it does.

  python3 tests/data/bad/make.py

Every build gives all of them to their fuzz target (tests/fuzz/replay.cc, the test bad_files); fuzzers start from them too."""
import collections
import pathlib
import pickle
import struct
import sys
import zipfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "fuzz"))
import seeds


def npy(header):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def npys():
    shape = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
    return {
        "elements_overflow": npy(shape % "(4294967296, 4294967296, 4)"),
        "negative_dimension": npy(shape % "(-1,)") + bytes(4),
        "dimension_beyond_int64": npy(shape % "(99999999999999999999,)"),
        "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }") + pickle.dumps(1),
        "header_longer_than_file": b"\x93NUMPY\x01\x00\xff\xff{'descr'",
        "four_gigabytes_of_header": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
        "unclosed_tuple": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,"),
        "data_missing": npy(shape % "(1000000,)"),
    }


def images():
    one = bytes([1] + 15 * [0])
    head = seeds.png(30000, 30000, 2, b"")
    return {
        "png_30000_squared": head,
        "png_data_missing": head[:40],
        "png_inflates_to_gigabytes": seeds.png(20000, 5000, 0, b"") [:33] + seeds.png_chunk(b"IDAT", zlib.compress(bytes(1 << 20)) * 2),
        "png_no_pixels": seeds.png(0, 5, 0, b"\0"),
        "bmp_of_97_megapixels_in_58_bytes": seeds.bmp(8433, 11493, b"\xd0\x52\0\0"),
        "bmp_height_int_min": seeds.bmp(1, -2**31, b""),
        "bmp_offset_behind_end": seeds.bmp(2, 2, bytes(16))[:10] + b"\xff\xff\xff\x7f" + seeds.bmp(2, 2, bytes(16))[14:],
        "jpeg_300_scans": seeds.jpeg()[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 300,
        # Found by fuzz_image: stb_image of 2022 writes behind its table.
        "jpeg_table_of_4080_codes": seeds.jpeg()[:2] + b"\xff\xc4" + struct.pack(">H", 2 + 17 + 4080) + b"\0" + b"\xff" * 16 + bytes(4080),
        "jpeg_table_of_256_codes": seeds.jpeg().replace(
            b"\xff\xc4\x00\x14\x10" + one, b"\xff\xc4" + struct.pack(">H", 19 + 256) + b"\x10" + bytes(7) + b"\xff\1" + bytes(7 + 255)),
        "jpeg_scan_without_table": seeds.jpeg().replace(b"\xff\xc4\x00\x14\x10", b"\xff\xc4\x00\x14\x11"),
        "jpeg_table_behind_junk": seeds.jpeg()[:2] + b"\0\1\xff\xff\xc4\0\x13\1" + b"\x20" * 16 + seeds.jpeg()[2:],
        "jpeg_huge_frame": seeds.jpeg().replace(struct.pack(">HH", 8, 8), struct.pack(">HH", 65535, 65535), 1),
    }


def weights():
    system = seeds.dumps(seeds.Reduce(seeds.Global("os", "system"), ("echo hello",)))
    bomb = b"\x80\x02]q\x00" + b"(h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00lq\x00" * 60 + b"."
    storage = seeds.Storage("FloatStorage", "0", 6)
    beyond = {"w": seeds.tensor(storage, 2**62, (2**31, 2**31), (1, 1))}
    strides = {"w": seeds.tensor(storage, 0, (2, 3), (2**62, -1))}
    many = ("F32", [2**40, 2**40], b"")
    floats = struct.pack("<6f", *range(6))
    return {
        "pickle_os_system.pth": seeds.archive({"m/data.pkl": system, "m/version": b"3\n"}),
        "pickle_os_system_legacy.pth": seeds.dumps(0x1950A86A20F9469CFC6C) + system,
        "pickle_memo_bomb.pth": seeds.archive({"m/data.pkl": bomb}),
        "pickle_deep.pth": seeds.archive({"m/data.pkl": b"\x80\x02" + b"(" * 30000 + b"."}, zipfile.ZIP_DEFLATED),
        "pickle_huge_string.pth": seeds.archive({"m/data.pkl": b"\x80\x02X\xff\xff\xff\x7fabc."}),
        "pickle_stack_underflow.pth": seeds.archive({"m/data.pkl": b"\x80\x02R."}),
        "tensor_behind_storage.pth": seeds.archive({"m/data.pkl": seeds.dumps(beyond), "m/data/0": floats}),
        "tensor_negative_stride.pth": seeds.archive({"m/data.pkl": seeds.dumps(strides), "m/data/0": floats}),
        "zip_path_upwards.pth": seeds.archive({"../../m/data.pkl": seeds.dumps(collections.OrderedDict())}),
        "zip_directory_only.npz": seeds.archive({"a.npy": seeds.npy("<f4", (2, 3), floats)})[-70:],
        "safetensors_header_of_exabytes": struct.pack("<Q", 2**62) + b"{}",
        "safetensors_elements_overflow": seeds.safetensors({"w": many}),
        "safetensors_offsets_swapped": seeds.safetensors({"w": ("F32", [6], floats)}).replace(b"[0, 24]", b"[24, 0]"),
        "safetensors_deep": struct.pack("<Q", 4000) + b'{"a":' + b"[" * 3995,
        "hdf5_header_in_itself": seeds.hdf5({"0": range(6)}).replace(b"OHDR\2\1", b"OHDR\2\3"),
    }


def models():
    """Of the digits model that comes with the tree."""
    digits = (HERE.parent.parent.parent / "examples/classify/digits.tflite").read_bytes()[:2048]
    return {
        "cut_short": digits,
        "root_behind_end": b"\xff\xff\xff\x7fTFL3" + bytes(16),
        "root_in_itself": struct.pack("<I", 4) + b"TFL3" + bytes(8),
        "eight_bytes": b"\x1c\0\0\0TFL3",
    }


def onnx_models():
    f, deep = seeds.onnx_field, b""
    for _ in range(300):  # If in If in If
        deep = f(1, f(4, b"If") + f(5, f(1, b"then_branch") + f(6, deep) + f(20, 5)))
    huge = {"w": (1, [2**40, 2**40], b"")}
    outside = f(5, f(1, 4) + f(2, 1) + f(8, b"w") + f(14, 1) + f(13, f(1, b"location") + f(2, b"../../../etc/passwd")))
    return {
        "graphs_300_deep": f(1, 8) + f(7, deep) + f(8, f(2, 13)),
        "constant_of_exabytes": seeds.onnx_model([("Add", ["x", "w"], ["y"], {})], huge, [1, 2]),
        "data_outside_of_folder": f(1, 8) + f(7, outside) + f(8, f(2, 13)),
        "node_reads_itself": seeds.onnx_model([("Relu", ["y"], ["y"], {})], {}, [1, 2]),
        "length_beyond_end": f(1, 8) + b"\x3a\xff\xff\xff\xff\x0f",
        "reshape_to_minus_two": seeds.onnx_model([("Reshape", ["x", "s"], ["y"], {})], {"s": (7, [1], struct.pack("<q", -2))}, [1, 2]),
        # Found by fuzz_onnx: an axis of a tensor without one.
        "scales_of_a_scalar": seeds.onnx_model(
            [("DequantizeLinear", ["x", "s"], ["y"], {})], {"s": (1, [3], struct.pack("<3f", 1, 2, 3))}, []),
        "pool_without_stride": seeds.onnx_model(
            [("MaxPool", ["x"], ["y"], {"kernel_shape": [0, 0], "strides": [0, 0]})], {}, [1, 2, 4, 4]),
    }


def whits():
    page = b"WHIT" + bytes(60)
    return {
        "one_byte": b"W",
        "magic_only": b"WHIT",
        "zeros_behind_magic": page,
        "every_size_is_huge": b"WHIT" + b"\xff" * 60,
    }


def calls():
    return {
        "run_of_nothing": bytes([0, 0, 6, 1]),
        "free_model_before_runner": bytes([0, 0, 0, 0, 1, 1, 4, 1, 0, 0, 3, 0, 1, 1, 1, 0, 0, 2, 0, 0, 6, 1, 0, 0, 9, 0]),
        "all_ones": bytes([255]) * 64,
    }


def calls_of_builder():
    return {
        "all_ones": bytes([255]) * 64,
        "zeros": bytes(64),
        # Found by the fuzzer: a transposed convolution, dilated, of weights without channels.
        "dilated_empty_kernel": bytes.fromhex(
            "0000000000370400ff00b0ff5d2b5d2b5d5d5d5df104a900ff5d2b5d2b5d5d5d5df104a900705100"
            "0071ff5d5d5d165d7051a900ff5d2b5d2b5d5d5d5df104005dffffffffffffff5d0043005d165d5d"),
    }


def main():
    groups = {"fuzz_npy": npys(), "fuzz_image": images(), "fuzz_weights": weights(), "fuzz_tflite": models(), "fuzz_onnx": onnx_models(),
              "fuzz_whit": whits(), "fuzz_c_api": calls(), "fuzz_graph_builder": calls_of_builder()}
    for target, files in groups.items():
        (HERE / target).mkdir(exist_ok=True)
        for name, data in files.items():
            (HERE / target / name).write_bytes(data)


if __name__ == "__main__":
    main()
