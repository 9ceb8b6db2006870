#!/usr/bin/env python3
"""Times whit and the runtimes that pip has installed here, side by side, on .tflite models.

    bench/compare.py MODEL.tflite... [--whit build/release/tools/whit/whit] [--threads 1 2] [--report docs/performance.md]

Runtimes: LiteRT (pip: ai-edge-litert), OpenVINO (openvino) and ONNX Runtime (onnxruntime; it reads MODEL.onnx beside the
model, or a conversion by tf2onnx where that is installed). One that is missing, or refuses a model, has no figure and the
table says so. Every runtime gets uniform noise, one process a runtime and model, and short turns in alternating order, so that a
slow spell of the machine falls on all of them: compare figures of one run only. --report writes the table and a picture into
the section of this machine in the named page. Needs numpy."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


# ---- the other runtimes: each loads a model and returns a function that runs it once ----

def noise(shape, dtype):
    import numpy as np
    rng = np.random.default_rng(1)
    shape = [int(d) if isinstance(d, (int, np.integer)) and d > 0 else 1 for d in shape]
    if np.issubdtype(dtype, np.floating):
        return rng.uniform(0, 1, shape).astype(dtype)
    if np.dtype(dtype).itemsize > 2:  # indices
        return rng.integers(0, 2, shape, dtype=dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max + 1, shape, dtype=dtype)


def load_litert(path, threads):
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    for d in interpreter.get_input_details():
        interpreter.set_tensor(d["index"], noise(d["shape"], d["dtype"]))
    return interpreter.invoke


def load_openvino(path, threads, precision=None):
    import openvino
    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape({i: [d.get_length() if d.is_static else 1 for d in i.partial_shape] for i in model.inputs})
    options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    if precision:
        options["INFERENCE_PRECISION_HINT"] = precision
    request = core.compile_model(model, "CPU", options).create_infer_request()
    for i in model.inputs:
        request.set_tensor(i, openvino.Tensor(noise(list(i.shape), i.element_type.to_dtype())))
    return request.infer


def load_openvino_f32(path, threads):
    """Where the CPU has bfloat16, OpenVINO's default computes float models in it: 8 bits of mantissa."""
    return load_openvino(path, threads, "f32")


def load_onnxruntime(path, threads):
    import numpy as np
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(onnx_of(path)), options, providers=["CPUExecutionProvider"])
    types = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}
    feed = {i.name: noise(i.shape, types[i.type]) for i in session.get_inputs()}
    return lambda: session.run(None, feed)


def onnx_of(path):
    beside = path.with_suffix(".onnx")
    if beside.exists():
        return beside
    made = pathlib.Path(tempfile.gettempdir()) / f"compare-{path.stem}.onnx"
    if not made.exists():
        subprocess.run([sys.executable, "-m", "tf2onnx.convert", "--tflite", path, "--output", made, "--opset", "17"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return made


RUNTIMES = {"litert": load_litert, "onnxruntime": load_onnxruntime, "openvino": load_openvino,
            "openvino-f32": load_openvino_f32}


def worker(runtime, path, threads):
    """Answers every line 'N' of standard input with the milliseconds of N runs."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # some runtimes print
    run = RUNTIMES[runtime](pathlib.Path(path), threads)
    print("[]", file=answer, flush=True)
    for line in sys.stdin:
        ms = []
        for _ in range(int(line)):
            began = time.perf_counter_ns()
            run()
            ms.append((time.perf_counter_ns() - began) * 1e-6)
        print(json.dumps(ms), file=answer, flush=True)


# ---- the turns ----

class Rival:
    def __init__(self, name, path, threads, cpus):
        self.name, self.ms = name, []
        self.process = subprocess.Popen([sys.executable, __file__, "--worker", name, str(path), str(threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        preexec_fn=lambda: os.sched_setaffinity(0, cpus[:threads]))
        if not self.process.stdout.readline():
            raise RuntimeError("does not load it")

    def turn(self, runs):
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("died")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Whit:
    def __init__(self, binary, path, threads, cpus, options):
        self.name, self.ms = "whit", []
        self.command = [binary, "bench", str(path), "--threads", str(threads), "--json", *options]
        self.cpus = cpus[:threads]
        self.turn(1)

    def turn(self, runs):
        done = subprocess.run(self.command + ["--runs", str(runs), "--warmup", "20"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, self.cpus))
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        self.facts = json.loads(done.stdout)
        return self.facts["ms"]

    def close(self):
        pass


def measure(args, path, threads):
    """{runtime: milliseconds or the reason why there are none}"""
    cpus = sorted(os.sched_getaffinity(0))
    rows, missing = [], {}
    makers = [("whit", lambda: Whit(args.whit, path, threads, cpus, args.whit_options.split()))]
    makers += [(name, lambda name=name: Rival(name, path, threads, cpus)) for name in args.runtimes]
    for name, make in makers:
        try:
            rows.append(make())
        except RuntimeError as error:
            missing[name] = str(error)
    runs = {}
    for row in list(rows):
        try:
            once = max(min(row.turn(5)), 1e-3)
            runs[row] = max(3, round(args.seconds * 1e3 / once / args.rounds))
            runs[row] = min(runs[row], 2000)
            row.turn(min(50, runs[row]))
        except RuntimeError as error:
            missing[row.name] = str(error)
            rows.remove(row)
    for turn in range(args.rounds):
        for row in rows if turn % 2 == 0 else rows[::-1]:
            time.sleep(0.01)  # spinning threads of the last one go to sleep
            row.ms += row.turn(runs[row])
    facts = next((r.facts for r in rows if r.name == "whit"), {})
    for row in rows:
        row.close()
    times = {row.name: (min(row.ms), statistics.median(row.ms)) for row in rows if row.ms}
    return {"model": path.stem, "threads": threads, "ms": times, "missing": missing, "isa": facts.get("isa", ""),
            "clock_ghz": facts.get("clock_ghz", 0)}


# ---- the report ----

def versions(names):
    from importlib import metadata
    packages = {"litert": "ai-edge-litert", "onnxruntime": "onnxruntime", "openvino": "openvino"}
    found = []
    for name in names:
        try:
            found.append(f"{packages[name]} {metadata.version(packages[name])}")
        except (KeyError, metadata.PackageNotFoundError):
            pass
    return ", ".join(found)


def cpu_facts():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    field = dict((k.strip(), v.strip()) for k, _, v in (line.partition(":") for line in info.splitlines()))
    wanted = ("sse4_1", "avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimd", "asimddp", "i8mm")
    flags = [f for f in wanted if f in field.get("flags", field.get("Features", "")).split()]
    name = f"{field.get('model name', platform.machine())}, family {field.get('cpu family', '?')} model {field.get('model', '?')}"
    return name, flags


def fastest(result):
    others = {n: t[0] for n, t in result["ms"].items() if n != "whit"}
    return min(others, key=others.get) if others else None


def table(results, runtimes):
    lines = ["| model | threads | whit | " + " | ".join(runtimes) + " | fastest other / whit |",
             "|---|--:|--:|" + "--:|" * len(runtimes) + "--:|"]
    for r in results:
        best = fastest(r)
        cell = lambda n: f"{r['ms'][n][0]:.4g}" if n in r["ms"] else "-"
        ratio = f"{r['ms'][best][0] / r['ms']['whit'][0]:.2f} ({best})" if best and "whit" in r["ms"] else "-"
        lines.append(f"| {r['model']} | {r['threads']} | {cell('whit')} | " + " | ".join(cell(n) for n in runtimes) +
                     f" | {ratio} |")
    return lines


def geometric_mean(values):
    return statistics.geometric_mean(values) if values else float("nan")


def picture(results, runtimes):
    """Bars: how many times longer than whit each runtime takes. One group a model, one thread."""
    colours = {"whit": "#1b7f5c", "litert": "#d9822b", "onnxruntime": "#7a5cc7", "openvino": "#2f7fc1", "openvino-f32": "#86b6de"}
    names = ["whit"] + runtimes
    row, gap, left, width = 13, 12, 250, 560
    shown = [r for r in results if r["threads"] == 1 and "whit" in r["ms"]]
    longest = max([t[0] / r["ms"]["whit"][0] for r in shown for t in r["ms"].values()] + [1])
    scale = (width - 70) / min(longest, 8)
    y, parts = 34, []
    for i, n in enumerate(names):
        x = left + i * 110
        parts.append(f'<rect x="{x}" y="8" width="10" height="10" fill="{colours[n]}"/><text x="{x + 14}" y="17">{n}</text>')
    for r in shown:
        bars = [n for n in names if n in r["ms"]]
        parts.append(f'<text x="{left - 8}" y="{y + row * len(bars) / 2 + 4}" text-anchor="end">{r["model"]}</text>')
        for n in bars:
            times = r["ms"][n][0] / r["ms"]["whit"][0]
            length = min(times, 8) * scale
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{row - 2}" fill="{colours[n]}"/>'
                         f'<text x="{left + length + 4:.1f}" y="{y + row - 3}">{times:.2f}</text>')
            y += row
        y += gap
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width}" height="{y}" font-family="sans-serif" font-size="11" '
            f'fill="#444"><rect width="100%" height="100%" fill="#fff"/>' + "".join(parts) + "</svg>\n")


def write_report(args, results):
    """Replaces this machine's section, between two comments, of the page."""
    cpu, flags = cpu_facts()
    tiers = sorted({tier for r in results for tier in r["isa"].replace(",", " ").split()})
    key = f"{cpu}, {' '.join(flags)}" + (f", {args.whit_options}" if args.whit_options else "")
    slug = "".join(c if c.isalnum() else "-" for c in key.lower()).strip("-")
    title = cpu + (f", whit with {args.whit_options}" if args.whit_options else "")
    name = "".join(c if c.isalnum() else "-" for c in f"{cpu} {args.whit_options}".lower())
    image = args.report.parent / "pictures" / f"compare-{'-'.join(filter(None, name.split('-')))}.svg"
    image.parent.mkdir(exist_ok=True)
    image.write_text(picture(results, args.runtimes))
    clocks = [r["clock_ghz"] for r in results if r["clock_ghz"]]
    ratios = {t: [r["ms"][fastest(r)][0] / r["ms"]["whit"][0] for r in results
                  if r["threads"] == t and fastest(r) and "whit" in r["ms"]] for t in args.threads}
    lines = [f"<!-- compare: {slug} -->", f"### {title}", "",
             f"{datetime.date.today()}; {os.cpu_count()} cores; flags {' '.join(flags)}; clock {min(clocks):.2f} to {max(clocks):.2f} GHz "
             f"beside the runs; tiers that ran: {', '.join(tiers)}; {versions(args.runtimes)}. Minimum milliseconds of "
             f"{args.rounds} interleaved turns, uniform noise as input" +
             (f"; whit with {args.whit_options}" if args.whit_options else "") + ".", ""]
    lines += table(results, args.runtimes)
    lines += ["", "Geometric mean of the last column: " + ", ".join(
        f"{geometric_mean(v):.2f} on {t} thread{'s' if t > 1 else ''} ({len(v)} models)" for t, v in ratios.items() if v) + ".", ""]
    reasons = sorted({f"{n} on {r['model']}: {why}" for r in results for n, why in r["missing"].items()})
    lines += [f"- no figure: {reason}" for reason in reasons] + ([""] if reasons else [])
    lines += [f"![times relative to whit](pictures/{image.name})", f"<!-- end compare: {slug} -->"]
    page = args.report.read_text() if args.report.exists() else "# Performance\n"
    begin, end = lines[0], lines[-1]
    if begin in page:
        page = page[:page.index(begin)] + "\n".join(lines) + page[page.index(end) + len(end):]
    else:
        page = page.rstrip() + "\n\n" + "\n".join(lines) + "\n"
    args.report.write_text(page)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--whit", default=str(HERE.parent / "build/release/tools/whit/whit"))
    parser.add_argument("--whit-options", default="", help="more options of `whit bench`, e.g. '--isa avx2'")
    parser.add_argument("--runtimes", nargs="*", default=["litert", "onnxruntime", "openvino"], choices=list(RUNTIMES))
    parser.add_argument("--threads", type=int, nargs="*", default=[1])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2, help="of each runtime and model")
    parser.add_argument("--report", type=pathlib.Path, help="page whose section of this machine is written")
    parser.add_argument("--json", type=pathlib.Path, help="all figures")
    args = parser.parse_args()
    results = []
    for path in args.models:
        for threads in args.threads:
            results.append(measure(args, path, threads))
            print("\n".join(table(results[-1:], args.runtimes)[2:]), flush=True)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    if args.report:
        write_report(args, results)


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "--worker":
        worker(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
