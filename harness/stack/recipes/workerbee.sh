#!/bin/sh
# WorkerBee in an environment of its own: OUT/bin/workerbee.
#
# In:  OUT     folder to fill, with workerbee.lock in it
#      PYTHON  Python >= 3.11
set -eu
"$PYTHON" -m venv "$OUT"
# Everything is held to its hash. nkeys is published as source only: pip builds it, with a setuptools that it fetches.
"$OUT/bin/pip" install --disable-pip-version-check --require-hashes --requirement "$OUT/workerbee.lock"
