#!/usr/bin/env python3
"""The same output bytes on every CPU: models run here and under emulators, and the outputs are compared.

    same_bytes.py [--largest BYTES] WHIT SHARED 'NAME=COMMAND' [...]
                                      COMMAND runs another whit, e.g. 'qemu-aarch64-static -L ROOT .../whit'

Integer models (`whit info` says exact) of SHARED/data/models up to BYTES, and the demo's own. Every usable tier of the emulated CPU
is run and compared, and named. Needs numpy."""
import argparse
import concurrent.futures
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


def compare(whit, source, others, tiers):
    """What differs on which CPU and tier, and how many runs did not; None for a model that is not integer throughout."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        model = folder / "model.whit"
        call(whit, "import", source, "-o", model)
        info = json.loads(call(whit, "info", model, "--json"))
        if not info["exact"]:
            return None
        words = noise(info, folder)
        want = outputs(whit, model, info, words, folder)
        failures, passed = [], 0
        for name, command in others:
            for tier in tiers[name]:
                try:
                    why = None if outputs(command, model, info, words, folder, "--isa", tier) == want else "other bytes"
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    why = error
                if why is None:
                    passed += 1
                else:
                    failures.append("%s on %s, tier %s: %s" % (source.name, name, tier, why))
        return failures, passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=2000000, help="bytes of a .tflite: emulation is slow")
    parser.add_argument("whit")
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("others", nargs="+", metavar="NAME=COMMAND")
    args = parser.parse_args()
    whit = [args.whit]
    others = [(word.split("=", 1)[0], shlex.split(word.split("=", 1)[1])) for word in args.others]
    models, folder = [DEMO], args.shared / "data" / "models"
    if folder.is_dir():
        found = sorted(folder.rglob("*.tflite"))
        models += [p for p in found if os.path.getsize(p) <= args.largest]
        print("%d of %d models are larger than %d bytes and left out" %
              (len(found) + 1 - len(models), len(found), args.largest))
    else:
        print("SKIPPED: no", folder, "- only the demo's own model is run")
    tiers = {name: [t["name"] for t in json.loads(call(command, "info", "--cpu", "--json"))["tiers"] if t["usable"]]
             for name, command in others}
    for name, _ in others:
        print("%s runs the tiers %s" % (name, ", ".join(tiers[name])))
    passed, failed, inexact, refused = 0, 0, 0, 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(source, pool.submit(compare, whit, source, others, tiers)) for source in models]
        for source, job in jobs:
            try:
                result = job.result()
            except RuntimeError as error:
                refused += 1
                print("refused: %s: %s" % (source.name, str(error).rsplit(": ", 1)[-1]))
                continue
            if result is None:
                inexact += 1
                continue
            failures, same = result
            passed, failed = passed + same, failed + len(failures)
            for failure in failures:
                print("FAILED", failure)
    print("same bytes: %d passed, %d failed; %d models are not integer throughout, %d are refused by design" %
          (passed, failed, inexact, refused))
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
