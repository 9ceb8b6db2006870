#!/usr/bin/env bash
# Builds the proofs of docs/layout.md and runs them: exactness, then speed. "run.sh check": exactness only.
set -euo pipefail
cd "$(dirname "$0")"
out=${OUT:-../../build/layout}
mkdir -p "$out"
build() {  # name of the object, source, flags
  g++ -O3 -std=c++20 -Wall -Wextra -ffp-contract=off -fno-tree-reassoc "${@:3}" -c "$2" -o "$out/$1.o"
}
build sse41 tile_sse41.cc -msse4.1
build avx2 tile_avx2.cc -mavx2
build avxvnni tile_avxvnni.cc -mavx2 -mavxvnni
build avx512vnni tile_avx512vnni.cc -mavx2 -mavx512f -mavx512vl -mavx512vnni -Wno-uninitialized
build avxvnni_emulated tile_avxvnni.cc -mavx2 -DWHIT_EMULATE
build avx512vnni_emulated tile_avx512vnni.cc -mavx2 -DWHIT_EMULATE
build bench layout_bench.cc
g++ "$out"/{sse41,avx2,avxvnni,avx512vnni,avxvnni_emulated,avx512vnni_emulated,bench}.o -o "$out/layout_bench"
"$out/layout_bench" check
[ "${1:-}" = check ] || "$out/layout_bench" time
