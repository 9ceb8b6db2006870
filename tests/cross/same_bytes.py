#!/usr/bin/env python3
"""The same output bytes on every CPU: models run here and under emulators, and the outputs are compared.

    same_bytes.py WHIT SHARED 'NAME=COMMAND' [...]      COMMAND runs another whit, e.g. 'qemu-aarch64-static -L ROOT .../whit'

Integer models (`whit info` says exact) of SHARED/data/models, and the demo's own. Every usable tier of the emulated CPU is run and
compared, and named. Needs numpy."""
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as missing:
    print("same bytes: skipped, %s" % missing)
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
DEMO = HERE.parent.parent / "examples" / "classify" / "digits.tflite"
LARGEST = 2 * 1024 * 1024  # bytes of a .tflite: emulation is slow


def call(command, *args):
    done = subprocess.run([*command, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600,
                          encoding="utf-8", errors="replace")
    if done.returncode != 0:
        raise RuntimeError("%s: exit %d: %s" % (" ".join(map(str, args)), done.returncode, done.stderr.strip()))
    return done.stdout


def noise(info, folder):
    """--in arguments with seeded noise for every input."""
    rng, words = np.random.default_rng(7), []
    for i, entry in enumerate(info["inputs"]):
        kind = np.dtype(entry["type"])
        if kind.kind == "f":
            values = rng.standard_normal(entry["shape"]).astype(kind)
        elif kind.itemsize > 2 or kind.kind == "b":
            values = rng.integers(0, 2, entry["shape"]).astype(kind)
        else:
            limits = np.iinfo(kind)
            values = rng.integers(limits.min, limits.max + 1, entry["shape"]).astype(kind)
        path = folder / ("in%d.npy" % i)
        np.save(path, values)
        words += ["--in", "%s=%s" % (entry["name"], path)]
    return words


def outputs(command, model, info, words, folder, *options):
    paths = [folder / ("out%d.npy" % i) for i in range(len(info["outputs"]))]
    outs = [word for entry, path in zip(info["outputs"], paths) for word in ("--out", "%s=%s" % (entry["name"], path))]
    call(command, "run", model, *words, *outs, *options)
    return [np.load(path).tobytes() for path in paths]


def main():
    whit, shared = [sys.argv[1]], pathlib.Path(sys.argv[2])
    others = [(word.split("=", 1)[0], shlex.split(word.split("=", 1)[1])) for word in sys.argv[3:]]
    models = [DEMO]
    if (shared / "data" / "models").is_dir():
        models += sorted(p for p in (shared / "data" / "models").glob("*.tflite") if os.path.getsize(p) <= LARGEST)
    else:
        print("SKIPPED: no", shared / "data", "- only the demo's own model is run")
    tiers = {name: [t["name"] for t in json.loads(call(command, "info", "--cpu", "--json"))["tiers"] if t["usable"]]
             for name, command in others}
    for name, _ in others:
        print("%s runs the tiers %s" % (name, ", ".join(tiers[name])))
    passed, failed, inexact = 0, 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for source in models:
            model = folder / "model.whit"
            call(whit, "import", source, "-o", model)
            info = json.loads(call(whit, "info", model, "--json"))
            if not info["exact"]:
                inexact += 1
                continue
            words = noise(info, folder)
            want = outputs(whit, model, info, words, folder)
            for name, command in others:
                for tier in tiers[name]:
                    try:
                        same = outputs(command, model, info, words, folder, "--isa", tier) == want
                        why = "other bytes"
                    except (RuntimeError, subprocess.TimeoutExpired) as error:
                        same, why = False, error
                    passed, failed = passed + same, failed + (not same)
                    if not same:
                        print("FAILED %s on %s, tier %s: %s" % (source.name, name, tier, why))
    print("same bytes: %d passed, %d failed; %d models are not integer throughout" % (passed, failed, inexact))
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
