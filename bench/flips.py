#!/usr/bin/env python3
"""What protection against flipped bits costs: the time of a run with the scrubber, and with self-check, over that of
one without. Interleaved, so that a clock that drifts meets all of them; the ratio is of medians over all rounds.

    flips.py WHIT MODEL.whit [MODEL.whit ...] [--rounds N]"""
import argparse
import json
import statistics
import subprocess

VARIANTS = {"none": ["--scrub", "0"], "scrub 1 %": ["--scrub", "0.01"], "self-check": ["--scrub", "0", "--self-check"]}


def milliseconds(whit, model, flags):
    done = subprocess.run([whit, "bench", model, "--json", "--xnnpack", "off", "--tuning", "none", *flags],
                          stdout=subprocess.PIPE, check=True, encoding="utf-8")
    return statistics.median(json.loads(done.stdout)["ms"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("whit")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    for model in args.models:
        times = {name: [] for name in VARIANTS}
        for _ in range(args.rounds):
            for name, flags in VARIANTS.items():
                times[name].append(milliseconds(args.whit, model, flags))
        none = statistics.median(times["none"])
        ratios = {name: statistics.median(a / b for a, b in zip(times[name], times["none"])) for name in VARIANTS}
        print("%-40s %8.3f ms  " % (model.split("/")[-1], none) +
              "  ".join("%s %+.1f %%" % (name, 100 * (ratios[name] - 1)) for name in VARIANTS if name != "none"), flush=True)


if __name__ == "__main__":
    main()
