#!/usr/bin/env python3
"""What the compiled loops of the ARM tiers could do, by the models of llvm-mca, for CPUs that are not here.

Usage: mca.py [--network]    (wants aarch64-linux-gnu-g++ and llvm-mca-19)

Tiers are compiled with -DWHIT_MCA, which leaves out what a loop seldom does (WHIT_USUAL of common.inl), so that a loop is one
straight piece. Printed beside what the model gives: what the same multiplications alone would take. All data in L1.
cortex-a72 (Pi 4) has the model of the A57, cortex-a76 (Pi 5) that of its sibling neoverse-n1.
--network adds up the layers of MobileNetV2 (224 x 224, 300 M multiply-accumulates) to a time on one core.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FLAGS = ("-O3 -DNDEBUG -std=c++20 -ffp-contract=off -fno-tree-reassoc -fno-trapping-math -fno-math-errno -w -DWHIT_MCA -S -o -").split()
MARCH = {"neon": [], "neon_dot": ["-march=armv8.2-a+dotprod"], "neon_i8mm": ["-march=armv8.2-a+dotprod+i8mm"]}
CPU = {"neon": "cortex-a72", "neon_dot": "neoverse-n1", "neon_i8mm": "neoverse-n2"}
GHZ = {"neon": 1.8, "neon_dot": 2.4}  # Pi 4, Pi 5
# Function (of the demangled name), what it is.
CASES = {
    "neon": [("MullTiles<2, 4, true>", "product 2x16"), ("MullTiles<1, 4, true>", "product 1x16"),
             ("MullTiles<4, 2, true>", "product 4x8"), ("MullTiles<2, 4, false>", "product 2x16, -128"),
             ("WideTiles<4, 4>", "int16 product 4x16"),
             ("TapUnit::ThreeByThree", "depthwise 3x3 with all")],
    "neon_dot": [("DotTiles<Neon, 4, 4>", "product 4x16"), ("DotTiles<Neon, 1, 4>", "product 1x16"),
                 ("DotTiles<Neon, 8, 2>", "product 8x8"), ("Stretch<4, 2, 1, 3>", "depthwise 3x3, sums")],
    "neon_i8mm": [("MmlaTiles<2, 4, true>", "product 4x16, zipped"), ("MmlaTiles<2, 4, false>", "product 4x16"),
                  ("MmlaTiles<3, 2, true>", "product 6x8, zipped"), ("Stretch<4, 2, 1, 3>", "depthwise 3x3, sums")],
}
MACS = {"smmla": 32, "sdot": 16, "smull": 8, "smull2": 8, "smlal": 8, "smlal2": 8}


def macs(line):
    """Multiply-accumulates of an instruction; 16-bit products have half as many."""
    op = line.split()[0]
    return MACS.get(op, 0) // (2 if op.startswith("sml") and ".4s" in line.split(",")[0] else 1)


def functions(text):
    name, body = None, []
    for line in text.splitlines():
        line = re.sub(r"//.*", "", line).strip()
        if m := re.match(r"(_Z\w+):", line):
            name, body = m.group(1), []
        elif name and line.startswith(".size"):
            yield name, body
            name = None
        elif name and line and not re.match(r"[.#](?!L)", line):
            body.append(line)


def branch(line):
    m = re.match(r"(?:b|b\.\w+|b[a-z]{2}|cbn?z|tbn?z)\s+(?:.*,\s*)?(\.L\w+)$", line)
    return m.group(1) if m else None


def loops(body):
    """(first, last) of every backward branch."""
    at = {line[:-1]: i for i, line in enumerate(body) if line.startswith(".L")}
    return [(at[to], i) for i, line in enumerate(body) if (to := branch(line)) and at.get(to, i) < i]


def code(lines):
    """Without labels and branches."""
    return [line for line in lines if not line.startswith(".L") and not branch(line)]


def cycles(lines, cpu):
    out = subprocess.run(["llvm-mca-19", "-mtriple=aarch64", "-mattr=+dotprod,+i8mm", f"-mcpu={cpu}", "-iterations=200"],
                         input="\n".join(lines) + "\n", capture_output=True, text=True, check=True).stdout
    return int(re.search(r"Total Cycles:\s+(\d+)", out).group(1)) / 200


def alone(lines, cpu):
    """Cycles of the multiplications without anything else, over many accumulators."""
    ops = [line.split()[0] for line in lines if macs(line)]
    forms = {line.split()[0]: re.sub(r"\bv\d+", "v{}", line.split(None, 1)[1]) for line in lines if macs(line)}
    text = []
    for i, op in enumerate(ops * 8):
        registers = re.sub(r"\[\d\]", "[0]", forms[op])
        text.append(f"{op} {registers.format(2 + i % 24, 1, 0)}")
    return cycles(text, cpu) / 8


def demangled(names):
    text = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True).stdout
    return [re.sub(r"\(anonymous namespace\)::|whit::simd::", "", line) for line in text.splitlines()]


class Loop:
    """The innermost loop of a function that is densest with multiplications, and the rest of the loop around it."""

    def __init__(self, body):
        found = loops(body)
        inner = [l for l in found if not any(o != l and l[0] <= o[0] and o[1] <= l[1] for o in found)]
        self.first, self.last = max(inner, key=lambda l: sum(map(macs, code(body[l[0]:l[1]]))) / (l[1] - l[0]))
        self.code = code(body[self.first:self.last + 1])
        around = [l for l in found if l[0] < self.first and l[1] > self.last]
        self.rest = []
        if around:
            a, b = max(around, key=lambda l: l[1] - l[0])
            self.rest = code(body[a:self.first] + body[self.last + 1:b + 1])
        self.macs = sum(map(macs, self.code))


def compiled(tier):
    text = subprocess.run(["aarch64-linux-gnu-g++", *FLAGS, *MARCH[tier], "-I", ROOT, f"{ROOT}/kernels/simd/{tier}.cc"],
                          capture_output=True, text=True, check=True).stdout
    all_functions = list(functions(text))
    return dict(zip(demangled(n for n, _ in all_functions), (b for _, b in all_functions)))


def find(table, name):
    return next((Loop(b) for n, b in table.items() if name in n and loops(b)), None)


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


def network(tier, table, ghz):
    cpu, tile = CPU[tier], find(table, CASES[tier][0][0])
    rows = {"neon": 2, "neon_dot": 4, "neon_i8mm": 4}[tier]
    round_k = tile.macs // (rows * 16)
    inner, rest = cycles(tile.code, cpu), cycles(tile.rest, cpu)
    tiles = lambda m, k, n: -(-m // rows) * (n / 16) * (rest + inner * -(-k // round_k))
    products, depthwise = pointwise()
    total = {"1x1": sum(tiles(*p) for p in products), "first 3x3": tiles(112 * 112, 36, 32)}
    loop = find(table, CASES[tier][-1][0])
    # neon: two outputs a round. Dot products: eight (4 of 2 lines), whose other three loops are straight in `rest`, and a column
    # interleaved for two of them: 8 zips at two a cycle, 4 stores.
    if tier == "neon":
        per_output = cycles(loop.code, cpu) / 2
    else:
        per_output = (cycles(loop.code, cpu) + cycles(loop.rest, cpu)) / 8 + 4
    total["depthwise"] = sum(n * (c / 16) * per_output for n, c in depthwise)
    ms = {name: c / ghz / 1e6 for name, c in total.items()}
    ms["weights of the last layer at 4 GB/s"] = 1.28e6 / 4e6
    print(f"MobileNetV2, {tier} at {ghz} GHz: {sum(ms.values()):.1f} ms: " + ", ".join(f"{n} {v:.2f}" for n, v in ms.items()))


def main():
    print(f"{'tier':10} {'loop':24} {'cpu':12} {'MAC/cycle':>9} {'alone':>6} {'%':>4} {'cycles':>7} {'instr':>6} {'stack':>6} {'rest':>6}")
    for tier, cases in CASES.items():
        table = compiled(tier)
        for name, what in cases:
            loop = find(table, name)
            if loop is None:
                print(f"{tier:10} {what:24} loop not found")
                continue
            cpu = CPU[tier]
            c, least = cycles(loop.code, cpu), alone(loop.code, cpu)
            stack = sum("[sp" in l or "[x29" in l for l in loop.code)
            rest = f"{cycles(loop.rest, cpu):6.1f}" if loop.rest else ""
            print(f"{tier:10} {what:24} {cpu:12} {loop.macs / c:9.2f} {loop.macs / least:6.1f} {100 * least / c:4.0f} {c:7.1f} "
                  f"{len(loop.code):6} {stack:6} {rest:>6}")
        if "--network" in sys.argv and tier in GHZ:
            network(tier, table, GHZ[tier])


main()
