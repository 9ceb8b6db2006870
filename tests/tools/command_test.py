#!/usr/bin/env python3
"""Contract of the whit command on the demo's own model: JSON keys, exit codes, messages, hostile .npy and pictures.

    command_test.py WHIT EXAMPLES_CLASSIFY MAKE_MODEL [unittest options]"""
import base64
import collections
import hashlib
import io
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
import zipfile
import zlib

try:
    import numpy as np
except ImportError as missing:
    print("commands: skipped, %s" % missing)
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fixtures"))
import tf_checkpoint
import tflite_builder  # needs numpy

WHIT, CLASSIFY, MAKE_MODEL = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
COMMANDS = ["import", "info", "run", "classify", "bench", "plan", "tune", "ops", "verify", "weights", "keygen", "sign",
            "golden", "quantize", "inspect", "seal", "unseal", "attack"]


def whit(*args, **environment):
    return subprocess.run([str(WHIT), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=120, encoding="utf-8", errors="replace",
                          env={**os.environ, **environment})


def damaged(good, seed):
    """100 mutants of a file: cut short, or with four bytes changed."""
    rng = random.Random(seed)
    for k in range(100):
        mutant = bytearray(good)
        if k % 2:
            del mutant[rng.randrange(len(mutant)):]
        else:
            for _ in range(4):
                mutant[rng.randrange(len(mutant))] = rng.randrange(256)
        yield mutant


class CommandTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        cls.tflite, cls.model = CLASSIFY / "digits.tflite", cls.folder / "digits.whit"
        done = whit("import", cls.tflite, "-o", cls.model)
        assert done.returncode == 0, done.stderr
        cls.picture = CLASSIFY / "pictures" / "digit_7_a.png"

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_weights(self):
        a, b = self.folder / "a.npz", self.folder / "b.npz"
        floats = np.arange(6, dtype=np.float32).reshape(2, 3)
        np.savez(a, **{"net.w": floats, "net.b": np.float32([1, 2])})
        np.savez_compressed(b, w=floats + np.float32(0.5) * (floats == 5), b=np.float32([1, 2]), c=np.int8([3]))
        listed = json.loads(self.ok("weights", "list", a, "--json"))
        self.assertEqual(set(listed), {"file", "format", "elements", "bytes", "metadata", "tensors"})
        self.assertEqual(listed["tensors"][0], {"name": "net.w", "type": "float32", "shape": [2, 3], "bytes": 24})
        stats = json.loads(self.ok("weights", "stats", a, "--json"))["tensors"][0]
        self.assertEqual((stats["elements"], stats["sum"], stats["min"], stats["max"], stats["zeros"], stats["not_finite"]),
                         (6, 15, 0, 5, 1, 0))
        self.assertAlmostEqual(stats["deviation"], floats.std(), 6)
        done = whit("weights", "diff", a, b, "--rename", "net.=>", "--json")
        self.assertEqual(done.returncode, 2)
        found = json.loads(done.stdout)
        self.assertEqual((found["same"], found["only_b"], found["only_a"]), (["net.b"], ["c"], []))
        self.assertEqual((found["differing"][0]["name"], found["differing"][0]["largest"]), ("net.w", 0.5))
        self.assertAlmostEqual(found["differing"][0]["relative"], 0.1)
        self.ok("weights", "diff", a, a)
        out = self.folder / "c.safetensors"
        self.ok("weights", "convert", b, "-o", out)
        self.ok("weights", "diff", b, out)
        self.fails(1, "safetensors or .npz", "weights", "convert", b, "-o", self.folder / "c.txt")
        self.fails(1, "the rule", "weights", "diff", a, b, "--rename", "nothing")
        self.fails(2, "no format that is known", "weights", "list", self.picture)

    # ---- inspect ----
    def inspected(self):
        """A file with something to say about two of its tensors."""
        dead = np.random.default_rng(1).normal(size=(16, 40)).astype(np.float32)
        dead[[3, 9]], dead[6] = 0, dead[5]
        path = self.folder / "inspected.npz"
        np.savez(path, dead=dead, bias=np.float32([1, 2, np.nan]), codes=np.int8([[-128, 127], [3, 0]]))
        return path

    def test_inspect_json(self):
        found = self.json("inspect", self.inspected())
        self.assertEqual(list(found), ["file", "format", "tensors", "elements", "bytes"])
        self.assertEqual((found["elements"], found["bytes"]), (647, 2576))
        dead, bias, codes = found["tensors"]
        self.assertEqual(list(bias), ["name", "type", "shape", "elements", "bytes", "findings", "axis", "why", "channels", "min",
                                      "max", "mean", "deviation", "kurtosis", "farthest", "beyond_six", "zeros", "near_zeros",
                                      "not_finite", "quantized", "histogram", "dead", "constant", "duplicates",
                                      "near_duplicates", "super_weights"])
        self.assertEqual(set(dead) - set(bias), {"int8_tensor_db", "int8_channel_db", "int4_channel_db", "by_channel"})
        self.assertEqual(list(dead["by_channel"]), ["min", "max", "mean", "deviation", "zeros", "not_finite", "histogram"])
        self.assertEqual(len(dead["by_channel"]["min"]), 16)
        self.assertEqual((dead["axis"], dead["channels"], dead["dead"], dead["zeros"]), (0, 16, [3, 9], 80))
        self.assertEqual(dead["duplicates"], [{"channel": 6, "of": 5, "cosine": 1.0}])
        self.assertEqual([f["kind"] for f in dead["findings"]], ["dead_channels", "duplicate_channels"])
        self.assertEqual(list(dead["findings"][0]), ["kind", "severity", "share", "what", "detail"])
        self.assertEqual((bias["findings"][0]["kind"], bias["findings"][0]["severity"], bias["not_finite"]),
                         ("not_finite", "broken", 1))
        self.assertEqual(list(codes["codes"]), ["lowest", "bits", "used", "there_are", "mean_unused", "most_unused", "counts"])
        self.assertEqual((codes["codes"]["used"], len(codes["by_channel"]["unused_bits"])), (4, 2))

    def test_inspect_text(self):
        path = self.inspected()
        done = whit("inspect", path, "--top", "2", LC_ALL="C.UTF-8")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("! 1 NaN or infinite value in bias", done.stdout)
        self.assertIn("* 2 dead channels in dead: all zero: 3, 9", done.stdout)
        self.assertIn("1 more findings", done.stdout)
        self.assertIn("1 more tensors", done.stdout)
        self.assertIn("█", done.stdout)
        self.assertTrue(whit("inspect", path, LC_ALL="C").stdout.isascii())
        table = [line.split()[0] for line in self.ok("inspect", path, "--sort", "name").split("\n\n")[-1].splitlines()]
        self.assertEqual(table, ["name", "bias", "codes", "dead"])
        for order in ("findings", "file", "size", "outliers", "zeros", "int8", "output"):
            self.ok("inspect", path, "--sort", order)
        largest = self.folder / "largest.npz"
        np.savez(largest, **{f"w{i}": np.float64([[1, -1], [i, 1]]) * (np.finfo(float).max / 3 if i % 2 else 1) for i in range(40)})
        for order in ("outliers", "int8"):
            self.assertIn("w39", self.ok("inspect", largest, "--sort", order, "--top", "40"))
        for args in (["--sort", "colour"], ["--top", "0"], []):
            self.assertEqual(whit("inspect", *([path] if args else []), *args).returncode, 1, args)
        self.fails(2, "no format that is known", "inspect", self.picture)

    def test_inspect_page(self):
        path, page = self.inspected(), self.folder / "page.html"
        self.ok("inspect", path, "--html", page)
        text = page.read_text(encoding="utf-8")
        data = json.loads(text.split('id="data">')[1].split("</script>")[0])
        self.assertEqual([list(data), len(data["tensors"])], [["file", "format", "elements", "bytes", "cut", "tensors"], 3])
        self.assertEqual((data["file"], data["cut"], len(data["tensors"][0]["strip"])), ("inspected.npz", "", 16 * 20))
        nowhere = self.folder / "nowhere" / "page.html"
        done = whit("inspect", path, "--html", nowhere)
        self.assertEqual((done.returncode, nowhere.parent.exists()), (2, False))
        many = self.folder / "many.npz"
        np.savez(many, **{f"w{i}": np.arange(256, dtype=np.float32).reshape(64, 4) for i in range(1500)})
        self.ok("inspect", many, "--html", page)
        self.assertLess(page.stat().st_size, 4 << 20)
        self.assertIn("Of 1500 tensors the 1000 that matter most", page.read_text())

    def test_inspect_of_damaged_files(self):
        path = self.folder / "damaged.npz"
        for k, mutant in enumerate(damaged(self.inspected().read_bytes(), seed=3)):
            path.write_bytes(mutant)
            done = whit("inspect", path, "--json")
            self.assertIn(done.returncode, (0, 2), f"mutant {k}")
            if done.stdout:
                json.loads(done.stdout)  # whole, also where a tensor is not to be had

    def test_inspect_of_a_tensor_that_is_not_there(self):
        """Elements in a file that is missing: the others are reported, and the exit status tells."""
        def field(number, data):
            return bytes([number << 3 | 2, len(data)]) + data

        place = field(13, field(1, b"location") + field(2, b"gone.bin"))
        away = bytes([1 << 3, 4, 2 << 3, 1]) + field(8, b"away") + place + bytes([14 << 3, 1])
        here = bytes([1 << 3, 2, 2 << 3, 1]) + field(8, b"here") + field(9, struct.pack("<2f", 1, 2))
        path = self.folder / "away.onnx"
        path.write_bytes(bytes([1 << 3, 8]) + field(7, field(5, away) + field(5, here)) + field(8, bytes([2 << 3, 17])))
        done = whit("inspect", path, "--json")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
        self.assertIn("the rest is reported", done.stderr)
        tensors = json.loads(done.stdout)["tensors"]
        self.assertEqual([[f["kind"] for f in t["findings"]] for t in tensors], [["unreadable"], []])
        self.assertIn("gone.bin", tensors[0]["unreadable"])
        self.assertEqual(tensors[1]["max"], 2)

    def test_inspect_with_data(self):
        found = self.json("inspect", self.tflite, "--data", self.picture, self.input())
        self.assertEqual(list(found)[-2:], ["sensitivity", "removed"])
        self.assertEqual([t["name"] for t in found["sensitivity"]],
                         [t["name"] for t in found["tensors"] if t["type"] == "int8"])
        for tensor in found["sensitivity"]:
            self.assertEqual(list(tensor), ["name", "output_int4_db"])
            self.assertGreater(tensor["output_int4_db"], 10)
        self.assertIn("out.int4", self.ok("inspect", self.tflite, "--data", self.picture, "--sort", "output"))
        # Rewriting a .whit is importing anew.
        again = self.json("inspect", self.model, "--data", self.picture, self.input())
        self.assertGreater(len(found["sensitivity"]), 3)
        self.assertEqual(sorted(again["sensitivity"], key=str), sorted(found["sensitivity"], key=str))
        for args, words in ((["inspect", self.inspected(), "--data", self.picture], "needs a model"),
                            (["inspect", self.tflite, "--data", self.model], "not a JPEG"),
                            (["inspect", self.tflite, "--data", self.folder / "none.npy"], "none.npy")):
            done = whit(*args)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.returncode, 1 if words == "needs a model" else 2)

    def test_inspect_with_data_of_several_inputs(self):
        model, path, rng = tflite_builder.Model(), self.folder / "two.tflite", np.random.default_rng(3)
        g = model.graph()
        a, b = (g.input([1, 8], "float32", name=n) for n in "ab")
        products = [g.tensor([1, 4], "float32") for _ in "ab"]
        for x, y, name in zip((a, b), products, "ab"):
            w = g.const(rng.normal(size=(4, 8)).astype(np.float32), name="w" + name)
            g.op("FULLY_CONNECTED", [x, w, g.const(np.zeros(4, np.float32))], [y])
        y = g.tensor([1, 4], "float32")
        g.op("ADD", products, [y])
        g.output(y)
        path.write_bytes(model.build())
        # Only zeros at b: its weights say nothing.
        values = [f"a={self.save('a.npy', rng.normal(size=(5, 8)).astype(np.float32))}",
                  f"b={self.save('b.npy', np.zeros((5, 8), np.float32))}"]
        found = {t["name"]: t for t in self.json("inspect", path, "--data", *values)["sensitivity"]}
        self.assertTrue(10 < found["wa"]["output_int4_db"] < found["wa"]["output_int8_db"] < 80, found)
        self.assertIsNone(found["wb"]["output_int8_db"])
        short = self.save("short.npy", np.zeros((4, 8), np.float32))
        for data, words, code in ((values[:1], "'b' has no samples", 1), ([self.folder / "a.npy"], "NAME=FILE.npy", 1),
                                  ([values[0], values[0]], "each of them once", 1), ([values[0], f"b={short}"], "4 samples", 2)):
            done = whit("inspect", path, "--data", *data)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.returncode, code, done.stderr)

    def test_weights_of_tensorflow(self):
        prefix, out = self.folder / "model.ckpt-7", self.folder / "ckpt.npz"
        noise = np.random.default_rng(1)
        value = "/.ATTRIBUTES/VARIABLE_VALUE"
        arrays = {f"layer_with_weights-{i}/kernel{value}": noise.normal(size=(3, i + 1)).astype(np.float32) for i in range(40)}
        arrays["save_counter" + value] = np.int64(3)
        tensors = {name: (str(a.dtype), a.shape, a.tobytes()) for name, a in arrays.items()}
        tensors["text"] = ("string", (1,), b"\x01a")
        tensors["_CHECKPOINTABLE_OBJECT_GRAPH"] = ("string", (), b"graph")
        for shards, compressed in ((1, False), (3, True)):
            tf_checkpoint.write(prefix, tensors, shards, compressed)
            for path in (prefix, f"{prefix}.index", f"{prefix}.data-00000-of-{shards:05d}"):
                listed = self.json("weights", "list", path)
                self.assertEqual((listed["format"], len(listed["tensors"])), ("TensorFlow checkpoint", 42))
                self.assertIn({"name": "text", "type": "uint8", "shape": [1], "bytes": 1, "refused": "texts"}, listed["tensors"])
            self.ok("weights", "convert", prefix, "-o", out, "--skip-unreadable")
            for name, a in np.load(out).items():
                np.testing.assert_array_equal(a, arrays[name])
        self.assertEqual(len(np.load(out).files), 41)
        shard = pathlib.Path(f"{prefix}.data-00002-of-00003")
        shard.write_bytes(b"?" + shard.read_bytes()[1:])
        self.fails(2, ["the checksum", "its shard is damaged"], "weights", "stats", prefix)
        shard.unlink()
        self.assertEqual(sum("cannot be opened" in t.get("refused", "") for t in self.json("weights", "list", prefix)["tensors"]), 13)

    def ok(self, *args):
        done = whit(*args)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr}")
        return done.stdout

    def fails(self, code, words, *args):
        """One line on stderr that holds `words`, nothing on stdout."""
        done = whit(*args)
        self.assertEqual(done.returncode, code, f"{args}: {done.stderr}")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, done.stderr)

    def json(self, *args):
        out = self.ok(*args, "--json")
        self.assertEqual(out.count("\n"), 1)
        return json.loads(out)

    def save(self, name, array):
        np.save(self.folder / name, array)
        return self.folder / name

    def input(self):
        return self.save("in.npy", np.arange(256, dtype=np.int64).astype(np.int8).reshape(1, 16, 16, 1))

    # ---- every command ----
    def test_help_holds_an_example(self):
        for command in COMMANDS:
            self.assertIn(f"Example:\n  whit {command}", self.ok(command, "--help"))

    def test_usage_errors_end_with_1(self):
        for args in ([], ["nonsense"], ["info", "--nonsense"], ["run"], ["bench", self.model, "--threads", "0"],
                     ["run", self.model, "--xnnpack", "maybe"], ["info"]):
            self.assertEqual(whit(*args).returncode, 1, args)

    def test_a_misspelt_command_is_guessed(self):
        self.fails(1, "did you mean 'info'?", "inof")

    def test_a_file_that_is_no_model(self):
        self.fails(2, ["neither a .whit model", "nor a .tflite"], "info", self.picture)
        self.fails(2, "cannot open 'nolabels.txt'", "classify", self.model, self.picture, "--labels", "nolabels.txt")
        self.assertNotIn("digits.whit", whit("classify", self.model, self.picture, "--labels", "nolabels.txt").stderr)

    def test_bad_models_end_with_2(self):
        empty, noise = self.folder / "empty.whit", self.folder / "noise.whit"
        empty.write_bytes(b"")
        noise.write_bytes(bytes(range(256)) * 4)
        for command in ["info", "bench", "plan", "verify"]:
            for file in [self.folder / "missing", self.folder, empty, noise]:
                self.fails(2, "", command, file)

    # ---- import ----
    def test_a_failed_import_leaves_nothing(self):
        bad, out = self.folder / "bad.tflite", self.folder / "bad.whit"
        bad.write_bytes(self.tflite.read_bytes()[:1000])
        self.fails(2, "", "import", bad, "-o", out)
        self.assertFalse(out.exists())

    def test_import_with_a_shape(self):
        out = self.folder / "shaped.whit"
        self.ok("import", self.tflite, "-o", out, "--shape", "image=3,16,16,1")
        info = self.json("info", out)
        self.assertEqual((info["inputs"][0]["shape"], info["outputs"][0]["shape"]), ([3, 16, 16, 1], [3, 10]))
        self.fails(1, ["no input 'picture'", "'image'"], "import", self.tflite, "-o", out, "--shape", "picture=1,1")
        self.fails(1, "4 dimensions", "import", self.tflite, "-o", out, "--shape", "image=1,16")
        for word in ("image", "image=", "image=1,a", "=1", "image=1,,2"):
            self.fails(1, "NAME=D,D", "import", self.tflite, "-o", out, "--shape", word)

    def negation(self):
        """An ONNX model of one node: x[batch,length,2,1], y = -x. Its name says nothing."""
        def field(number, data):
            return bytes([number << 3]) + bytes([data]) if isinstance(data, int) else bytes([number << 3 | 2, len(data)]) + data

        shape = b"".join(field(1, d) for d in (field(2, b"batch"), field(2, b"length"), field(1, 2), field(1, 1)))
        kind = field(2, field(1, field(1, 1) + field(2, shape)))
        node = field(1, b"x") + field(2, b"y") + field(4, b"Neg")
        graph = field(1, node) + field(11, field(1, b"x") + kind) + field(12, field(1, b"y") + kind)
        path = self.folder / "negation.bin"
        path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 13)))
        return path

    def test_import_of_onnx(self):
        model, out = self.negation(), self.folder / "negation.whit"
        self.fails(1, ["'length'", "--dim", "--shape x="], "import", model, "-o", out)
        self.assertFalse(out.exists())
        self.assertIn("'batch' is 1", self.ok("import", model, "-o", out, "--dim", "length=3"))
        self.assertEqual(self.json("info", out)["inputs"][0]["shape"], [1, 3, 2, 1])
        self.ok("import", model, "-o", out, "--dim", "length=3", "--dim", "batch=2", "--layout", "nhwc")
        info = self.json("info", out)
        self.assertEqual((info["inputs"][0]["shape"], info["outputs"][0]["shape"]), ([2, 2, 1, 3], [2, 2, 1, 3]))
        self.ok("import", model, "-o", out, "--shape", "x=1,3,2,1")
        x = self.save("x.npy", np.arange(6, dtype=np.float32).reshape(1, 3, 2, 1))
        self.ok("run", out, "--in", x, "--out", self.folder / "y.npy")
        self.assertTrue((np.load(self.folder / "y.npy") == -np.load(x)).all())
        self.fails(1, "no open dimension", "import", model, "-o", out, "--dim", "width=3")
        self.fails(1, "NAME=N", "import", model, "-o", out, "--dim", "length")
        self.assertEqual(whit("import", model, "-o", out, "--layout", "chwn").returncode, 1)

    # ---- import: a graph by name, weights from a file ----
    def weights(self, name, tensors):
        """Float tensors by name as the initializers of an ONNX file without nodes."""
        def field(number, data):  # length-delimited
            size, text = len(data), bytes([number << 3 | 2])
            while size > 127:
                text, size = text + bytes([size & 127 | 128]), size >> 7
            return text + bytes([size]) + data

        graph = b""
        for key, array in tensors.items():
            dims = b"".join(bytes([1 << 3, d]) for d in array.shape)  # all below 128
            graph += field(5, dims + bytes([2 << 3, 1]) + field(8, key.encode()) +
                           field(9, array.astype("<f4").tobytes()))
        path = self.folder / name
        path.write_bytes(bytes([1 << 3, 8]) + field(7, graph) + field(8, bytes([2 << 3, 17])))
        return path

    def small_resnet(self):
        """A CIFAR ResNet of 8 layers, as PyTorch names it."""
        noise, tensors = np.random.default_rng(1), {}

        def layer(conv, norm, n, channels):
            tensors[conv + ".weight"] = noise.normal(size=(n, channels, 3, 3)) / 9
            for part in ("weight", "bias", "running_mean", "running_var"):
                tensors[f"{norm}.{part}"] = noise.uniform(0.5, 1.5, size=n)

        layer("conv1", "bn1", 4, 3)
        for stage, (n, channels) in enumerate([(4, 4), (8, 4), (16, 8)], 1):
            layer(f"layer{stage}.0.conv1", f"layer{stage}.0.bn1", n, channels)
            layer(f"layer{stage}.0.conv2", f"layer{stage}.0.bn2", n, n)
        tensors["linear.weight"], tensors["linear.bias"] = noise.normal(size=(10, 16)), noise.normal(size=10)
        return {"state_dict.module." + key: value for key, value in tensors.items()}

    def test_a_graph_by_name(self):
        out = self.folder / "resnet8.whit"
        weights = self.weights("resnet8.onnx", self.small_resnet())
        args = ("import", "--graph", "cifar_resnet", "--weights", weights, "-o", out)
        self.assertIn("37 tensors matched behind 'state_dict.module.'", self.ok(*args))
        done = self.json(*args)
        self.assertEqual(sorted(done), ["bytes", "extra", "grafted", "graph", "ignored", "kept", "matched", "misshapen",
                                        "missing", "ok", "operators", "out", "prefix", "untold", "weights"])
        self.assertEqual((done["ok"], done["prefix"], len(done["matched"])), (True, "state_dict.module.", 37))
        self.assertEqual(done["matched"][0], {"name": "conv1.weight", "source": "state_dict.module.conv1.weight",
                                              "shape": "4x3x3x3", "type": "float32"})
        info = self.json("info", out)
        self.assertEqual((info["inputs"][0]["shape"], info["outputs"][0]["shape"]), ([1, 32, 32, 3], [1, 10]))
        self.ok(*args, "--set", "size=40", "-q")
        self.assertEqual(self.json("info", out)["inputs"][0]["shape"], [1, 40, 40, 3])

    def test_weights_that_do_not_fit(self):
        out, tensors = self.folder / "unfit.whit", self.small_resnet()
        del tensors["state_dict.module.layer2.0.bn1.bias"]
        tensors["state_dict.module.linear.bias"] = np.zeros(9)
        tensors["state_dict.module.stray"] = np.zeros((2, 3))
        args = ("import", "--graph", "cifar_resnet", "--weights", self.weights("unfit.onnx", tensors), "-o", out)
        self.fails(2, ["'layer2.0.bn1.bias' (the graph needs 8)", "'state_dict.module.linear.bias' is float32 9, the "
                       "graph needs 10", "'state_dict.module.stray' 2x3"], *args, "-q")
        done = whit(*args, "--json")
        account = json.loads(done.stdout)
        self.assertEqual((done.returncode, account["ok"]), (2, False))
        self.assertEqual(account["missing"], [{"name": "layer2.0.bn1.bias", "expected": "8"}])
        self.assertEqual(account["misshapen"][0]["found"], "float32 9")
        self.assertEqual(account["extra"][0]["source"], "state_dict.module.stray")
        self.assertFalse(out.exists())

    def test_weights_are_renamed(self):
        out, tensors = self.folder / "renamed.whit", self.small_resnet()
        other = {key.replace("state_dict.module.", "net/").replace(".conv", "/c"): value for key, value in tensors.items()}
        args = ("import", "--graph", "cifar_resnet", "--weights", self.weights("renamed.onnx", other), "-o", out)
        self.fails(2, "missing", *args, "-q")
        done = self.json(*args, "--rename", "net/=>", "--rename", "s|/c([0-9])|.conv\\1|")
        self.assertEqual((done["ok"], len(done["matched"]), done["matched"][5]["source"]), (True, 37, "net/layer1.0/c1.weight"))
        self.fails(1, "'nothing' is none", *args, "--rename", "nothing")

    def test_a_graph_by_name_usage(self):
        out, weights = self.folder / "usage.whit", self.weights("usage.onnx", self.small_resnet())
        self.fails(1, ["no such file or graph", "mobilenet_v2"], "import", "--graph", "vgg", "--weights", weights, "-o", out)
        self.fails(1, "--weights", "import", "--graph", "resnet20", "-o", out)
        self.fails(1, "either a file", "import", "-o", out)
        for word in ("size", "size=", "=3", "size=3.5"):
            self.fails(1, "NAME=NUMBER", "import", "--graph", "resnet20", "--weights", weights, "-o", out, "--set", word)
        self.fails(1, ["no option 'heads'", "size"], "import", "--graph", "resnet20", "--weights", weights, "-o", out,
                   "--set", "heads=2", "-q")
        self.fails(2, "of 8 layers, not 20", "import", "--graph", "resnet20", "--weights", weights, "-o", out, "-q")

    # ---- info, plan, ops, verify ----
    def test_info(self):
        for file in [self.model, self.tflite]:
            info = self.json("info", file)
            self.assertEqual(info["inputs"][0]["type"], "int8")
            self.assertEqual(info["inputs"][0]["shape"], [1, 16, 16, 1])
            self.assertEqual(info["outputs"][0]["shape"], [1, 10])
            self.assertEqual(info["outputs"][0]["zero_point"], -128)
            self.assertIs(info["exact"], True)
            self.assertEqual(info["operators"], sum(info["operator_counts"].values()))
            for key in ("macs", "parameters", "parameter_bytes", "peak_arena_bytes", "file_bytes"):
                self.assertGreater(info[key], 0, key)
        self.assertIn("peak RAM", self.ok("info", self.model))

    def test_info_provenance(self):
        found = self.json("info", "--provenance", self.model)
        self.assertEqual(list(found), ["file", "sha256", "root", "signer", "golden_samples", "entries"])
        self.assertEqual(found["sha256"], hashlib.sha256(self.model.read_bytes()).hexdigest())
        entries = {e["key"]: e["value"] for e in found["entries"]}
        self.assertEqual((entries["source.sha256"], entries["source.format"]),
                         (hashlib.sha256(self.tflite.read_bytes()).hexdigest(), "tflite"))
        self.assertIn("nobody", self.ok("info", "--provenance", self.model))

    def test_info_cpu(self):
        tiers = self.json("info", "--cpu")["tiers"]
        for tier in tiers:
            self.assertEqual(set(tier), {"name", "usable", "reason"})
        self.assertIn("scalar", [t["name"] for t in tiers if t["usable"]])

    def test_plan(self):
        plan = self.json("plan", self.model)
        self.assertEqual(plan["peak_arena_bytes"], self.json("info", self.model)["peak_arena_bytes"])
        for step in plan["steps"]:
            self.assertEqual(set(step), {"node", "op", "implementation", "tier", "why_not", "inputs", "outputs",
                                         "scratch_bytes", "macs", "tasks", "threads"})
            if step["implementation"] == "scalar":
                self.assertNotEqual(step["why_not"], "")
        self.assertEqual(plan["tuning"], "")

    # ---- tune ----
    def test_tune(self):
        model = self.folder / "tuned.whit"
        model.write_bytes(self.model.read_bytes())
        beside = self.folder / "tuned.whit.tune"
        told = self.json("tune", model, "--runs", "8")
        self.assertEqual(set(told), {"file", "choices", "before_ms", "after_ms"})
        self.assertEqual(told["file"], str(beside))
        self.assertEqual(beside.read_text().count("\nstep "), told["choices"])
        self.assertEqual(self.json("plan", model)["tuning"], "used")
        self.assertEqual(self.json("plan", model, "--tuning", "none")["tuning"], "")
        self.assertIn("threads", self.json("plan", model, "--threads", "2")["tuning"])
        self.ok("tune", model, "--runs", "4", "-o", self.folder / "else.tune")
        self.assertEqual(self.json("plan", self.model, "--tuning", self.folder / "else.tune")["tuning"], "used")

    def test_tuning_of_something_else(self):
        model, tuning = self.folder / "other.whit", self.folder / "other.whit.tune"
        self.ok("import", self.tflite, "-o", model, "--shape", "image=2,16,16,1")
        tuning.write_text("whit-tuning 1\nmodel 00\ncpu 00\ntier scalar\nthreads 1\nend\n")
        self.assertIn("not used", self.json("plan", model)["tuning"])
        tuning.write_text("whit-tuning 1\nmodel")
        self.fails(2, "tun", "plan", model)
        self.fails(2, "nothing.tune", "plan", model, "--tuning", self.folder / "nothing.tune")

    def test_ops(self):
        operators = {op["name"]: op for op in self.json("ops")["operators"]}
        self.assertIn("scalar", operators["Conv2D"]["implementations"])

    def test_verify_notices_changed_sums(self):
        found = self.json("verify", self.model)
        self.assertIs(found["derived_arrays_consistent"], True)
        self.assertEqual(set(found), {"file", "structure", "weight_arrays", "derived_arrays_consistent", "differences",
                                      "sealed", "hash_tree", "hash_tree_checked", "pages", "bytes_checked", "seconds",
                                      "signature", "signature_checked", "signer", "golden_samples", "golden"})
        self.assertEqual((found["golden_samples"], found["golden"]), (0, None))
        self.assertIs(found["hash_tree_checked"], True)
        blob = bytearray(self.model.read_bytes())
        noticed = 0
        for at in range(16384, len(blob), 509):  # the weights section starts at a multiple of 16 KiB
            mutant = bytearray(blob)
            mutant[at] ^= 0x55
            changed = self.folder / "changed.whit"
            changed.write_bytes(mutant)
            self.fails(2, ["weights, page", "expected, found"], "verify", changed)
            noticed += "derived arrays differ" in whit("verify", changed, "--verify", "off").stderr
        self.assertGreater(noticed, 3)

    # ---- quantize ----
    @staticmethod
    def float_model(path, picture=False):
        """64 inputs, or 8 by 8 grey pixels; 32 hidden, 5 outputs."""
        rng = np.random.default_rng(7)
        model = tflite_builder.Model()
        g = model.graph()
        x, h, y = g.input([1, 8, 8, 1] if picture else [1, 64], "float32"), g.tensor([1, 32], "float32"), g.tensor([1, 5], "float32")
        if picture:
            pixels, x = x, g.tensor([1, 64], "float32")
            g.op("RESHAPE", [pixels, g.const(np.int32([1, 64]))], [x])
        for a, n, k, b in (x, 32, 64, h), (h, 5, 32, y):
            weights = (rng.normal(size=(n, k)) / np.sqrt(k)).astype(np.float32)
            g.op("FULLY_CONNECTED", [a, g.const(weights), g.const(rng.normal(size=n).astype(np.float32))], [b],
                 fused_activation_function=1 if b is h else 0)
        g.output(y)
        path.write_bytes(model.build())

    def test_quantize(self):
        source, real, out = self.folder / "mlp.tflite", self.folder / "mlp.whit", self.folder / "mlp_int8.whit"
        self.float_model(source)
        self.ok("import", source, "-o", real)
        rng = np.random.default_rng(1)
        np.save(self.folder / "samples.npy", rng.normal(size=(32, 64)).astype(np.float32))
        report = self.json("quantize", real, "-o", out, "--data", self.folder / "samples.npy")
        self.assertEqual(set(report), {"file", "file_bytes", "source_bytes", "samples", "compared", "held_out",
                                       "output_sqnr_db", "same_top", "layers"})
        self.assertEqual((report["samples"], report["compared"], report["held_out"]), (32, 32, False))
        self.assertEqual(set(report["layers"][0]), {"node", "op", "type", "sqnr_db"})
        self.assertGreater(report["output_sqnr_db"], 20)
        whole = out.read_bytes()
        self.ok("quantize", real, "-o", out, "--data", self.folder / "samples.npy", "--threads", 3)
        self.assertEqual(out.read_bytes(), whole)
        again = self.json("quantize", source, "-o", out, "--data", self.folder / "samples.npy")
        self.assertEqual(again["layers"], report["layers"])
        self.ok("quantize", real, "-o", out, "--data", self.folder / "samples.npy", "--no-bias-correction")
        self.assertNotEqual(out.read_bytes(), whole)
        self.assertEqual(self.json("info", out)["provenance"]["quantize.samples"], "32")
        for rule in ["minmax", "percentile"]:
            self.ok("quantize", real, "-o", out, "--data", self.folder / "samples.npy", "--range", rule, "--io", "int8")
        info = self.json("info", out)
        self.assertEqual(info["inputs"][0]["type"], "int8")
        self.assertEqual((info["provenance"]["quantize.range"], info["provenance"]["quantize.percentile"]),
                         ("percentile", "99.99"))
        names = [layer["node"] for layer in report["layers"]]
        report = self.json("quantize", real, "-o", out, "--data", self.folder / "samples.npy", "--keep", names[0])
        kept = [layer for layer in report["layers"] if layer["node"] == names[0]]
        self.assertEqual((set(kept[0]), kept[0]["type"]), ({"node", "op", "type", "why"}, "float32"))
        np.save(self.folder / "wrong.npy", np.zeros((4, 65), np.float32))
        kept = out.read_bytes()
        usage = whit("quantize", real, "-o", out)
        self.assertEqual((usage.returncode, usage.stderr.split("\n")[0]), (1, "--data is required"))
        self.fails(1, "nobody", "quantize", real, "-o", out, "--data", self.folder / "samples.npy", "--keep", "nobody")
        bad = np.zeros((2, 64), np.float32)
        bad[1, 5] = np.nan
        np.save(self.folder / "nan.npy", bad)
        self.fails(1, "1 values on the samples are infinite or no number", "quantize", real, "-o", out, "--data",
                   self.folder / "nan.npy")
        (self.folder / "nothing").mkdir()
        self.fails(2, "no picture and no .npy file", "quantize", real, "-o", out, "--data", self.folder / "nothing")
        self.fails(2, "is no sample", "quantize", real, "-o", out, "--data", self.folder / "wrong.npy")
        self.fails(2, "no operator of the model", "quantize", self.model, "-o", out, "--data", self.picture)
        self.assertEqual(out.read_bytes(), kept)

    def test_quantize_pictures(self):
        source, out = self.folder / "grey.tflite", self.folder / "grey.whit"
        self.float_model(source, picture=True)
        pictures = CLASSIFY / "pictures"
        count = len(list(pictures.glob("*.png")))
        report = self.json("quantize", source, "-o", out, "--data", pictures)
        self.assertEqual((report["samples"], report["held_out"]), (count, False))

        def bytes_of(*flags):
            self.ok("quantize", source, "-o", out, "--data", self.picture, *flags)
            return out.read_bytes()

        crops = bytes_of("--crops", 5)
        self.assertEqual(crops, bytes_of("--crops", 5))
        self.assertNotEqual(crops, bytes_of("--crops", 5, "--seed", 2))
        self.assertNotEqual(crops, bytes_of("--crops", 5, "--mean", 127, "--std", 64))
        report = self.json("quantize", source, "-o", out, "--data", self.picture, "--crops", 5)
        self.assertEqual((report["samples"], report["compared"], report["held_out"]), (5, 5, True))
        self.fails(2, "no.png", "quantize", source, "-o", out, "--data", self.folder / "no.png")

    # ---- keygen --seal, seal, unseal ----
    def test_seal(self):
        key, model, plain = self.folder / "vault", self.folder / "sealed.whit", self.folder / "unsealed.whit"
        self.assertIn("secret", self.ok("keygen", key, "--seal"))
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        self.fails(2, "never overwritten", "keygen", key, "--seal")
        done = self.json("seal", self.model, "--key", key, "-o", model, "--key-id", "of the tests")
        self.assertEqual(set(done), {"file", "sealed", "key_id", "sealed_bytes", "file_bytes", "signature_dropped"})
        self.assertEqual((done["sealed"], done["key_id"], done["signature_dropped"]), (True, "of the tests", False))
        want = self.json("classify", self.model, self.picture)[0]["top"]
        for options in [], ["--window", "1MB"], ["--threads", "2", "--split-always"], ["--verify", "full"]:
            self.assertEqual(self.json("classify", model, self.picture, "--key", key, *options)[0]["top"], want)
        self.assertIs(self.json("verify", model, "--key", key)["sealed"], True)
        for command in ["classify", model, self.picture], ["verify", model], ["inspect", model], ["weights", "list", model]:
            self.fails(2, "sealed (encrypted) under key 'of the tests'", *command)
        other = self.folder / "other"
        self.ok("keygen", other, "--seal")
        self.fails(2, "is not the one", "classify", model, self.picture, "--key", other)
        self.fails(2, "sealed already", "seal", model, "--key", key)
        self.fails(2, "not sealed", "unseal", self.model, "--key", key)
        self.fails(2, "is not the one", "unseal", model, "--key", other, "-o", plain)
        self.assertFalse(plain.exists())
        release = self.folder / "sealer"
        self.ok("keygen", release)
        self.ok("sign", model, "--key", release)  # over what is sealed
        self.assertIs(self.json("verify", model, "--key", key, "--pub", release.with_suffix(".pub"))["signature_checked"], True)
        self.assertIs(self.json("unseal", model, "--key", key, "-o", plain)["signature_dropped"], True)
        self.assertEqual(plain.read_bytes(), self.model.read_bytes())
        key.chmod(0o644)
        self.fails(2, "chmod 600", "classify", model, self.picture, "--key", key)

    # ---- keygen, sign ----
    def test_sign(self):
        key, model, manifest = self.folder / "release", self.folder / "signed.whit", self.folder / "signed.json"
        printed = self.ok("keygen", key)
        public = (self.folder / "release.pub").read_text().split("\n")[1]
        self.assertIn(public, printed)
        self.assertEqual((key.stat().st_mode & 0o777, len(public)), (0o600, 64))
        self.fails(2, "never overwritten", "keygen", key)
        before = self.model.read_bytes()
        done = self.json("sign", self.model, "--key", key, "-o", model, "--manifest", manifest)
        self.assertEqual(set(done), {"file", "signer", "root", "file_bytes", "trust_bytes", "manifest"})
        self.assertEqual((done["signer"], self.model.read_bytes()), (public, before))
        self.assertEqual(self.json("verify", model, "--pub", key.with_suffix(".pub"))["signer"], public)
        self.assertEqual(self.json("verify", model, "--pub", public)["signature_checked"], True)
        self.assertEqual(self.json("info", model)["signer"], public)
        self.fails(2, "none of the 1", "run", model, "--pub", "0" * 64)
        self.fails(2, "not signed", "verify", self.model, "--pub", public)
        whole = model.read_bytes()
        self.ok("sign", model, "--key", key)  # in place; the same key gives the same bytes
        self.assertEqual(model.read_bytes(), whole)
        envelope = json.loads(manifest.read_text())
        statement = json.loads(base64.b64decode(envelope["payload"]))
        self.assertEqual(statement["predicate"]["resources"][0]["digest"], hashlib.sha256(whole).hexdigest())
        self.assertEqual(envelope["signatures"][0]["keyid"], public)
        key.chmod(0o644)
        self.fails(2, "chmod 600", "sign", model, "--key", key)
        key.chmod(0o600)
        damaged = self.folder / "damaged.whit"
        damaged.write_bytes(whole[:20000] + bytes([whole[20000] ^ 1]) + whole[20001:])
        self.fails(2, "digest", "sign", damaged, "--key", key)
        self.fails(2, "no such key", "sign", model, "--key", self.public_only(key))

    # ---- golden ----
    def test_golden(self):
        model, signed, key = self.folder / "golden.whit", self.folder / "golden_signed.whit", self.folder / "golden_key"
        done = self.json("golden", self.model, "--data", self.picture, self.input(), "-o", model)
        self.assertEqual(set(done), {"file", "samples", "file_bytes", "trust_bytes", "signature_dropped"})
        self.assertEqual((done["samples"], done["file_bytes"], done["signature_dropped"]), (2, model.stat().st_size, False))
        self.assertEqual(self.json("info", model)["golden_samples"], 2)
        found = self.json("verify", model, "--golden")
        self.assertEqual((found["golden_samples"], found["golden"]["samples"], found["golden"]["equal"]), (2, 2, True))
        for run in found["golden"]["runs"]:
            self.assertEqual(list(run), ["tier", "threads", "equal", "sample", "output", "node", "op", "implementation", "repeats"])
        usable = [t["name"] for t in self.json("info", "--cpu")["tiers"] if t["usable"]]
        tried = {(run["tier"], run["threads"]) for run in found["golden"]["runs"]}
        self.assertEqual(tried, {("plain", 1)} | {(t, n) for t in usable for n in {1, 2, os.cpu_count()}})
        self.assertIn("the same bytes", self.ok("verify", model, "--golden"))
        self.ok("keygen", key)
        self.ok("sign", model, "--key", key, "-o", signed)  # signing keeps them
        self.assertIs(self.json("verify", signed, "--golden", "--pub", key.with_suffix(".pub"))["golden"]["equal"], True)
        self.assertIs(self.json("golden", signed, "--data", self.picture, "--key", key)["signature_dropped"], False)
        self.assertEqual([self.json("info", signed)[k] for k in ("signature", "golden_samples")], [True, 1])
        self.assertIn("sign it again", self.ok("golden", signed, "--data", self.picture))
        self.assertIs(self.json("info", signed)["signature"], False)

    def test_golden_of_changed_samples(self):
        """Unsigned, so a changed sample is no damage of the tree: its outputs are not those that were promised."""
        model, other = self.folder / "sample.whit", self.folder / "other_sample.whit"
        self.ok("golden", self.model, "--data", self.input(), "-o", model)
        whole = model.read_bytes()
        at = whole.rindex(bytes(range(256)))
        other.write_bytes(whole[:at] + bytes(256) + whole[at + 256:])
        done = whit("verify", other, "--golden", "--json")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("plain, 1 thread: sample 0, output '", done.stderr)
        first = self.json("plan", other, "--plain")["steps"][0]["node"]
        for run in json.loads(done.stdout)["golden"]["runs"]:
            self.assertEqual([run[k] for k in ("equal", "sample", "node", "repeats")], [False, "sample 0", first, True])
        self.assertIn("OTHER BYTES", whit("verify", other, "--golden").stdout)
        trust = len(whole) - self.json("golden", self.model, "--data", self.input(), "-o", model)["trust_bytes"]
        for place in range(trust, len(whole), 29):  # any byte of the section: an error or a verdict
            mutant = bytearray(whole)
            mutant[place] ^= 0x55
            other.write_bytes(mutant)
            self.assertIn(whit("verify", other, "--golden").returncode, (0, 2), place)

    def test_golden_errors(self):
        self.fails(2, "no golden samples", "verify", self.model, "--golden")
        floats = self.folder / "floats.whit"
        self.float_model(self.folder / "floats.tflite")
        self.ok("import", self.folder / "floats.tflite", "-o", floats)
        data = self.folder / "floats.npy"
        np.save(data, np.zeros((3, 64), np.float32))
        before = floats.read_bytes()
        self.fails(2, ["float arithmetic", "may differ between devices"], "golden", floats, "--data", data)
        self.assertEqual(floats.read_bytes(), before)
        many = self.folder / "many.npy"
        np.save(many, np.zeros((65, 16, 16, 1), np.int8))
        self.fails(2, "65 samples", "golden", self.model, "--data", many, "-o", self.folder / "no.whit")
        self.fails(2, "no.npy", "golden", self.model, "--data", self.folder / "no.npy", "-o", self.folder / "no.whit")
        self.assertFalse((self.folder / "no.whit").exists())
        out = self.folder / "imported.whit"
        self.assertIn("2 golden samples", self.ok("import", self.tflite, "-o", out, "--golden", self.picture, self.input()))
        self.assertEqual(self.json("verify", out, "--golden")["golden"]["samples"], 2)
        self.fails(2, "without golden samples", "import", self.folder / "floats.tflite", "-o", out, "--golden", data)

    def public_only(self, key):
        copy = self.folder / "not_secret"
        copy.write_bytes(key.with_suffix(".pub").read_bytes())
        copy.chmod(0o600)
        return copy

    # ---- attack ----
    def test_attack(self):
        shape = [d if d > 0 else 1 for d in self.json("info", self.model)["inputs"][0]["shape"]]
        kind = {"uint8": np.uint8, "int8": np.int8, "float32": np.float32}[self.json("info", self.model)["inputs"][0]["type"]]
        rng = np.random.default_rng(1)
        data, page = self.folder / "seen.npy", self.folder / "attack.html"
        np.save(data, rng.integers(0, 100, [12] + shape[1:]).astype(kind))
        before = self.model.read_bytes()
        args = ["attack", self.model, "--data", data, "--trials", 2, "--most-flips", 256, "--campaign", 300]
        report = self.json(*args, "--report", page)
        self.assertEqual(set(report), {"file", "seed", "samples", "classes", "own_answers", "accuracy", "chance", "curves",
                                       "sites"})
        self.assertEqual((report["samples"], report["accuracy"], report["own_answers"]), (12, 1, True))
        for curve in report["curves"]:
            self.assertEqual(curve["pages_repaired"], curve["pages_hit"])
            self.assertEqual((curve["accuracy_repaired"], curve["bytes_restored"]), (1, True))
            self.assertEqual((curve["points"][0]["flips"], curve["points"][0]["accuracy"]), (0, 1))
            self.assertEqual(len(curve["flips_to_chance"]), 2)
        self.assertGreaterEqual(sum(site["flips"] for site in report["sites"]), 298)
        self.assertGreater(sum(site["changed_output"] for site in report["sites"]), 0)
        for site in report["sites"]:
            self.assertEqual((site["found_by_scrub"], site["restored"]), (site["flips"], site["flips"]), site)
            self.assertEqual((site["found_in_run"], site["wrong_answers"]), (site["changed_output"], 0), site)
        self.assertEqual(self.model.read_bytes(), before)
        text = page.read_text()
        for word in ("<svg", "polyline", "random bits", "found in the same run"):
            self.assertIn(word, text)
        self.assertEqual(self.json(*args), report)  # the seed decides
        self.assertNotEqual(self.json(*args, "--seed", 2)["curves"], report["curves"])
        classes = self.folder / "classes.txt"
        classes.write_text("0\n" * 12)
        self.assertLess(self.json(*args, "--labels", classes)["accuracy"], 1)
        classes.write_text("0\nx\n")
        self.fails(2, "line 2 is not a class number", *args, "--labels", classes)
        classes.write_text("0\n")
        self.fails(2, "1 classes for 12 samples", *args, "--labels", classes)
        self.fails(1, "whit import", "attack", self.tflite, "--data", data)
        usage = whit("attack", self.model)
        self.assertEqual((usage.returncode, usage.stderr.split("\n")[0]), (1, "--data is required"))

    # ---- run ----
    def test_run(self):
        source, out = self.input(), self.folder / "out.npy"
        self.ok("run", self.model, "--in", source, "--out", out)
        first = np.load(out)
        self.assertEqual((first.dtype, first.shape), (np.int8, (1, 10)))
        variants = [["--plain"], ["--threads", "3", "--split-always"], ["--xnnpack", "off"], ["--isa", "scalar"]]
        for variant in variants:
            self.ok("run", self.model, "--in", source, "--out", out, *variant)
            self.assertTrue(np.array_equal(np.load(out), first), variant)
        self.ok("run", self.tflite, "--in", f"image={source}", "--out", f"probabilities={out}")
        self.assertTrue(np.array_equal(np.load(out), first))

    def test_run_checks_itself(self):
        source, out, checked = self.input(), self.folder / "out.npy", self.folder / "checked.npy"
        self.ok("run", self.model, "--in", source, "--out", out)
        self.ok("run", self.model, "--in", source, "--out", checked, "--self-check", "--scrub", 1)
        self.assertEqual(out.read_bytes(), checked.read_bytes())
        usage = whit("run", self.model, "--in", source, "--scrub", 1.5)
        self.assertEqual(usage.returncode, 1)
        self.assertIn("--scrub: Value 1.5 not in range", usage.stderr)

    def test_run_says_its_tier(self):
        self.assertIn("scalar", whit("run", self.model, "--in", self.input(), "--isa", "scalar", "-v").stderr)

    def test_run_takes_what_has_the_same_elements(self):
        plane = self.save("plane.npy", np.zeros((16, 16, 1), np.int8))
        self.ok("run", self.model, "--in", plane)

    def test_run_names_both_shapes(self):
        wrong = self.save("wrong.npy", np.zeros((1, 15, 16, 1), np.int8))
        self.fails(2, ["int8[1,15,16,1]", "int8[1,16,16,1]"], "run", self.model, "--in", wrong)
        wrong = self.save("wrong.npy", np.zeros((1, 16, 16, 1), np.float32))
        self.fails(2, ["float32[1,16,16,1]", "int8[1,16,16,1]"], "run", self.model, "--in", wrong)

    def test_run_bindings(self):
        source = self.input()
        self.fails(1, "no --in", "run", self.model)
        self.fails(1, "more --in", "run", self.model, "--in", source, "--in", source)
        self.fails(1, "twice", "run", self.model, "--in", source, "--in", f"image={source}")
        self.fails(1, "nobody", "run", self.model, "--in", "nobody=a.npy")
        self.fails(1, "no tier", "run", self.model, "--in", source, "--isa", "z80")

    def test_npy_kinds(self):
        fortran = self.save("f.npy", np.asfortranarray(np.zeros((16, 16), np.int8).reshape(1, 16, 16, 1).transpose(0, 2, 1, 3)
                                                       + np.zeros((1, 16, 16, 2), np.int8)))
        self.fails(2, "Fortran order", "run", self.model, "--in", fortran)
        for array in (np.zeros((1, 16, 16, 1), np.complex64), np.zeros((1, 16, 16, 1), ">i2"),
                      np.zeros((1, 16, 16, 1), [("a", "i1")])):
            self.fails(2, "npy", "run", self.model, "--in", self.save("kind.npy", array))
        for version in ((1, 0), (2, 0)):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.zeros((1, 16, 16, 1), np.int8), version=version)
            path = self.folder / "version.npy"
            path.write_bytes(buffer.getvalue())
            self.ok("run", self.model, "--in", path)

    def test_hostile_npy(self):
        good, path = bytearray(self.input().read_bytes()), self.folder / "hostile.npy"
        rng = random.Random(1)
        for k in range(200):
            mutant = bytearray(good)
            if k % 3 == 0:
                del mutant[rng.randrange(len(mutant)):]
            elif k % 3 == 1:
                mutant[rng.randrange(128)] = rng.randrange(256)
            else:
                at = rng.randrange(8, 124)
                mutant[at:at + 4] = rng.choice([b"9999", b"((((", b"\xff\xff\xff\xff", b"''''", b"{{}}"])
            path.write_bytes(mutant)
            self.assertIn(whit("run", self.model, "--in", path).returncode, (0, 2), f"mutant {k}")
        huge = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118)
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999, 999999999999999), }"
        path.write_bytes(huge + header.replace(b"f8", b"f4").ljust(117) + b"\n")
        self.fails(2, "too large", "run", self.model, "--in", path)

    # ---- TFLite metadata ----
    def with_metadata(self, align, padding, damage=False):
        """A classifier of 4 classes on 1x2x2x3 pictures, with metadata and two label files packed behind it."""
        model = tflite_builder.Model(description="d" * padding)
        g = model.graph()
        x = g.input([1, 2, 2, 3], "uint8", scale=1 / 127.5, zero=127)
        flat, w = g.tensor([1, 12], "uint8", 1 / 127.5, 127), np.zeros((4, 12), np.uint8)
        g.op("RESHAPE", [x, g.const(np.int32([1, 12]))], [flat], new_shape=[1, 12])
        y = g.tensor([1, 4], "uint8", 1 / 256, 0)
        bias = g.const(np.int32([100, 300, 200, 0]), scale=1 / 127.5 * 0.01)
        g.op("FULLY_CONNECTED", [flat, g.const(w, scale=0.01, zero=0), bias], [y])
        g.output(y)
        data = tflite_builder.metadata(name="four", author="nobody", version="7", inputs=[([127.5], [127.5])],
                                       outputs=[[("en.txt", "en"), ("de.txt", "de")]])
        model.add_metadata("TFLITE_METADATA", data[:40] if damage else data)
        blob = model.build(align)
        path = self.folder / f"meta{align}_{padding}.tflite"
        path.write_bytes(blob)
        with zipfile.ZipFile(path, "a") as z:
            z.writestr("en.txt", "ash\nbirch\ncedar\nelm\n")
            z.writestr("de.txt", "Esche\nBirke\nZeder\nUlme\n")
        return path, blob.find(data[:40])

    def test_metadata_wherever_it_lies(self):
        places = set()
        for align, padding in ((16, 0), (4, 0), (4, 4), (4, 8), (4, 12)):
            path, at = self.with_metadata(align, padding)
            places.add(at % 8)
            info = self.json("info", path)
            self.assertEqual((info["name"], info["author"], info["version"], info["labels"]), ("four", "nobody", "7", 4))
            picture = self.json("classify", path, self.picture, "--top", "1")
            self.assertEqual(picture[0]["top"][0]["label"], "birch")
        self.assertEqual(places, {0, 4})  # the second is what most files in the wild have

    def test_damaged_metadata_is_a_warning(self):
        path, _ = self.with_metadata(16, 0, damage=True)
        done = whit("import", path, "-o", self.folder / "meta.whit")
        self.assertEqual(done.returncode, 0)
        self.assertIn("the TFLite metadata is damaged", done.stderr)

    # ---- named dimensions ----
    def batches(self):
        """A model whose batch is a dimension of 1 to 4."""
        model = self.folder / "batches.whit"
        subprocess.run([str(MAKE_MODEL), str(model)], check=True)
        return model

    def test_info_lists_dimensions(self):
        model = self.batches()
        info = self.json("info", model)
        self.assertEqual(info["dims"], [{"name": "batch", "value": 1, "max": 4}])
        self.assertEqual(info["inputs"][0]["shape"], [1, 8, 8, 3])
        more = self.json("info", model, "--dim", "batch=3")
        self.assertEqual((more["inputs"][0]["shape"], more["outputs"][0]["shape"]), ([3, 8, 8, 3], [3, 10]))
        self.assertEqual(more["macs"], 3 * info["macs"])
        self.assertGreater(more["peak_arena_bytes"], info["peak_arena_bytes"])
        self.assertIn("batch: 1 to 4, 1 unless", self.ok("info", model))
        self.assertEqual(self.json("info", self.model)["dims"], [])

    def test_dim(self):
        model, out = self.batches(), self.folder / "out.npy"
        images = np.random.RandomState(3).randint(0, 256, (4, 8, 8, 3)).astype(np.uint8)
        alone = []
        for image in images:
            self.ok("run", model, "--in", self.save("one.npy", image[None]), "--out", out)
            alone.append(np.load(out))
        self.assertFalse(np.array_equal(alone[0], alone[1]))
        for n in (1, 3, 4):
            some = self.save("some.npy", images[:n])
            self.ok("run", model, "--dim", f"batch={n}", "--in", some, "--out", out)
            self.assertTrue(np.array_equal(np.load(out), np.concatenate(alone[:n])), n)
            self.assertEqual(len(self.json("bench", model, "--dim", f"batch={n}", "--runs", "1")["ms"]), 1)
            macs = sum(s["macs"] for s in self.json("plan", model, "--dim", f"batch={n}")["steps"])
            self.assertEqual(macs, n * self.json("info", model)["macs"])

    def test_dim_errors(self):
        model = self.batches()
        for command in ("info", "plan", "bench", "run"):
            self.fails(1, ["'batch' = 5", "1..4"], command, model, "--dim", "batch=5")
            self.fails(1, ["'batch' = 0", "1..4"], command, model, "--dim", "batch=0")
            self.fails(1, ["no dimension named 'width'", "'batch' (1..4)"], command, model, "--dim", "width=2")
            self.fails(1, "it has none", command, self.model, "--dim", "batch=2")
            for word in ("batch", "batch=", "=2", "batch=-1", "batch=2x", "batch=99999999999"):
                done = whit(command, model, "--dim", word)
                self.assertEqual(done.returncode, 1, word)
                self.assertIn("NAME=VALUE", done.stderr)
        wrong = self.save("wrong.npy", np.zeros((2, 8, 8, 3), np.uint8))
        self.fails(2, ["uint8[2,8,8,3]", "uint8[3,8,8,3]"], "run", model, "--dim", "batch=3", "--in", wrong)

    # ---- classify ----
    def test_classify(self):
        pictures = sorted((CLASSIFY / "pictures").glob("*.png"))
        answers = self.json("classify", self.model, *pictures, "--labels", CLASSIFY / "digits.labels.txt", "--top", "2")
        facts = json.loads((CLASSIFY / "digits.json").read_text())["pictures"]
        self.assertEqual(len(answers), len(facts))
        for answer in answers:
            self.assertEqual(list(answer), ["image", "ms", "top"])
            self.assertEqual([list(t) for t in answer["top"]], [["class", "label", "probability"]] * 2)
            fact = facts[pathlib.Path(answer["image"]).name]
            self.assertEqual(answer["top"][0]["label"], fact["predicted"])
            self.assertAlmostEqual(answer["top"][0]["probability"], fact["probability"], delta=0.05)
        text = self.ok("classify", self.tflite, self.picture)
        self.assertIn("█", text)
        self.assertNotIn("\033", text)  # not a terminal: no colours

    def test_classify_options(self):
        for options in (["--resize", "crop"], ["--mean", "0", "--std", "255"], ["--threads", "2"]):
            top = self.json("classify", self.model, self.picture, *options)[0]["top"][0]
            self.assertEqual((top["class"], top["label"]), (7, "7") if not self.own_labels() else (7, top["label"]))
        self.fails(1, "mean and std", "classify", self.model, self.picture, "--mean", "1,2,3", "--std", "1")
        self.fails(1, "std", "classify", self.model, self.picture, "--mean", "1", "--std", "0")

    def own_labels(self):
        return self.json("info", self.model)["labels"] > 0

    def test_hostile_pictures(self):
        path = self.folder / "hostile.png"
        for k, mutant in enumerate(damaged(self.picture.read_bytes(), seed=2)):
            path.write_bytes(mutant)
            self.assertIn(whit("classify", self.model, path).returncode, (0, 2), f"mutant {k}")
        bomb = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 30000, 30000, 1, 24, 0, 0, 0, 0, 0, 0)
        path.write_bytes(bomb)
        self.fails(2, "pixels", "classify", self.model, path)
        path.write_bytes(bomb.replace(struct.pack("<ii", 30000, 30000), struct.pack("<ii", 9000, 9000)))
        self.fails(2, "so many pixels take 243000000 at least", "classify", self.model, path)
        frame = b"\xff\xd8\xff\xc0\x00\x0b\x08\x20\x00\x20\x00\x01\x01\x11\x00"
        path.write_bytes(frame)
        self.fails(2, "so many pixels take 131072 at least", "classify", self.model, path)
        scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
        tables = b"".join(b"\xff\xc4\x00\x14" + bytes([kind, 1] + 16 * [0]) for kind in (0x00, 0x10))
        path.write_bytes(frame + scan + bytes(140000))
        self.fails(2, "a scan without its Huffman table", "classify", self.model, path)
        path.write_bytes(frame + tables + scan * 40 + bytes(140000))
        self.fails(2, "40 scans of 67108864 pixels", "classify", self.model, path)
        self.fails(2, "not a JPEG", "classify", self.model, self.model)
        frame, scan = b"\xff\xc2\x00\x0b\x08\x10\x00\x10\x00\x01\x01\x11\x00", b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
        path.write_bytes(b"\xff\xd8" + frame + scan * 300)
        self.fails(2, "300 scans, at most 256", "classify", self.model, path)
        table = b"\xff\xc4\x00\xff\x10" + b"\x20" * 16  # stb_image of 2022 would write behind its own
        for before in (b"\xff\xd8", b"\xff\xff\xd8\0junk", b"\xff\xd8" + frame, b"\xff\xd8" + frame + scan + b"a\xff\0\xff\xd0b"):
            path.write_bytes(before + table + bytes(600))
            self.fails(2, "512 codes, at most 255 are read", "classify", self.model, path)

    def test_a_png_that_unpacks_to_gigabytes(self):
        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        squeeze = zlib.compressobj(1)
        zeros = bytes(1 << 20)
        data = b"".join(squeeze.compress(zeros) for _ in range(1100)) + squeeze.flush()  # 1.1 GB in some MB
        header = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)
        path = self.folder / "bomb.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
        self.fails(2, "outofmem", "classify", self.model, path)

    # ---- bench ----
    def test_bench(self):
        keys = ["model", "threads", "isa", "clock_ghz", "load_ms", "first_ms", "peak_arena_bytes", "ms"]
        found = self.json("bench", self.model, "--runs", "3", "--warmup", "1", "--threads", "2")
        self.assertEqual([key for key in found if key != "any_data_ms"], keys)  # that one: 16-bit tiers only
        self.assertEqual((found["model"], found["threads"], len(found["ms"])), ("digits", 2, 3))
        self.assertEqual(self.json("bench", self.model, "--runs", "0", "--warmup", "0")["ms"], [])
        profile = self.ok("bench", self.model, "--runs", "2", "--profile", "--in", self.input())
        self.assertIn("Conv2D", profile)
        self.assertIn("median", profile)
        self.assertIn("peak of one thread", profile)

    def test_bench_looks_at_the_data(self):
        for tier in self.json("info", "--cpu")["tiers"]:
            if not tier["usable"]:
                print("commands: NOT RUN: bench on", tier["name"])
                continue
            found = self.json("bench", self.model, "--runs", "3", "--isa", tier["name"])
            self.assertEqual("any_data_ms" in found, tier["name"] in ("sse41", "avx2"), tier["name"])

    def test_bench_profile(self):
        picture = self.folder / "profile.svg"
        found = self.json("bench", self.model, "--runs", "3", "--profile", "--svg", picture)
        self.assertEqual(set(found["peak"]), {"int8_gmacs", "float_gmacs"})
        steps = found["profile"]
        self.assertEqual(len(steps), len(self.json("plan", self.model)["steps"]))
        for step in steps:
            self.assertEqual(list(step), ["step", "node", "op", "implementation", "tier", "us", "share", "gmacs",
                                          "peak_share"])
        self.assertAlmostEqual(sum(step["share"] for step in steps), 1, places=5)
        drawn = xml.etree.ElementTree.parse(picture).getroot()
        self.assertEqual(len(drawn.findall("{http://www.w3.org/2000/svg}g")), len(steps))
        self.fails(2, "nowhere", "bench", self.model, "--runs", "1", "--svg", self.folder / "nowhere" / "a.svg")

    def test_bench_profile_leaves_out_what_the_first_run_does_alone(self):
        """A quantized constant is shifted to the plan's storage once: no step of the measured runs."""
        model = tflite_builder.Model()
        g = model.graph()
        x, y = g.input([1, 4], "int8", scale=0.1, zero=3), g.tensor([1, 4], "int8", 0.2, 5)
        g.op("ADD", [x, g.const(np.int8([1, -2, 3, 100]), scale=0.1, zero=-1)], [y])
        g.output(y)
        path = self.folder / "constant.tflite"
        path.write_bytes(model.build())
        found = self.json("bench", path, "--runs", "3", "--profile", "--svg", self.folder / "constant.svg")["profile"]
        self.assertIn("Add", [step["op"] for step in found])
        self.assertNotIn("", [step["op"] for step in found])
        self.assertAlmostEqual(sum(step["share"] for step in found), 1, places=5)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
