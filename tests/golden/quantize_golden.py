#!/usr/bin/env python3
"""whit quantize on real models: accuracy on labelled pictures and words before and after.

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
# name, how it is imported, its data, how that becomes its input, how many more of the others may be wrong, the largest
# share of its bytes that the result may have: the weights of kws_ref_model_float32's convolutions are int8 already
MODELS = [
    ("resnet20", ["--graph", "resnet20", "--weights", "weights/resnet20_cifar10.th"], "cifar10",
     lambda pictures: (pictures / 255 - MEAN) / STD, 4, 0.4),
    ("pretrainedResnet", ["models/pretrainedResnet.tflite"], "cifar10", lambda pictures: pictures, 4, 0.4),
    ("kws_ref_model_float32", ["models/kws_ref_model_float32.tflite"], "kws",
     lambda codes: (codes - 83.0) * 0.5847029, 4, 0.9),
]


def labelled(data, name):
    """Inputs as they lie in the files, and their classes."""
    if name == "cifar10":
        return np.load(data / name / "images_u8.npy"), np.load(data / name / "labels_u8.npy")
    rows = [row.split(",") for row in (data / name / "y_labels.csv").read_text().split()]
    codes = [np.fromfile(data / name / row[0], np.int8).reshape(49, 10, 1) for row in rows]
    return np.stack(codes), np.array([int(row[2]) for row in rows])


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
    for name in ("cifar10", "kws"):
        if not (args.data / name).is_dir():
            print(f"quantize_golden: skipped, {args.data / name} is not there")
            return 77
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        judge = Judge(args.whit, folder)
        for name, source, data, prepare, allowed, share in MODELS:
            values, labels = labelled(args.data, data)
            words = [str(args.data / word) if "/" in word else word for word in source]
            real, codes = folder / f"{name}.whit", folder / f"{name}_int8.whit"
            judge.run("import", *words, "-o", real)
            inputs = prepare(values).astype(np.float32)
            np.save(folder / "samples.npy", inputs[:CALIBRATION])
            report = json.loads(judge.run("quantize", real, "-o", codes, "--data", folder / "samples.npy", "--json"))
            rest, wanted = inputs[CALIBRATION:], labels[CALIBRATION:]
            before, after = (judge.right(model, rest, wanted) for model in (real, codes))
            good = after >= before - allowed and report["file_bytes"] < share * report["source_bytes"]
            bad += not good
            print(f"{name}: float {before}, int8 {after} of {len(rest)} right; {report['source_bytes']} bytes became "
                  f"{report['file_bytes']}; outputs {report['output_sqnr_db']:.1f} dB above the noise"
                  f"{'' if good else '   <- too far'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
