#!/usr/bin/env bash
# Installs components into an empty prefix and builds a foreign project against them, once with
# find_package and once with pkg-config.
set -euo pipefail
build=$1 source=$2 compiler=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for component in base local scope; do
  cmake --install "$build" --prefix "$work/prefix" --component "$component" >/dev/null
done
[ ! -e "$work/prefix/include/carrel/db" ] || { echo "component scope installed the db headers"; exit 1; }

cmake -S "$source/consumer" -B "$work/build" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log" || { cat "$work/log"; exit 1; }
cmake --build "$work/build"
"$work/build/consumer"

PKG_CONFIG_PATH=$(find "$work/prefix" -type d -name pkgconfig)
export PKG_CONFIG_PATH
"$compiler" -std=c++20 "$source/consumer/main.cpp" -o "$work/by_pkgconfig" \
  $(pkg-config --cflags --libs carrel-scope)
"$work/by_pkgconfig"

if cmake -S "$source/consumer" -B "$work/missing" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$work/nowhere" >"$work/log" 2>&1; then
  echo "a consumer was configured without an installed carrel"
  exit 1
fi
