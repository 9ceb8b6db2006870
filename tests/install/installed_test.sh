#!/bin/sh
# installed_test.sh CMAKE SOURCE BUILD: installs BUILD into a scratch folder and is its user.
set -eu
cmake=$1 source=$2 build=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

quietly() {
  "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; echo "failed: $*"; exit 1; }
}

build_against_installed() {  # SOURCE_FOLDER BUILD_FOLDER
  quietly "$cmake" -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$scratch/prefix"
  quietly "$cmake" --build "$2"
}

expect() {  # WORDS TEXT
  case $2 in
    *"$1"*) ;;
    *) echo "expected '$1' in: $2"; exit 1 ;;
  esac
}

quietly "$cmake" --install "$build" --prefix "$scratch/prefix"
whit=$scratch/prefix/bin/whit
quietly "$whit" import "$source/examples/classify/digits.tflite" -o "$scratch/digits.whit"
picture=$source/examples/classify/pictures/digit_7_a.png
labels=$source/examples/classify/digits.labels.txt

# The sample, copied out of the tree so that nothing of the tree can help it.
mkdir "$scratch/sample"
cp "$source"/examples/classify/CMakeLists.txt "$source"/examples/classify/classify.c* "$scratch/sample/"
build_against_installed "$scratch/sample" "$scratch/sample-build"
expect "seven" "$("$scratch/sample-build/classify" "$scratch/digits.whit" "$picture" "$labels" | head -n 1)"
expect "class 7" "$("$scratch/sample-build/classify_c" "$scratch/digits.whit" "$picture")"

# The first C++ block of the README is a program, and the first CMake block builds it.
mkdir "$scratch/readme"
block() { awk -v fence="\`\`\`$1" '$0 == fence {on = 1; next} /^```/ && on {exit} on' "$source/README.md"; }
block cpp >"$scratch/readme/main.cc"
{
  echo "cmake_minimum_required(VERSION 3.25)"
  echo "project(readme LANGUAGES CXX)"
  block cmake
} >"$scratch/readme/CMakeLists.txt"
build_against_installed "$scratch/readme" "$scratch/readme-build"
expect "class" "$(cd "$scratch" && readme-build/app digits.whit)"
