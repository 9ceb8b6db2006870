#!/usr/bin/env python3
"""Recipes over real weights: ResNet-20 of CIFAR-10 against onnxruntime's logits and on 500 pictures.

  recipe_golden.py --whit PATH --data ../shared/data

Exit 77 where the data is not there.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as missing:
    print(f"recipe_golden: skipped, {missing}")
    sys.exit(77)

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
LOGIT_TOLERANCE = 1e-3  # batch normalization is folded into the products
RIGHT = 400             # of 500, as onnxruntime has it (data/README.md)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--whit", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    args = parser.parse_args()
    weights = args.data / "weights" / "resnet20_cifar10.th"
    for needed in (weights, args.data / "golden" / "onnx", args.data / "cifar10"):
        if not needed.exists():
            print(f"recipe_golden: skipped, {needed} is not there")
            return 77

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model = folder / "resnet20.whit"
        done = subprocess.run([args.whit, "import", "--graph", "resnet20", "--weights", weights, "-o", model],
                              stderr=subprocess.PIPE, encoding="utf-8")
        if done.returncode != 0:
            print(done.stderr)
            return 1

        def logits(picture):
            np.save(folder / "in.npy", picture[np.newaxis].astype(np.float32))
            subprocess.run([args.whit, "run", model, "--in", folder / "in.npy", "--out", folder / "out.npy"], check=True,
                           stdout=subprocess.DEVNULL)
            return np.load(folder / "out.npy")[0]

        inputs = np.load(args.data / "golden" / "onnx" / "resnet20_cifar10.in0.npy").transpose(0, 2, 3, 1)
        want = np.load(args.data / "golden" / "onnx" / "resnet20_cifar10.logits.npy")
        worst = max(abs(logits(x) - y).max() for x, y in zip(inputs, want))
        pictures = np.load(args.data / "cifar10" / "images_u8.npy")
        labels = np.load(args.data / "cifar10" / "labels_u8.npy")
        right = sum(int(logits((p / 255 - MEAN) / STD).argmax() == label) for p, label in zip(pictures, labels))
    print(f"resnet20: logits within {worst:.2g} (at most {LOGIT_TOLERANCE}), {right} of {len(labels)} right (at least {RIGHT})")
    return 0 if worst <= LOGIT_TOLERANCE and right >= RIGHT else 1


if __name__ == "__main__":
    sys.exit(main())
