#!/usr/bin/env bash
# Installs each driver that speaks to a server into an empty prefix, builds a foreign project against
# it, with find_package and with pkg-config, and lets that ask a server over TLS.
set -euo pipefail
build=$1 source=$2 compiler=$3 servers=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$servers/servers.env"

check() {
  local driver=$1 port=$2 authority=$3 prefix=$work/$1/prefix
  for component in base db "$driver"; do
    cmake --install "$build" --prefix "$prefix" --component "$component" >/dev/null
  done

  cmake -S "$source/database_consumer" -B "$work/$driver/build" -G Ninja -DDRIVER="$driver" \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" ||
    { cat "$work/log"; exit 1; }
  cmake --build "$work/$driver/build"
  "$work/$driver/build/consumer" "$port" "$PASSWORD" "$authority"

  PKG_CONFIG_PATH=$(find "$prefix" -type d -name pkgconfig)
  export PKG_CONFIG_PATH
  "$compiler" -std=c++20 -DCONSUMER_"${driver^^}" "$source/database_consumer/main.cpp" \
    -o "$work/$driver/by_pkgconfig" $(pkg-config --cflags --libs "carrel-$driver")
  "$work/$driver/by_pkgconfig" "$port" "$PASSWORD" "$authority"
}

check postgres "$TLS_POSTGRES_PORT" "$TLS_POSTGRES_DIR/tls/authority.pem"
check mariadb "$TLS_MARIADB_PORT" "$TLS_MARIADB_DIR/tls/authority.pem"
