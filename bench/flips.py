#!/usr/bin/env python3
"""What protection against flipped bits costs: the time of a run with the scrubber, and with self-check, over that of
one without. Interleaved minima: what else the machine does makes runs longer, never shorter.

    flips.py WHIT MODEL.whit[:INPUT.npy] ... [--rounds N]

Without an input a model sees noise, which some tiers take longer for."""
import argparse
import json
import subprocess

VARIANTS = {"none": ["--scrub", "0"], "scrub 1 %": ["--scrub", "0.01"], "self-check": ["--scrub", "0", "--self-check"]}


def milliseconds(whit, model, runs, flags):
    path, _, data = model.partition(":")
    done = subprocess.run([whit, "bench", path, "--json", "--xnnpack", "off", "--tuning", "none", "--runs", str(runs), *flags] +
                          (["--in", data] if data else []), stdout=subprocess.PIPE, check=True, encoding="utf-8")
    return min(json.loads(done.stdout)["ms"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("whit")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    for model in args.models:
        runs = int(100 / milliseconds(args.whit, model, 20, [])) + 20  # 0.1 s
        best = dict.fromkeys(VARIANTS, float("inf"))
        for _ in range(args.rounds):
            for name, flags in VARIANTS.items():
                best[name] = min(best[name], milliseconds(args.whit, model, runs, flags))
        print("%-40s %8.3f ms  " % (model.partition(":")[0].split("/")[-1], best["none"]) +
              "  ".join("%s %+.1f %%" % (name, 100 * (best[name] / best["none"] - 1)) for name in VARIANTS if name != "none"), flush=True)


if __name__ == "__main__":
    main()
