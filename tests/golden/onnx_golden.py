#!/usr/bin/env python3
"""Real ONNX models of the shared data against onnxruntime's outputs.

    onnx_golden.py --whit build/release/.../whit [--data ../shared/data]

A detector in both layouts, and a recurrent one step by step with its state. Exit 77: skipped, the data is not there."""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import wave

try:
    import numpy as np
except ImportError as missing:
    print("onnx_golden: skipped, %s" % missing)
    sys.exit(77)


class Models:
    def __init__(self, whit, data, scratch):
        self.whit, self.data, self.scratch, self.failed = whit, data, pathlib.Path(scratch), 0

    def call(self, *args):
        subprocess.run([self.whit, *map(str, args)], check=True, stdout=subprocess.DEVNULL, timeout=120)

    def imported(self, name, *flags):
        out = self.scratch / "model.whit"
        self.call("import", self.data / "weights" / name, "-o", out, *flags)
        return out

    def run(self, model, inputs, outputs):
        args = []
        for name, value in inputs.items():
            np.save(self.scratch / f"in_{name}.npy", value)
            args += ["--in", f"{name}={self.scratch / f'in_{name}.npy'}"]
        for name in outputs:
            args += ["--out", f"{name}={self.scratch / f'out_{name}.npy'}"]
        self.call("run", model, *args)
        return [np.load(self.scratch / f"out_{name}.npy") for name in outputs]

    def expect(self, what, got, want, allowed):
        got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
        off = abs(got - want).max() if got.shape == want.shape else float("inf")
        print(f"{what}: largest distance {off:.3g}, allowed {allowed:g}")
        self.failed += not off <= allowed

    def golden(self, name):
        return np.load(self.data / "golden" / "onnx" / name)

    def face(self):
        picture = np.load(self.data / "inputs" / "faces_group_f32_1x240x320x3_f127.npy")
        for layout in ("same", "nhwc"):
            model = self.imported("face_rfb320.onnx", "--layout", layout)
            x = picture if layout == "nhwc" else np.ascontiguousarray(picture.transpose(0, 3, 1, 2))
            for i, got in enumerate(self.run(model, {"input": x}, ["scores", "boxes"])):
                self.expect(f"face_rfb320 {layout} output {i}", got, self.golden(f"face_rfb320.faces_group.ort{i}.npy"), 1e-4)

    def silero(self, clip):
        """512 samples a step behind the last 64 of the step before; the state goes round."""
        model = self.imported("silero_vad_16k_op15.onnx", "--dim", "sequence=576")
        with wave.open(str(self.data / "audio" / f"{clip}.wav")) as file:
            sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        want = self.golden(f"silero_vad_16k.{clip}.ort_prob.npy")
        before, state, got = np.zeros(64, np.float32), np.zeros((2, 1, 128), np.float32), []
        for step in range(len(want)):
            part = sound[step * 512:(step + 1) * 512]
            x = np.concatenate([before, part])[None]
            before = part[-64:]
            speech, state = self.run(model, {"input": x, "state": state, "sr": np.array(16000, np.int64)}, ["output", "stateN"])
            got.append(speech.ravel()[0])
        self.expect(f"silero_vad {clip}", got, want, 1e-4)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whit", required=True)
    parser.add_argument("--data", default="../shared/data", type=pathlib.Path)
    args = parser.parse_args()
    if not (args.data / "golden" / "onnx").is_dir():
        print(f"SKIPPED: {args.data}/golden/onnx is not there")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        models = Models(args.whit, args.data, scratch)
        models.face()
        for clip in ("silence_1000ms", "yes_1000ms"):
            models.silero(clip)
    return 1 if models.failed else 0


if __name__ == "__main__":
    sys.exit(main())
