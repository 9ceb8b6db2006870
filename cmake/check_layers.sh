#!/bin/sh
# The layers point one way: platform <- schema <- kernels <- runtime <- tools, examples. Fails on an include against it, and on
# headers that a layer must not know. Usage: check_layers.sh [ROOT]
set -eu
root=${1:-$(cd "$(dirname "$0")/.." && pwd)}
cd "$root"
failed=0

# complain FOLDER PATTERN WHY: no file of FOLDER may have an include that matches PATTERN.
complain() {
  [ -d "$1" ] || return 0
  found=$(grep -rnE --include='*.h' --include='*.cc' --include='*.c' --include='*.inl' --include='*.inc' \
    "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($2)" "$1" || true)
  [ -z "$found" ] && return 0
  echo "$found" | sed "s|\$|    <- $3|"
  failed=1
}

for folder in platform schema kernels runtime; do
  [ -d "$folder" ] || { echo "check_layers: $root has no folder $folder"; exit 1; }
  complain "$folder" '\.\.?/' 'includes are written from the root of the tree'
done
complain platform '(schema|kernels|runtime|tools|examples|tests)/' 'platform knows no other folder'
complain schema '(kernels|runtime|tools|examples|tests)/' 'schema knows platform only'
complain kernels '(runtime|tools|examples|tests)/' 'kernels know platform and schema only'
complain runtime '(tools|examples|tests)/' 'runtime knows platform, schema and kernels only'
complain tools '(examples|tests)/' 'nobody includes examples or tests'
complain examples '(platform|schema|kernels|runtime|tools|tests)/' 'examples use the public headers alone: <whit/...>'
complain platform 'flatbuffers/' 'platform knows no file format'

# What is installed includes the standard library and its own kind only.
for header in platform/status.h runtime/whit.h runtime/whit_c.h; do
  [ -f "$header" ] || continue
  found=$(grep -nE '^[[:space:]]*#[[:space:]]*include' "$header" | grep -vE '<[a-z_]+(\.h)?>|"whit/[a-z_]+\.h"' || true)
  if [ -n "$found" ]; then
    echo "$header:$found    <- a public header includes the standard library and whit/*.h only"
    failed=1
  fi
done
exit $failed
