#!/usr/bin/env python3
"""MACs a cycle of the compiled inner loops by llvm-mca, for CPUs that are not here. Usage: mca.py (wants g++, llvm-mca-19)

Takes from each function the loop with most multiplications, and prints what the model says beside the limit of the multipliers
and the number of accesses to the stack in the loop. Everything is in L1, the epilogue is apart.
"""
import os
import re
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
COMMON = ["-O3", "-std=c++20", "-ffp-contract=off", "-fno-tree-reassoc", "-w", "-S", "-o", "-"]
# source, flags, function (part of the mangled name), loop index among those with multiplications, MACs of a round,
# what it is, [(cpu, MACs a cycle the multipliers could do)]
CASES = [
    ("tile_sse41.cc", ["-msse4.1"], "RowsILi2ELi4ELi64", 0, 256, "SSE4.1 2x16 pairs", ["silvermont", "nehalem", "skylake", "znver3"]),
    ("tile_sse41.cc", ["-msse4.1"], "RowsILi2ELi4ELi64", 1, 128, "SSE4.1 2x16 singles", ["silvermont", "nehalem", "skylake", "znver3"]),
    ("tile_sse41.cc", ["-msse4.1"], "RowsILi2ELi4ELi64", 2, 128, "SSE4.1 2x16 wides", ["silvermont", "nehalem", "skylake", "znver3"]),
    ("tile_sse41.cc", ["-msse4.1"], "RowsILi4ELi2ELi64", 0, 256, "SSE4.1 4x8 pairs", ["silvermont", "nehalem", "skylake", "znver3"]),
    ("tile_avx2.cc", ["-mavx2"], "RowsILi4ELi2ELi64", 0, 512, "AVX2 4x16 pairs", ["haswell", "skylake", "alderlake", "znver3"]),
    ("tile_avx2.cc", ["-mavx2"], "RowsILi4ELi2ELi64", 1, 256, "AVX2 4x16 singles", ["haswell", "skylake", "alderlake", "znver3"]),
    ("tile_avx2.cc", ["-mavx2"], "RowsILi4ELi2ELi64", 2, 256, "AVX2 4x16 wides", ["haswell", "skylake", "alderlake", "znver3"]),
    ("tile_avxvnni.cc", ["-mavx2", "-mavxvnni"], "RowsILi6ELi2E", 0, 384, "AVX-VNNI 6x16", ["alderlake", "sapphirerapids", "znver4"]),
    ("tile_avxvnni.cc", ["-mavx2", "-mavxvnni"], "RowsILi12ELi1E", 0, 384, "AVX-VNNI 12x8", ["alderlake", "sapphirerapids", "znver4"]),
    ("tile_avxvnni.cc", ["-mavx2", "-mavxvnni"], "OneRowILi2E", 0, 256, "AVX-VNNI one row", ["alderlake", "sapphirerapids", "znver4"]),
    ("tile_avx512vnni.cc", ["-mavx2", "-mavx512f", "-mavx512vl", "-mavx512vnni"], "full.*RowsILi8ELi2E", 0, 1024, "AVX512-VNNI 8x32", ["icelake-server", "sapphirerapids"]),
    ("tile_avx512vnni.cc", ["-mavx2", "-mavx512f", "-mavx512vl", "-mavx512vnni"], "full.*RowsILi12ELi1E", 0, 768, "AVX512-VNNI 12x16", ["icelake-server", "sapphirerapids"]),
    ("tile_avx512vnni.cc", ["-mavx2", "-mavx512f", "-mavx512vl", "-mavx512vnni"], "half.*RowsILi12ELi1E", 0, 384, "AVX512-VNNI ymm 12x8", ["icelake-server", "sapphirerapids"]),
    ("tile_avx512vnni.cc", ["-mavx2", "-mavx512f", "-mavx512vl", "-mavx512vnni"], "full.*OneRowILi1E", 0, 256, "AVX512-VNNI one row", ["icelake-server", "sapphirerapids"]),
]
MULTIPLY = re.compile(r"\b(v?pmaddubsw|v?pmaddwd|vpdpbusd)\b")


def functions(text):
    name, body = None, []
    for line in text.splitlines():
        m = re.match(r"(_Z[\w.]+):", line)
        if m:
            name, body = m.group(1), []
        elif name and ".cfi_endproc" in line:
            yield name, body
            name = None
        elif name:
            body.append(line)


def loops(body):
    """Innermost backward branches that contain multiplications, in order."""
    at = {m.group(1): i for i, l in enumerate(body) if (m := re.match(r"(\.L\w+):", l))}
    found = []
    for i, line in enumerate(body):
        m = re.match(r"\s+j\w+\s+(\.L\w+)", line)
        if not m or at.get(m.group(1), i) >= i:
            continue
        part = body[at[m.group(1)] + 1:i + 1]
        if any(re.match(r"\s+j", l) for l in part[:-1]):
            continue
        code = [l for l in part if l.startswith("\t") and not re.match(r"\t[.#]", l)]
        if any(MULTIPLY.search(l) for l in code):
            found.append(code)
    return found


def mca(code, cpu, extra=()):
    with tempfile.NamedTemporaryFile("w", suffix=".s") as f:
        f.write("\n".join(code) + "\n")
        f.flush()
        out = subprocess.run(["llvm-mca-19", "-mtriple=x86_64", f"-mcpu={cpu}", "-iterations=200", *extra, f.name],
                             capture_output=True, text=True)
    if out.returncode:
        return None
    return float(re.search(r"Total Cycles:\s+(\d+)", out.stdout).group(1)) / 200


def main():
    cache = {}
    print(f"{'tile':24} {'cpu':15} {'MAC/cycle':>9} {'bound':>6} {'%':>4}  {'cycles':>6} multiplications instructions stack")
    for source, flags, function, index, macs, name, cpus in CASES:
        key = (source, tuple(flags))
        if key not in cache:
            text = subprocess.run(["g++", *COMMON, *flags, os.path.join(HERE, source)], capture_output=True, text=True, check=True).stdout
            cache[key] = list(functions(text))
        found = next((loops(b) for n, b in cache[key] if re.search(function, n)), [])
        if index >= len(found):
            print(f"{name:24} loop not found ({len(found)})")
            continue
        code = found[index]
        mul = [l for l in code if MULTIPLY.search(l)]
        stack = sum("(%rsp)" in l or "(%rbp)" in l for l in code)
        # The bound: the same multiplications without memory or anything else, repeated over as many accumulators as there are.
        wide = "zmm" if any("zmm" in l for l in mul) else "ymm" if any("ymm" in l for l in mul) else "xmm"
        accs = 28 if wide == "zmm" else 14
        alone = []
        repeat = accs
        for i, l in enumerate(mul * repeat):
            op = MULTIPLY.search(l).group(1)
            acc, x, y = f"%{wide}{i % accs}", f"%{wide}{accs}", f"%{wide}{accs + 1}"
            vex = "{vex} " if "{vex}" in l else ""
            alone.append(f"\t{vex}{op}\t{x}, {y}, {acc}" if op.startswith("v") else f"\t{op}\t{x}, {acc}")
        for cpu in cpus:
            cycles, least = mca(code, cpu), mca(alone, cpu)
            least = least and least / repeat
            if cycles is None or least is None:
                print(f"{name:24} {cpu:15} no model of these instructions")
                continue
            print(f"{name:24} {cpu:15} {macs / cycles:9.1f} {macs / least:6.0f} {100 * least / cycles:4.0f}  {cycles:6.1f} "
                  f"{len(mul):15} {len(code):12} {stack:5}")


main()
