#!/bin/sh
# cmake/check_network.sh over the device libraries, and proof that it can fail.
# Usage: network_test.sh SOURCE_DIR COMPILER LIBRARY...
set -eu
check=$1/cmake/check_network.sh compiler=$2
shift 2
command -v nm >/dev/null || { echo "network: skipped, there is no nm"; exit 77; }
sh "$check" "$@"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '#include <sys/socket.h>\nint f() { return socket(AF_INET, SOCK_STREAM, 0); }\n' >"$scratch/f.cc"
"$compiler" -c "$scratch/f.cc" -o "$scratch/f.o"
if sh "$check" "$scratch/f.o" >/dev/null; then echo "an object that opens a socket passed"; exit 1; fi
echo "no network in: $*"
