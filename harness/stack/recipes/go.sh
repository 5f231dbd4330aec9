#!/bin/sh
# The Go toolchain in an environment of its own: OUT/bin/go.
#
# In:  OUT     folder to fill, with go.lock in it
#      PYTHON  Python >= 3.11
set -eu
"$PYTHON" -m venv "$OUT"
"$OUT/bin/pip" install --disable-pip-version-check --require-hashes --only-binary :all: --requirement "$OUT/go.lock"
"$OUT/bin/go" version
