#!/bin/sh
# Builds cargo-nextest: OUT/bin/cargo-nextest, which is kept by its digest.
#
# In:  OUT      folder to fill
#      CARGO    cargo
#      VERSION  version of cargo-nextest
set -eu
# Not in the target folder of the project that asks for it.
export CARGO_TARGET_DIR="$OUT/work"
cd "$OUT"
"$CARGO" install cargo-nextest --locked --version "$VERSION" --root "$OUT"
rm -rf "$OUT/work"
