#!/usr/bin/env python3
"""Sealed models give the bytes of their plain originals: every model of the shared data, on every tier, in the smallest window.

    sealed_golden.py --whit WHIT --data DATA

Both run without XNNPACK, which sealed models do without. Exit status 77: skipped."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cross"))
import same_bytes  # says so and ends with 77 where there is no numpy


def compare(whit, source, key, tiers):
    """What differs; None where the model is refused or has no weights."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        plain, sealed = folder / "plain.whit", folder / "sealed.whit"
        try:
            same_bytes.call(whit, "import", source, "-o", plain)
            same_bytes.call(whit, "seal", plain, "--key", key, "-o", sealed)
        except RuntimeError:
            return None
        info = json.loads(same_bytes.call(whit, "info", plain, "--json"))
        words = same_bytes.noise(info, folder)
        wrong = []
        for options in [["--plain"]] + [["--isa", tier, "--xnnpack", "off"] for tier in tiers]:
            want = same_bytes.outputs(whit, plain, info, words, folder, *options)
            got = same_bytes.outputs(whit, sealed, info, words, folder, "--key", key, *options)
            if got != want:
                wrong.append("%s %s: other bytes" % (source.name, " ".join(options)))
        return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whit", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    args = parser.parse_args()
    if not args.data.is_dir():
        print("sealed: skipped, no", args.data)
        return 77
    whit = [args.whit]
    tiers = [t["name"] for t in json.loads(same_bytes.call(whit, "info", "--cpu", "--json"))["tiers"] if t["usable"]]
    models = sorted((args.data / "models").rglob("*.tflite"))
    same, wrong, left_out = 0, [], 0
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        key = pathlib.Path(scratch) / "key"
        try:
            same_bytes.call(whit, "keygen", key, "--seal")
        except RuntimeError as error:
            print("sealed: skipped,", error)  # a build without libsodium
            return 77
        jobs = [pool.submit(compare, whit, model, key, tiers) for model in models]
        for model, job in zip(models, jobs):
            try:
                found = job.result()
            except RuntimeError as error:
                found = ["%s: %s" % (model.name, error)]
            if found is None:
                left_out += 1
            else:
                same, wrong = same + (not found), wrong + found
    for line in wrong:
        print("FAILED", line)
    print("sealed: %d models give the same bytes, %d do not; %d are refused by design or have no weights; tiers plain, %s" %
          (same, len(wrong), left_out, ", ".join(tiers)))
    return bool(wrong) or same == 0


if __name__ == "__main__":
    sys.exit(main())
