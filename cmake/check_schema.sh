#!/bin/sh
# Every index and every list in an operator's options must be checked by schema/validate_options.cc, else a file could name
# a blob that does not exist. Usage: check_schema.sh [ROOT]
set -eu
root=${1:-$(cd "$(dirname "$0")/.." && pwd)}
fields=$(sed -n '/^\/\/ ---- operators ----/,/^union Options/p' "$root/schema/model.fbs" | sed 's,//.*,,' |
  grep -oE '[a-z_0-9]+: *(int *= *-1|\[[A-Za-z]+\])' | sed 's/:.*//' | sort -u)
[ -n "$fields" ] || { echo "check_schema: found no option tables in $root/schema/model.fbs"; exit 1; }
missing=0
for field in $fields; do
  case $field in inputs | outputs | sources) continue ;; esac  # of Operator itself: validate.cc
  if ! grep -qE "\(${field}[,)]" "$root/schema/validate_options.cc"; then
    echo "schema/validate_options.cc does not check the field '$field' of schema/model.fbs"
    missing=1
  fi
done
exit $missing
