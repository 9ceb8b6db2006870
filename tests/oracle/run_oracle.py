#!/usr/bin/env python3
"""Compares `whit run` with the oracle on every case of tests/fixtures/make_ops.py: integers to the bit, floats within the
slack that the oracle states with each result.

    run_oracle.py --whit BIN [--steps BIN] [--only PART] [--jobs N] [--keep FOLDER] [--plain]
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

# Cases that whit refuses on purpose, and the words that its message must hold.
REFUSED = {"dequantize_plain_f16": "float16 computed at run time"}

CASES = {}


def cases():
    if not CASES:
        CASES.update((c.name, c) for c in make_ops.all_cases())
    return CASES


def difference(got, want, slack, more=0.):
    """None, or the first differing index with both values. more: further slack of floats, in parts of the largest one."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return "%s%s, expected %s%s" % (got.dtype, list(got.shape), want.dtype, list(want.shape))
    if want.dtype.kind == "f":
        largest = np.abs(want[np.isfinite(want)]).max(initial=0)
        slack = (0. if slack is None else slack) + more * largest
        with np.errstate(invalid="ignore"):
            bad = ~((got == want) | (np.abs(got.astype(float) - want) <= slack) | (np.isnan(got) & np.isnan(want)))
    else:
        bad = got != want
    if not bad.any():
        return None
    at = tuple(int(v) for v in np.argwhere(bad)[0]) if bad.ndim else ()
    return "%s: got %s, expected %s%s; %d of %d differ" % (
        list(at), got[at], want[at], "" if slack is None else " +- %.3g" % np.broadcast_to(slack, bad.shape)[at],
        bad.sum(), bad.size)


def command(*words):
    """Runs a program; raises RuntimeError with its message."""
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, errors="replace", timeout=60)
    if done.returncode:
        raise RuntimeError("exit %d: %s" % (done.returncode, " ".join((done.stderr or done.stdout).split())[:300]))


def run_once(args, folder, case):
    """Outputs of step 0 by the command line."""
    model = folder / (case.name + ".tflite")
    words = [args.whit, "run", model] + args.extra
    for k, a in enumerate(case.steps[0]):
        np.save(folder / ("%s.in%d.npy" % (case.name, k)), a)
        words += ["--in", folder / ("%s.in%d.npy" % (case.name, k))]
    outputs = [folder / ("%s.out%d.npy" % (case.name, k)) for k in range(len(case.g.outputs))]
    for o in outputs:
        o.unlink(missing_ok=True)
        words += ["--out", o]
    command(*words)
    return [np.load(o) for o in outputs]


def run_steps(args, folder, case, want):
    """Outputs of every step, and of the first once more after Reset, in one process; raw bytes both ways."""
    model, source, result = (folder / (case.name + end) for end in (".whit", ".in.bin", ".out.bin"))
    command(args.whit, "import", folder / (case.name + ".tflite"), "-o", model)
    source.write_bytes(b"".join(np.ascontiguousarray(a).tobytes() for arrays in case.steps for a in arrays))
    command(args.steps, model, len(case.steps), source, result, *(["plain"] if args.plain else []))
    data, at, found = result.read_bytes(), 0, []
    for outputs in want + want[:1]:
        found.append([])
        for w, _ in outputs:
            found[-1].append(np.frombuffer(data, w.dtype, w.size, at).reshape(w.shape))
            at += w.nbytes
    if at != len(data):
        raise RuntimeError("%d bytes of outputs, expected %d" % (len(data), at))
    return found


def check(name, args, folder):
    """(operator, name, "passed" | "failed" | "skipped", note)."""
    case, folder = cases()[name], pathlib.Path(folder)
    op = case.op if case.op != "CUSTOM" else case.g.ops[-1]["custom"]
    (folder / (name + ".tflite")).write_bytes(case.model.build())
    run = Run(case.model)
    try:
        want = [run.call(arrays) for arrays in case.steps]
        got = [run_once(args, folder, case)]
        note = "" if len(want) == 1 else "first step only"
        if len(want) > 1 and args.steps:
            got, note = got + run_steps(args, folder, case, want), ""
            want = want[:1] + want + want[:1]
    except NotCovered as why:
        return op, name, "skipped", str(why)
    except (RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as e:
        refused = name in REFUSED and REFUSED[name] in str(e)
        return op, name, "skipped" if refused else "failed", str(e)
    for s, (outputs, expected) in enumerate(zip(got, want)):
        for k, (g, (w, slack)) in enumerate(zip(outputs, expected)):
            wrong = difference(g, w, slack, 1e-6 if args.xnnpack else 0.)
            if wrong:
                return op, name, "failed", "run %d output %d %s" % (s, k, wrong)
    return op, name, "passed", note


def compare_with_whit(args, names, folder):
    counts = collections.defaultdict(collections.Counter)
    first_only = []
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        for op, name, state, note in pool.map(check, names, [args] * len(names), [folder] * len(names), chunksize=8):
            counts[op][state] += 1
            if state != "passed":
                print("%s %s: %s" % (state.upper(), name, note), flush=True)
            elif note:
                first_only.append(name)
    for op in sorted(counts):
        print("%-30s %s" % (op, ", ".join("%d %s" % (n, s) for s, n in sorted(counts[op].items()))))
    if first_only:
        print("first step only, for want of --steps: " + " ".join(first_only))
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
    p.add_argument("--steps", help="the whit_steps program: runs of one process, for models with variables")
    p.add_argument("--plain", action="store_true", help="the plain executor")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--xnnpack", action="store_true", help="let XNNPACK serve float operators: floats may differ by another 1e-6 of the largest")
    args = p.parse_args()
    if not args.litert and not args.whit:
        p.error("--whit or --litert is needed")
    args.extra = ["--xnnpack", "on" if args.xnnpack else "off", "--threads", args.threads, "--split-always"] + ["--plain"] * args.plain
    names = [name for name in cases() if args.only in name]
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or scratch
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        return compare_with_litert(names, folder) if args.litert else compare_with_whit(args, names, folder)


if __name__ == "__main__":
    sys.exit(main())
