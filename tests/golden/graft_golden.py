#!/usr/bin/env python3
"""Weights of other frameworks on the graph of a model that was trained with them: the same outputs.

  graft_golden.py --whit PATH --data ../shared/data

- a face detector: PyTorch's weights on the .onnx, which has their names, and on the .tflite, which has none of them and the
  normalizations inside its products, against onnxruntime and LiteRT;
- ResNet of CIFAR-10: Keras' .h5 on the .tflite, against LiteRT and on 500 pictures.

Exit 77 where the data is not there.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as missing:
    print(f"graft_golden: skipped, {missing}")
    sys.exit(77)

FACE_TOLERANCE = 1e-4    # of probabilities and of what boxes are made of, up to 6
RESNET_TOLERANCE = 1e-5  # of probabilities
RIGHT = 386              # of 500, as LiteRT has it (data/README.md)


class Grafts:
    def __init__(self, whit, data, folder):
        self.whit, self.data, self.folder, self.failed = whit, data, folder, False

    def make(self, graph, weights=None, *flags):
        """Path of a .whit, and the account of what matched."""
        out = self.folder / f"{pathlib.Path(graph).name}.{pathlib.Path(weights or 'own').suffix}.whit"
        args = [self.data / graph] if weights is None else ["--graph", self.data / graph, "--weights", self.data / weights, "--json", *flags]
        done = subprocess.run([self.whit, "import", *args, "-o", out], capture_output=True, encoding="utf-8")
        if done.returncode != 0:
            sys.exit(f"graft_golden: {graph} with {weights}: {done.stderr}")
        return out, json.loads(done.stdout) if weights else {}

    def run(self, model, x, outputs):
        np.save(self.folder / "in.npy", x)
        names = [self.folder / f"out{i}.npy" for i in range(outputs)]
        args = [word for name in names for word in ("--out", name)]
        subprocess.run([self.whit, "run", model, "--in", self.folder / "in.npy", *args], check=True, stdout=subprocess.DEVNULL)
        return [np.load(name) for name in names]

    def within(self, what, got, want, tolerance):
        worst = max(float(abs(g - w).max()) for g, w in zip(got, want, strict=True))
        bad = not worst <= tolerance
        self.failed |= bad
        print(f"{'FAILED' if bad else 'ok':6} {what}: within {worst:.2g} (at most {tolerance})")

    def equal(self, what, got, want):
        self.failed |= got != want
        print(f"{'FAILED' if got != want else 'ok':6} {what}: {got}" + ("" if got == want else f", expected {want}"))


def face(g):
    golden, weights = g.data / "golden", "weights/face_rfb320.pth"
    nhwc = np.load(g.data / "inputs" / "faces_group_f32_1x240x320x3_f127.npy")
    nchw = np.ascontiguousarray(nhwc.transpose(0, 3, 1, 2))
    scores, boxes = (np.load(golden / "onnx" / f"face_rfb320.faces_group.ort{i}.npy") for i in (0, 1))
    own, _ = g.make("weights/face_rfb320.onnx")
    alone = g.run(own, nchw, 2)
    g.within("face .onnx", alone, [scores, boxes], FACE_TOLERANCE)
    grafted, account = g.make("weights/face_rfb320.onnx", weights)
    g.equal("face .pth on .onnx, tensors matched", len(account["matched"]), 209)
    g.within("face .pth on .onnx", g.run(grafted, nchw, 2), alone, FACE_TOLERANCE)
    grafted, account = g.make("models/face_rfb320_float.tflite", weights)
    g.equal("face .pth on .tflite, tensors matched", len(account["matched"]), 209)
    g.equal("face .pth on .tflite, layers", (len(account["grafted"]), account["untold"]), (53, []))
    on_tflite = g.run(grafted, nhwc, 2)
    g.within("face .pth on .tflite", on_tflite[::-1], alone, FACE_TOLERANCE)
    # The converter has raised the epsilon to the least of cuDNN.
    grafted, account = g.make("models/face_rfb320_float.tflite", weights, "--epsilon", "1.001e-5")
    on_tflite = g.run(grafted, nhwc, 2)
    litert = [np.load(golden / "face_rfb320_float" / f"faces_group.ref{i}.npy") for i in (0, 1)]
    g.within("face .pth on .tflite with its epsilon, weights", [np.float64(max(x["difference"] for x in account["grafted"]))], [0], 1e-6)
    g.within("face .pth on .tflite with its epsilon, against LiteRT", on_tflite, litert, FACE_TOLERANCE)


def resnet(g):
    model, account = g.make("models/pretrainedResnet.tflite", "weights/pretrainedResnet.h5")
    g.equal("resnet .h5 on .tflite, layers", {layer["by"] for layer in account["grafted"]}, {"name"})
    g.equal("resnet .h5 on .tflite, tensors matched", (len(account["matched"]), len(account["kept"])), (48, 0))
    pictures = np.load(g.data / "cifar10" / "images_u8.npy").astype(np.float32)
    labels = np.load(g.data / "cifar10" / "labels_u8.npy")
    own, _ = g.make("models/pretrainedResnet.tflite")
    got = np.concatenate([g.run(model, p[np.newaxis], 1)[0] for p in pictures])
    want = np.concatenate([g.run(own, p[np.newaxis], 1)[0] for p in pictures])
    g.within("resnet .h5 on .tflite, against the .tflite", [got], [want], RESNET_TOLERANCE)
    g.equal("resnet .h5 on .tflite, right of 500", int((got.argmax(1) == labels).sum()), RIGHT)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--whit", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    args = parser.parse_args()
    for needed in ("weights/face_rfb320.pth", "weights/pretrainedResnet.h5", "models/pretrainedResnet.tflite", "golden/onnx"):
        if not (args.data / needed).exists():
            print(f"graft_golden: skipped, {args.data / needed} is not there")
            return 77
    with tempfile.TemporaryDirectory() as folder:
        grafts = Grafts(args.whit, args.data, pathlib.Path(folder))
        face(grafts)
        resnet(grafts)
    return 1 if grafts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
