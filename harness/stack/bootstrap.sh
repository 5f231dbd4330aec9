#!/bin/sh
# What must be there before the crate can be compiled: cargo, a C linker, protoc. Only a missing protoc is installed.
set -eu

# The least Rust that Cargo.toml states.
needed=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$(dirname "$0")/../../Cargo.toml")
problems=
problem() { problems="$problems
- $1
  remedy: $2"; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The build script of containerd-client runs protoc and needs the standard definitions, which Debian packs apart.
protoc_works() {
  printf 'syntax = "proto3"; import "google/protobuf/any.proto"; message M { google.protobuf.Any any = 1; }\n' > "$scratch/m.proto"
  "${PROTOC:-protoc}" -I "$scratch" ${PROTOC_INCLUDE:+-I "$PROTOC_INCLUDE"} -o /dev/null "$scratch/m.proto" 2> /dev/null
}

found=$(cargo --version 2> /dev/null | cut -d ' ' -f 2) || found=
if [ -z "$found" ]; then
  problem "cargo is not on PATH" "install Rust $needed or newer: rustup default stable"
elif [ "$(printf '%s\n' "$needed" "$found" | sort -V | head -n 1)" != "$needed" ]; then
  problem "cargo is $found, needed is $needed or newer" "rustup update stable"
fi
command -v cc > /dev/null || problem "no C linker (cc)" "sudo apt-get install -y --no-install-recommends gcc libc6-dev"

install="apt-get install -y --no-install-recommends protobuf-compiler libprotobuf-dev"
if ! protoc_works; then
  as_root=
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  if [ -n "${PROTOC:-}" ]; then
    problem "PROTOC=$PROTOC does not run or lacks google/protobuf/any.proto" "unset PROTOC, or: export PROTOC_INCLUDE=<folder with google/protobuf>"
  elif ! command -v apt-get > /dev/null; then
    problem "no working protoc, and no apt-get to install it with" "install protoc with this system's package manager, or: export PROTOC=<its path>"
  elif [ -n "$as_root" ] && ! sudo -n true 2> /dev/null; then
    problem "no working protoc, and installing it needs root" "sudo $install"
  elif [ -n "$problems" ]; then
    problem "no working protoc" "sudo $install"
  else
    echo "bootstrap: no working protoc; installing Debian's protobuf-compiler and libprotobuf-dev" >&2
    # shellcheck disable=SC2086
    { $as_root apt-get update; $as_root env DEBIAN_FRONTEND=noninteractive $install; } > "$scratch/log" 2>&1 && protoc_works || {
      tail -n 20 "$scratch/log" >&2
      problem "the protoc that was installed does not work, or could not be installed (see above)" "sudo apt-get update && sudo $install"
    }
  fi
fi

[ -z "$problems" ] || { echo "bootstrap: the harness cannot be compiled here:$problems" >&2; exit 1; }
