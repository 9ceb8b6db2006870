#!/usr/bin/env python3
"""What the compiled loops of the ARM tiers could do, by the models of llvm-mca, for CPUs that are not here.

Tiers are compiled with -DWHIT_MCA, which leaves out what a loop seldom does (WHIT_USUAL of common.inl), so that a loop is one
straight piece. All data in L1. For every loop: its cycles; the bound that the model gives for its instructions alone, without
what they wait for (`bound`: the busiest unit, or the front end) and how near it comes to it; the same for its multiplications
by themselves (`multiplier`). A loop that is near its bound but far from its multiplier is held up by the unit named there.
cortex-a72 (Pi 4) has the model of the A57, cortex-a76 (Pi 5) that of its sibling neoverse-n1, 32-bit code on a Pi 4 the 32-bit
model of the A57; cortex-a53 (Pi 3, Zero 2) has its own, in order."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MCA = "llvm-mca-19"
FLAGS = ("-O3 -DNDEBUG -std=c++20 -ffp-contract=off -fno-tree-reassoc -fno-trapping-math -fno-math-errno -w -DWHIT_MCA -S -o -").split()
ITERATIONS = 200


class Unit:
    """One source file compiled for one CPU. cases: (part of a demangled name, what it is, the least share of its bound)."""

    def __init__(self, tier, source, cpu, cases, march=(), arch="aarch64"):
        self.tier, self.source, self.cpu, self.cases, self.march, self.arch = tier, source, cpu, cases, list(march), arch

    def name(self):
        return f"{self.tier} {self.cpu}" + (" 32-bit" if self.arch == "armv7" else "")


A72 = ["-mtune=cortex-a72"]  # as kernels/CMakeLists.txt has it for this file
DOT, MMLA = ["-march=armv8.2-a+dotprod"], ["-march=armv8.2-a+dotprod+i8mm"]
FLOAT = [("FloatTiles<Neon, 4, 4>", "float product 4x16", 90), ("FloatTiles<Neon, 6, 2>", "float product 6x8", 90),
         ("FloatTiles<Neon, 1, 4>", "float product 1x16", 50), ("FloatTiles<Neon, 1, 8>", "float product 1x32", 90),
         ("FloatDepthwiseChannels<Neon, (TapInput)0>", "float depthwise", 80),
         ("QuantizeFloats<", "floats to codes, hybrid", 75), ("TransformInput<", "Winograd, input", 75),
         ("TransformOutput<", "Winograd, output", 75)]
VECTOR = [("Binary<NeonVector, AddValues, 1, 1, unsigned char>", "8-bit add", 80),
          ("Binary<NeonVector, MulValues, 1, 1, unsigned char>", "8-bit multiply", 80),
          ("RunTableU8(", "8-bit table", 70), ("RunPoolU8(", "8-bit pool", 30), ("RunRowsU8(", "8-bit sums of rows", 25),
          ("RunQuantizeU8(", "float to 8 bit", 75), ("RunDequantizeU8(", "8 bit to float", 20),
          ("RunResizeU8(", "8-bit resize", 80), ("RunSoftmaxU8(", "8-bit softmax", 70), ("RunUnaryF32(", "float function", 45)]
PRODUCT_64 = [("MullTiles<2, 4, true>", "product 2x16", 90), ("MullTiles<1, 4, true>", "product 1x16", 90),
              ("MullTiles<4, 2, true>", "product 4x8", 90), ("MullTiles<2, 4, false>", "product 2x16, -128", 90),
              ("WideTiles<4, 4>", "int16 product 4x16", 90), ("TapUnit::ThreeByThree", "depthwise 3x3", 88)]
PRODUCT_32 = [("MullTiles<2, 4, true>", "product 2x16", 90), ("MullTiles<1, 4, true>", "product 1x16", 80),
              ("MullTiles<3, 2, true>", "product 3x8", 90), ("MullTiles<2, 4, false>", "product 2x16, -128", 90),
              ("WideTiles<2, 4>", "int16 product 2x16", 90), ("TapUnit::ThreeByThree", "depthwise 3x3", 75)]
FLOAT_32 = [("FloatTiles<Neon, 2, 4>", "float product 2x16", 90), ("FloatTiles<Neon, 4, 2>", "float product 4x8", 90),
            ("FloatTiles<Neon, 1, 4>", "float product 1x16", 85)] + FLOAT[4:]
UNITS = [
    Unit("neon", "neon", "cortex-a72", PRODUCT_64, A72),
    Unit("neon", "neon_f32", "cortex-a72", FLOAT),
    Unit("neon", "neon_vector", "cortex-a72", VECTOR),
    # In order: what a round waits for is most of it, and the compiler has ordered it for the others.
    Unit("neon", "neon", "cortex-a53", [(name, what, 35) for name, what, _ in PRODUCT_64], A72),
    Unit("neon_dot", "neon_dot", "neoverse-n1",
         [("DotTiles<Neon, 4, 4>", "product 4x16", 90), ("DotTiles<Neon, 1, 4>", "product 1x16", 88),
          ("DotTiles<Neon, 8, 2>", "product 8x8", 90), ("Stretch<4, 2, 1, 3>", "depthwise 3x3, sums", 90)], DOT),
    Unit("neon_dot", "neon_f32", "neoverse-n1", FLOAT),
    Unit("neon_dot", "neon_vector", "neoverse-n1", VECTOR),
    Unit("neon_i8mm", "neon_i8mm", "neoverse-n2",
         [("MmlaTiles<2, 4, true>", "product 4x16, zipped", 80), ("MmlaTiles<2, 4, false>", "product 4x16", 80),
          ("MmlaTiles<3, 2, true>", "product 6x8, zipped", 80), ("Stretch<4, 2, 1, 3>", "depthwise 3x3, sums", 90)], MMLA),
    Unit("neon", "neon", "cortex-a57", PRODUCT_32, ["-mfpu=neon-vfpv4"], "armv7"),
    Unit("neon", "neon_f32", "cortex-a57", FLOAT_32, ["-mfpu=neon-vfpv4"], "armv7"),
]
COMPILER = {"aarch64": "aarch64-linux-gnu-g++", "armv7": "arm-linux-gnueabihf-g++"}

# ---- assembly ----

MACS_64 = {"smmla": 32, "sdot": 16, "smull": 8, "smull2": 8, "smlal": 8, "smlal2": 8}
MACS_32 = {"vmull.s8": 8, "vmlal.s8": 8, "vmull.s16": 4, "vmlal.s16": 4, "vmla.f32": 4, "vfma.f32": 4}


def macs(line):
    """Multiply-accumulates of an instruction; 16-bit products have half as many as 8-bit ones."""
    words = line.split(None, 1)
    op, operands = words[0], words[1] if len(words) > 1 else ""
    if op in MACS_32:
        return MACS_32[op] // (2 if op.endswith("f32") and operands.startswith("d") else 1)
    if op in ("fmla", "fmul"):
        first = operands.split(",")[0]
        return 4 if op == "fmla" and ".4s" in first else 2 if op == "fmla" and ".2s" in first else 0
    return MACS_64.get(op, 0) // (2 if op.startswith("sm") and op != "smmla" and ".4s" in operands.split(",")[0] else 1)


def functions(text):
    name, body = None, []
    for line in text.splitlines():
        line = re.sub(r"(//|\s@).*", "", line).strip()
        if m := re.match(r"(_Z\w+(?:\.\w+)*):", line):
            name, body = m.group(1), []
        elif name and line.startswith(".size"):
            yield name, body
            name = None
        elif name and line and not re.match(r"[.#](?!L)", line) and not line.startswith("@"):
            body.append(line)


def branch(line):
    m = re.match(r"(?:b|b\.\w+|b[a-z]{2}|cbn?z|tbn?z)\s+(?:.*,\s*)?(\.L\w+)$", line)
    return m.group(1) if m else None


def loops(body):
    """(first, last) of every backward branch."""
    at = {line[:-1]: i for i, line in enumerate(body) if line.startswith(".L")}
    return [(at[to], i) for i, line in enumerate(body) if (to := branch(line)) and at.get(to, i) < i]


def code(lines):
    """Without labels, branches and calls."""
    return [line for line in lines if not line.startswith(".L") and not branch(line) and not re.match(r"bl?x?\s", line)]


def innermost(body):
    found = loops(body)
    return [l for l in found if not any(o != l and l[0] <= o[0] and o[1] <= l[1] for o in found)]


def is_vector(line):
    return bool(re.search(r"\b[vq]\d+(\.|\b)|\bd\d+\b", line))


def is_wide_access(line):
    """A load or store of 16 bytes or more, of the data: not of the stack."""
    return "[sp" not in line and bool(re.match(r"(ldr|str|ldp|stp|ldur|stur)\s+q|(ld|st)[1-4]\s+\{v\d+\.(16b|8h|4s|2d)|vldmia|v(ld|st)1\.\d+\s+\{d\d+-", line))


class Loop:
    """The innermost loop of a function that is densest with multiplications (that moves most whole registers where there are
    none: not the one for the rest of a line), and the rest of the loop around it."""

    def __init__(self, body):
        def density(l):
            lines = code(body[l[0]:l[1]])
            return (sum(map(macs, lines)) / (l[1] - l[0]), sum(map(is_wide_access, lines)), sum(map(is_vector, lines)))
        self.first, self.last = max(innermost(body), key=density)
        self.code = code(body[self.first:self.last + 1])
        around = [l for l in loops(body) if l[0] < self.first and l[1] > self.last]
        self.rest = []
        if around:
            a, b = max(around, key=lambda l: l[1] - l[0])
            self.rest = code(body[a:self.first] + body[self.last + 1:b + 1])
        self.macs = sum(map(macs, self.code))

    def multiplications(self):
        """Its multiplications over many accumulators, eight times over: what their unit takes for them alone."""
        out = []
        for i, line in enumerate([line for line in self.code if macs(line)] * 8):
            op, operands = line.split(None, 1)
            registers = re.sub(r"\bv\d+", "v{}", re.sub(r"\[\d\]", "[0]", operands))
            if "{}" in registers:
                out.append(f"{op} {registers.format(2 + i % 24, 1, 0)}")
            else:  # 32 bit: q4 to q15 as accumulators
                parts = [p.strip() for p in operands.split(",")]
                out.append(f"{op} {parts[0][0]}{4 + i % 12}, " + ", ".join(re.sub(r"\d+", "0", p, count=1) for p in parts[1:]))
        return out


# ---- the model ----

class Model:
    """cycles: of a round; bound: of its instructions alone; busiest: the unit that gives it, or the front end."""

    def __init__(self, region, resources):
        s = region["SummaryView"]
        self.cycles = s["TotalCycles"] / s["Iterations"]
        last = s["Instructions"] // s["Iterations"]
        use = {}
        for item in region["ResourcePressureView"]["ResourcePressureInfo"]:
            if item["InstructionIndex"] == last:
                name = re.sub(r"^(A57Unit|N1Unit|N2Unit|A53Unit|CortexA53Unit)", "", re.sub(r"\.?[^ -~]+$", "", resources[item["ResourceIndex"]]))
                use[name] = max(use.get(name, 0), item["ResourceUsage"])
        front = s["TotaluOps"] / s["Iterations"] / s["DispatchWidth"]
        name, most = max(use.items(), key=lambda item: item[1], default=("", 0))
        self.bound = max(most, front)
        self.busiest = name if most >= front else "front end"

    def share(self):
        return 100 * self.bound / self.cycles


def models(regions, unit):
    """The Model of every list of instructions; None where llvm-mca does not know one of them."""
    mark = "@" if unit.arch == "armv7" else "#"
    text = "".join(f"{mark} LLVM-MCA-BEGIN r{i}\n" + "\n".join(lines) + f"\n{mark} LLVM-MCA-END\n" for i, lines in enumerate(regions) if lines)
    target = ["-mtriple=aarch64", "-mattr=+dotprod,+i8mm"] if unit.arch == "aarch64" else ["-mtriple=armv7", "-mattr=+neon,+vfp4"]
    done = subprocess.run([MCA, *target, f"-mcpu={unit.cpu}", f"-iterations={ITERATIONS}", "-json", "-skip-unsupported-instructions=any"],
                          input=text, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"mca.py: {unit.name()}: {done.stderr.strip()[:500]}")
    report = json.loads(done.stdout, strict=False)
    found = {r["Name"]: Model(r, report["TargetInfo"]["Resources"]) for r in report["CodeRegions"]}
    return [found.get(f"r{i}") for i in range(len(regions))]


def demangled(names):
    text = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True).stdout
    return [re.sub(r"\(anonymous namespace\)::|whit::simd::", "", line) for line in text.splitlines()]


def compiled(source):
    """Bodies of the functions by their names."""
    arch, march, name = source
    done = subprocess.run([COMPILER[arch], *FLAGS, *march, "-I", ROOT, f"{ROOT}/kernels/simd/{name}.cc"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"mca.py: {name}.cc: {done.stderr.strip()[:500]}")
    all_functions = list(functions(done.stdout))
    return dict(zip(demangled([n for n, _ in all_functions]), (b for _, b in all_functions)))


def tables_of(units):
    """The functions of every unit; a source serves several CPUs and is compiled once."""
    source = {unit: (unit.arch, tuple(unit.march), unit.source) for unit in units}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        distinct = list(dict.fromkeys(source.values()))
        made = dict(zip(distinct, pool.map(compiled, distinct)))
    return {unit: made[source[unit]] for unit in units}


def find(table, name, unit):
    for function, body in table.items():
        if name in function and loops(body):
            return Loop(body)
    sys.exit(f"mca.py: {unit.name()}, {unit.source}.cc: no loop in a function '{name}': it has another name now")


# ---- what is printed ----

def rows_of(unit, table):
    picked = [find(table, name, unit) for name, _, _ in unit.cases]
    inner = models([l.code for l in picked], unit)
    alone = models([l.multiplications() for l in picked], unit)
    rest = models([l.rest for l in picked], unit)
    for (_, what, least), loop, m, a, r in zip(unit.cases, picked, inner, alone, rest):
        multiplier = a.cycles / 8 if a and loop.macs else 0
        yield {"tier": unit.tier, "cpu": unit.cpu, "arch": unit.arch, "loop": what, "cycles": m.cycles, "instructions": len(loop.code),
               "bound": m.bound, "busiest": m.busiest, "percent_of_bound": m.share(), "least_percent": least,
               "macs": loop.macs, "macs_per_cycle": loop.macs / m.cycles,
               "percent_of_multiplier": 100 * multiplier / m.cycles if multiplier else None,
               "stack_accesses": sum("[sp" in l or "[x29" in l for l in loop.code), "rest_cycles": r.cycles if r else 0,
               "rest_percent_of_bound": r.share() if r else None}


def print_row(r, seen):
    if (r["tier"], r["cpu"], r["arch"]) != seen:
        print(f"\n{r['tier']}, {r['cpu']}{' 32-bit' if r['arch'] == 'armv7' else ''}\n"
              f"  {'loop':26} {'cycles':>7} {'bound':>6} {'%':>4}  {'by':10} {'MAC/cycle':>9} {'multiplier %':>12} {'stack':>5} {'rest':>6} {'%':>4}")
    multiplier = f"{r['percent_of_multiplier']:12.0f}" if r["percent_of_multiplier"] is not None else f"{'':12}"
    rest = f"{r['rest_cycles']:6.1f} {r['rest_percent_of_bound']:4.0f}" if r["rest_cycles"] else ""
    print(f"  {r['loop']:26} {r['cycles']:7.1f} {r['bound']:6.1f} {r['percent_of_bound']:4.0f}  {r['busiest']:10} "
          f"{r['macs_per_cycle']:9.2f} {multiplier} {r['stack_accesses']:5} {rest}")
    return r["tier"], r["cpu"], r["arch"]


def print_all(unit, table):
    """Every innermost loop with a vector instruction."""
    picked = [(name, code(body[a:b + 1])) for name, body in table.items() for a, b in innermost(body)]
    picked = [(name, lines) for name, lines in picked if sum(map(is_vector, lines)) >= 3]
    print(f"\n{unit.name()}, {unit.source}.cc")
    for (name, lines), m in zip(picked, models([lines for _, lines in picked], unit)):
        if m:
            print(f"  {m.share():4.0f} %  {m.cycles:7.1f} cycles, bound {m.bound:6.1f} ({m.busiest}), {sum(map(macs, lines)) / m.cycles:6.2f} MAC/cycle  {name[:110]}")


# ---- a whole network ----

def pointwise():
    """(rows, k, n) of MobileNetV2's 1x1 layers, and (outputs, channels) of its depthwise ones."""
    size, cin, products, depthwise = 112, 32, [], []
    for t, c, repeat, s in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(repeat):
            wide = cin * t
            if t > 1:
                products.append((size * size, cin, wide))
            size //= s if i == 0 else 1
            depthwise.append((size * size, wide))
            products.append((size * size, wide, c))
            cin = c
    return products + [(49, 320, 1280)], depthwise


# Tier, source, CPU of the model, board, clock in GHz, bytes of weights from memory in GB/s.
BOARDS = [("neon", "neon", "cortex-a53", "Pi Zero 2 (A53)", 1.0, 1.0), ("neon", "neon", "cortex-a53", "Pi 3 (A53)", 1.2, 1.5),
          ("neon", "neon", "cortex-a72", "Pi 4 (A72)", 1.8, 3.0), ("neon_dot", "neon_dot", "neoverse-n1", "Pi 5 (A76)", 2.4, 8.0)]
WEIGHT_BYTES = 3.5e6


def network(tables):
    products, depthwise = pointwise()
    out = []
    for tier, source, cpu, board, ghz, gbs in BOARDS:
        unit = next(u for u in UNITS if (u.tier, u.source, u.cpu) == (tier, source, cpu))
        table = tables[unit]
        tile, taps = find(table, unit.cases[0][0], unit), find(table, unit.cases[-1][0], unit)
        inner, rest, tap, tap_rest = models([tile.code, tile.rest, taps.code, taps.rest or ["nop"]], unit)
        rows = {"neon": 2, "neon_dot": 4}[tier]
        round_k = tile.macs // (rows * 16)
        tiles = lambda m, k, n: -(-m // rows) * (n / 16) * (rest.cycles + inner.cycles * -(-k // round_k))
        # neon: two outputs a round. Dot products: eight (4 of 2 lines), whose other three loops are straight in `rest`, and a
        # column interleaved for two of them: 8 zips at two a cycle, 4 stores.
        per_output = tap.cycles / 2 if tier == "neon" else (tap.cycles + tap_rest.cycles) / 8 + 4
        cycles = {"1x1": sum(tiles(*p) for p in products), "first 3x3": tiles(112 * 112, 36, 32),
                  "depthwise": sum(n * (c / 16) * per_output for n, c in depthwise)}
        ms = {name: c / ghz / 1e6 for name, c in cycles.items()}
        ms["weights from memory"] = WEIGHT_BYTES / gbs / 1e6
        out.append({"board": board, "tier": tier, "ghz": ghz, "memory_gb_s": gbs, "ms": sum(ms.values()), "parts_ms": ms})
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="Example:\n  bench/mca.py --network\n\n" + "\n".join(__doc__.splitlines()[2:]),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="store_true", help="add up the layers of MobileNetV2 (224 x 224, 300 M MAC) to a time on one core")
    parser.add_argument("--all", action="store_true", help="every innermost loop of every file instead")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--check", action="store_true", help="fail where a loop is below its share; 77 where a program is missing")
    args = parser.parse_args()
    missing = [program for program in (MCA, "c++filt", *COMPILER.values()) if shutil.which(program) is None]
    if missing:
        print(f"mca: SKIPPED, not installed: {', '.join(missing)}")
        sys.exit(77 if args.check else 1)
    tables, rows, seen = tables_of(UNITS), [], None
    for unit in UNITS:
        if args.all:
            print_all(unit, tables[unit])
            continue
        for row in rows_of(unit, tables[unit]):
            rows.append(row)
            if not args.json:
                seen = print_row(row, seen)
    if args.all:
        return
    boards = network(tables) if args.network else []
    if args.json:
        print(json.dumps({"loops": rows, "boards": boards}))
    for b in boards if not args.json else []:
        parts = ", ".join(f"{name} {ms:.2f}" for name, ms in b["parts_ms"].items())
        print(f"\nMobileNetV2 8 bit, one core, {b['board']} at {b['ghz']} GHz, {b['tier']}: {b['ms']:.1f} ms: {parts} (at {b['memory_gb_s']} GB/s)")
    low = [r for r in rows if r["percent_of_bound"] < r["least_percent"]]
    for r in low if args.check else []:
        print(f"below its share: {r['tier']} {r['cpu']} {r['arch']} {r['loop']}: {r['percent_of_bound']:.0f} % of its bound, at least {r['least_percent']}")
    if args.check and low:
        sys.exit(1)


if __name__ == "__main__":
    main()
