#!/bin/sh
# Runs cmake/check_tiers.sh on the objects of the tiers, and proves that it can fail.
# Usage: tier_objects_test.sh ROOT COMPILER OBJECTS, a list with semicolons; those of simd/<tier>*.cc are looked at
set -eu
root=$1 compiler=$2
tiers=$(printf '%s\n' "$3" | tr ';' '\n' | grep -E '/simd/(sse41|avx|neon)[a-z0-9_]*\.cc\.o$' || true)
if [ -z "$tiers" ]; then
  echo "no tier objects in this build: nothing checked"
  exit 77
fi
# shellcheck disable=SC2086
sh "$root/cmake/check_tiers.sh" $tiers

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
expect_failure() {
  printf '%s\n' "$2" >"$folder/planted.cc"
  "$compiler" -O0 -c "$folder/planted.cc" -o "$folder/planted.o"
  if sh "$root/cmake/check_tiers.sh" "$folder/planted.o" >/dev/null; then
    echo "check_tiers did not notice $1"
    exit 1
  fi
}
expect_failure 'an inline function' 'inline int f() { return 1; } const int* p; int g = f();'
expect_failure 'a template' 'template <class T> T f() { return 1; } static int g = f<int>();'
expect_failure 'an outside function' 'void f() {}'
echo "checked: $(printf '%s\n' "$tiers" | sed 's|.*/simd/||; s|\.cc\.o$||' | tr '\n' ' ')"
