#!/usr/bin/env python3
"""Compares `whit run` with the oracle on every case of tests/fixtures/make_ops.py: integers to the bit, floats within the
slack that the oracle states with each result.

    run_oracle.py --whit BIN [--only PART] [--jobs N] [--keep FOLDER] [--whit-args "--plain"]
    run_oracle.py --litert [--only PART]      the oracle against LiteRT (needs ai_edge_litert; not a test)

Exit: 0 all agree, 1 some do not, 77 nothing could be run. The last line counts passed, failed and skipped cases."""
import argparse
import collections
import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "fixtures")]
try:
    import numpy as np
    import make_ops
    from arith import NotCovered
    from graph import Run
except ImportError as missing:
    print("oracle: skipped, %s" % missing)
    sys.exit(77)

CASES = {}


def cases():
    if not CASES:
        CASES.update((c.name, c) for c in make_ops.all_cases())
    return CASES


def difference(got, want, slack):
    """None, or the first differing index with both values."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return "%s%s, expected %s%s" % (got.dtype, list(got.shape), want.dtype, list(want.shape))
    if want.dtype.kind == "f":
        allowed = np.zeros(want.shape) if slack is None else slack
        with np.errstate(invalid="ignore"):
            bad = ~((got == want) | (np.abs(got.astype(float) - want) <= allowed) | (np.isnan(got) & np.isnan(want)))
    else:
        bad = got != want
    if not bad.any():
        return None
    at = tuple(int(v) for v in np.argwhere(bad)[0]) if bad.ndim else ()
    return "%s: got %s, expected %s%s; %d of %d differ" % (
        list(at), got[at], want[at], "" if slack is None else " +- %.3g" % np.broadcast_to(slack, bad.shape)[at],
        bad.sum(), bad.size)


def run_whit(whit, folder, case, extra):
    """Outputs of step 0 by the command line; raises RuntimeError with the command's message."""
    model = folder / (case.name + ".tflite")
    model.write_bytes(case.model.build())
    command = [whit, "run", str(model)] + extra
    for k, a in enumerate(case.steps[0]):
        np.save(folder / ("%s.in%d.npy" % (case.name, k)), a)
        command += ["--in", str(folder / ("%s.in%d.npy" % (case.name, k)))]
    outputs = [folder / ("%s.out%d.npy" % (case.name, k)) for k in range(len(case.g.outputs))]
    for o in outputs:
        o.unlink(missing_ok=True)
        command += ["--out", str(o)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    if done.returncode:
        raise RuntimeError("exit %d: %s" % (done.returncode, (done.stderr or done.stdout).strip()[:300]))
    return [np.load(o) for o in outputs]


def check(name, whit, folder, extra):
    """(operator, name, "passed" | "failed" | "skipped", note)."""
    case = cases()[name]
    op = case.op if case.op != "CUSTOM" else case.g.ops[-1]["custom"]
    try:
        want = Run(case.model).call(case.steps[0])
    except NotCovered as why:
        return op, name, "skipped", str(why)
    try:
        got = run_whit(whit, pathlib.Path(folder), case, extra)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
        return op, name, "failed", str(e)
    for k, (g, (w, slack)) in enumerate(zip(got, want)):
        wrong = difference(g, w, slack)
        if wrong:
            return op, name, "failed", "output %d %s" % (k, wrong)
    return op, name, "passed", "step 0 of %d" % len(case.steps) if len(case.steps) > 1 else ""


def compare_with_whit(args, names, folder):
    counts = collections.defaultdict(collections.Counter)
    later = []
    extra = args.whit_args.split()
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        for op, name, state, note in pool.map(check, names, *([v] * len(names) for v in (args.whit, folder, extra)),
                                              chunksize=8):
            counts[op][state] += 1
            if state != "passed":
                print("%s %s: %s" % (state.upper(), name, note), flush=True)
            elif note:
                later.append(name)
    for op in sorted(counts):
        print("%-30s %s" % (op, ", ".join("%d %s" % (n, s) for s, n in sorted(counts[op].items()))))
    if later:
        print("first step only (the command line forgets variables between runs): " + " ".join(later))
    total = sum(counts.values(), collections.Counter())
    print("oracle: %d passed, %d failed, %d skipped" % (total["passed"], total["failed"], total["skipped"]))
    return 1 if total["failed"] else 0 if total["passed"] else 77


# ---- LiteRT: is the page itself near what others compute? ----

def distance(a, b):
    """In steps for stored integers, in 1e-5 of the largest value for floats."""
    d = np.abs(a.astype(float) - b.astype(float))
    return d / max(1e-5 * np.abs(b.astype(float)).max(initial=0), 1e-6) if a.dtype.kind == "f" else d


def outlier(case, folder):
    """None, or how far the oracle is from the nearer golden, over all steps."""
    path = folder / (case.name + ".tflite")
    path.write_bytes(case.model.build())
    goldens = []
    for reference in (True, False):
        try:
            goldens.append(make_ops.run_litert(str(path), case.steps, reference)[0])
        except (RuntimeError, ValueError):
            pass
    if not goldens:
        raise NotCovered("LiteRT cannot run it")
    run, notes = Run(case.model), []
    for s, arrays in enumerate(case.steps):
        for k, (mine, _) in enumerate(run.call(arrays)):
            ref, xnn = goldens[0][s][k], goldens[-1][s][k]
            if mine.dtype != ref.dtype or mine.shape != ref.shape:
                return "output %d: %s%s, LiteRT %s%s" % (k, mine.dtype, mine.shape, ref.dtype, ref.shape)
            if not mine.size:
                continue
            near, apart = np.minimum(distance(mine, ref), distance(mine, xnn)), distance(ref, xnn)
            allowed = apart.mean() + (0.25 if mine.dtype.itemsize < 4 or mine.dtype.kind == "f" else 0)
            if near.mean() > allowed:
                at = np.unravel_index(near.argmax(), near.shape) if near.ndim else ()
                notes.append("step %d output %d: mean %.3g > %.3g, largest %.3g at %s: oracle %s, ref %s, xnn %s" % (
                    s, k, near.mean(), allowed, near.max(), [int(v) for v in at], mine[at], ref[at], xnn[at]))
    return "; ".join(notes[:2]) or None


def compare_with_litert(names, folder):
    passed = outliers = skipped = 0
    for name in names:
        if name in make_ops.LITERT_WRONG:
            print("SKIPPED %s: LiteRT: %s" % (name, make_ops.LITERT_WRONG[name]))
            skipped += 1
            continue
        try:
            wrong = outlier(cases()[name], pathlib.Path(folder))
        except NotCovered as why:
            print("SKIPPED %s: %s" % (name, why))
            skipped += 1
            continue
        except Exception as e:
            wrong = "%s: %s" % (type(e).__name__, e)
        if wrong:
            print("OUTLIER %s: %s" % (name, wrong), flush=True)
        passed, outliers = passed + (not wrong), outliers + bool(wrong)
    print("oracle and LiteRT: %d near, %d outliers, %d skipped" % (passed, outliers, skipped))
    return 1 if outliers else 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--whit", help="the whit command")
    p.add_argument("--litert", action="store_true", help="compare the oracle with LiteRT instead")
    p.add_argument("--only", default="", help="part of a case's name")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--keep", help="folder for models, inputs and outputs (default: temporary)")
    p.add_argument("--whit-args", default="--xnnpack off", help="passed on to whit run (default: %(default)s)")
    args = p.parse_args()
    if not args.litert and not args.whit:
        p.error("--whit or --litert is needed")
    names = [name for name in cases() if args.only in name]
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or scratch
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        return compare_with_litert(names, folder) if args.litert else compare_with_whit(args, names, folder)


if __name__ == "__main__":
    sys.exit(main())
