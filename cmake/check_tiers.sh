#!/bin/sh
# An object compiled for one instruction-set tier must not define a weak symbol: the linker may take any object's copy of an
# inline function or a template, and a CPU without those instructions would then die in code that every tier calls. The only
# symbols seen from outside are its tables. Usage: check_tiers.sh OBJECT...
set -eu
[ $# -gt 0 ] || { echo "check_tiers: no object files"; exit 1; }
failed=0
for object in "$@"; do
  weak=$(nm "$object" | awk '$(NF-1) ~ /^[WVu]$/ {print $NF}')
  functions=$(nm "$object" | awk '$(NF-1) == "T" {print $NF}')
  for symbol in $weak; do
    echo "$object: weak symbol $(c++filt "$symbol"): put it into the anonymous namespace"
    failed=1
  done
  for symbol in $functions; do
    echo "$object: function $(c++filt "$symbol") is seen from outside: only tables are"
    failed=1
  done
done
exit $failed
