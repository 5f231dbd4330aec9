#!/bin/sh
# WorkerBee in an environment of its own: OUT/bin/workerbee; OUT/wheels with what images are made with and no index has
# as a wheel.
#
# In:  OUT     folder to fill, with workerbee.lock and build.lock in it
#      PYTHON  Python >= 3.11
set -eu
# No setting of the user's decides what is installed.
export PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_REQUIRE_HASHES=1
"$PYTHON" -m venv "$OUT"
"$OUT/bin/pip" install --only-binary :all: --requirement "$OUT/build.lock"
# Everything is held to its hash. nkeys is published as source only: it is built with the setuptools that was just
# installed, and not with one that pip fetches.
"$OUT/bin/pip" install --no-build-isolation --requirement "$OUT/workerbee.lock"
mkdir "$OUT/wheels"
sed -n '/^nkeys==/,/^    --hash/p' "$OUT/workerbee.lock" | sed 's/ ;.*\\$/ \\/; $s/ *\\$//' > "$OUT/source.lock"
"$OUT/bin/pip" wheel --no-build-isolation --no-deps --wheel-dir "$OUT/wheels" --requirement "$OUT/source.lock"
"$OUT/bin/pip" download --only-binary :all: --no-deps --dest "$OUT/wheels" --requirement "$OUT/build.lock"
