#!/bin/sh
# Runs the checks of cmake/ on the tree, and proves that they can fail. Usage: layering_test.sh ROOT
set -eu
root=$1
sh "$root/cmake/check_layers.sh" "$root"
sh "$root/cmake/check_schema.sh" "$root"

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

fresh() {
  rm -rf "${copy:?}"/*
  mkdir -p "$copy/examples" "$copy/tools"
  for folder in platform schema kernels runtime; do cp -R "$root/$folder" "$copy/"; done
}

# expect_failure CHECK WHAT: the check must fail on the copy of the tree.
expect_failure() {
  if sh "$root/cmake/$1.sh" "$copy" >/dev/null 2>&1; then
    echo "$1 did not notice: $2"
    exit 1
  fi
}

plant() {
  fresh
  echo "$2" >>"$copy/$1"
  expect_failure check_layers "$1: $2"
}

fresh
sh "$root/cmake/check_layers.sh" "$copy"
plant platform/planted.cc '#include "schema/format.h"'
plant platform/planted.cc '#include <flatbuffers/flatbuffers.h>'
plant schema/planted.h '  #  include "kernels/op.h"'
plant kernels/planted.inl '#include "runtime/plan.h"'
plant kernels/planted.cc '#include "../runtime/plan.h"'
plant runtime/planted.cc '#include "tools/import/import.h"'
plant tools/planted.cc '#include "tests/kernels/op_tester.h"'
plant examples/planted.cc '#include "runtime/whit.h"'
plant runtime/whit.h '#include "kernels/op.h"'
plant platform/status.h '#include <sys/mman.h>'

fresh
sed -i.bak 's/^table SvdfOptions {/&\n  planted_blob: int = -1;/' "$copy/schema/model.fbs"
expect_failure check_schema 'an unchecked blob index'
echo ok
