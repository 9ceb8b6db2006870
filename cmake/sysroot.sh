#!/bin/sh
# Unpacks Debian packages of another architecture, with what they depend on, into a folder to link against. Uses the machine's
# own apt sources with a state of its own: no root, no `dpkg --add-architecture`, nothing of the machine changes. (Installing
# them side by side does not work: libxnnpack-dev, libpthreadpool-dev and libcpuinfo-dev of two architectures break each other.)
# A folder that has these packages already is left alone. WHIT_APT_SOURCES names another list of sources (Ubuntu has its ARM
# packages elsewhere). Usage: sysroot.sh ARCH FOLDER PACKAGE...
#   sysroot.sh arm64 build/sysroot-arm64 libxnnpack-dev libstdc++6
set -eu
[ $# -ge 3 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 1; }
arch=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd -P)
shift 2

wanted="$arch $*"
if [ "$(cat "$folder/.unpacked" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
rm -f "$folder/.unpacked"
state=$folder/.apt
log=$folder/.log
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$folder/.debs/partial"
sources=
[ -z "${WHIT_APT_SOURCES:-}" ] || sources="-o Dir::Etc::SourceList=$WHIT_APT_SOURCES -o Dir::Etc::SourceParts=/dev/null"
run_apt() {
  # shellcheck disable=SC2086
  apt-get $sources -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::State::Lists="$state/lists" \
    -o Dir::Cache="$state/cache" -o Dir::Cache::archives="$folder/.debs" -o Dir::State::status=/dev/null \
    -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1 -qq "$@" >>"$log" 2>&1
}
fail() {
  grep '^[EW]:' "$log" | tail -n 8 >&2
  echo "sysroot: $1 (all apt said: $log)" >&2
  exit 1
}
: >"$log"
run_apt update || echo "sysroot: some package lists could not be refreshed, trying with those at hand" >&2
run_apt --no-install-recommends -y --download-only install "$@" || fail "cannot get the packages of $arch: $*"
count=0
for deb in "$folder"/.debs/*.deb; do
  dpkg -x "$deb" "$folder" || fail "cannot unpack $deb"
  count=$((count + 1))
done
rm -rf "$folder/.debs"
# Absolute links lead out of the folder: make them relative to it.
find "$folder/" -type l -lname '/*' | while read -r link; do
  target=$(readlink "$link")
  ln -snf "$folder$target" "$link"
done
printf '%s' "$wanted" >"$folder/.unpacked"
echo "sysroot: $count packages of $arch in $folder"
