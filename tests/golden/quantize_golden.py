#!/usr/bin/env python3
"""whit quantize on real models: accuracy on labelled pictures before and after.

  quantize_golden.py --whit PATH --data ../shared/data

Calibrated on the first pictures, judged on the others. Exit 77 where the data is not there."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as missing:
    print(f"quantize_golden: skipped, {missing}")
    sys.exit(77)

CALIBRATION = 64
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
# name, how it is imported, how a picture becomes its input, how many more of the others may be wrong
MODELS = [
    ("resnet20", ["--graph", "resnet20", "--weights", "weights/resnet20_cifar10.th"],
     lambda pictures: (pictures / 255 - MEAN) / STD, 4),
    ("pretrainedResnet", ["models/pretrainedResnet.tflite"], lambda pictures: pictures.astype(np.float32), 4),
]


class Judge:
    def __init__(self, whit, folder):
        self.whit, self.folder = whit, folder

    def run(self, *args):
        done = subprocess.run([str(self.whit), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding="utf-8")
        if done.returncode != 0:
            sys.exit(f"quantize_golden: whit {args}: {done.stderr}")
        return done.stdout

    def right(self, model, inputs, labels):
        count = 0
        for x, label in zip(inputs, labels):
            np.save(self.folder / "in.npy", x[np.newaxis])
            self.run("run", model, "--in", self.folder / "in.npy", "--out", self.folder / "out.npy")
            count += int(np.load(self.folder / "out.npy").ravel().argmax() == label)
        return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--whit", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    args = parser.parse_args()
    if not (args.data / "cifar10").is_dir():
        print(f"quantize_golden: skipped, {args.data / 'cifar10'} is not there")
        return 77
    pictures = np.load(args.data / "cifar10" / "images_u8.npy")
    labels = np.load(args.data / "cifar10" / "labels_u8.npy")
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        judge = Judge(args.whit, folder)
        for name, source, prepare, allowed in MODELS:
            words = [str(args.data / word) if "/" in word else word for word in source]
            real, codes = folder / f"{name}.whit", folder / f"{name}_int8.whit"
            judge.run("import", *words, "-o", real)
            inputs = prepare(pictures).astype(np.float32)
            np.save(folder / "samples.npy", inputs[:CALIBRATION])
            report = json.loads(judge.run("quantize", real, "-o", codes, "--data", folder / "samples.npy", "--json"))
            rest, wanted = inputs[CALIBRATION:], labels[CALIBRATION:]
            before, after = (judge.right(model, rest, wanted) for model in (real, codes))
            good = after >= before - allowed and report["file_bytes"] < 0.4 * report["source_bytes"]
            bad += not good
            print(f"{name}: float {before}, int8 {after} of {len(rest)} right; {report['source_bytes']} bytes became "
                  f"{report['file_bytes']}; outputs {report['output_sqnr_db']:.1f} dB above the noise"
                  f"{'' if good else '   <- too far'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
