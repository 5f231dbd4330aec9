#!/bin/sh
# A k1s root out of the runtime's package: OUT/src/ae, OUT/pyproject.toml, OUT/requirements.txt, each kept by its digest.
#
# In:  OUT          folder to fill
#      ENVIRONMENT  Python environment with the package
#      VERSION      version of the package
set -eu
for site in "$ENVIRONMENT"/lib/python3*/site-packages; do :; done
mkdir -p "$OUT/src"
cp -R "$site/ae" "$OUT/src/ae"
find "$OUT/src" -type d -name __pycache__ -prune -exec rm -rf {} +
# Its containers run with PYTHONDONTWRITEBYTECODE and would compile all of it at every start. This helps where the
# environment's Python is the images' (3.11), and does no harm elsewhere. Checked: a copy of this root may be edited.
"$ENVIRONMENT/bin/python" -m compileall -q -j 0 --invalidation-mode checked-hash "$OUT/src"
printf '[project]\nname = "k1s"\nversion = "%s"\n' "$VERSION" > "$OUT/pyproject.toml"
# What only an extra asks for stays out, and so does the description below the header.
sed -e '/^$/q' "$site/k1s_workerbee_runtime-$VERSION.dist-info/METADATA" |
  sed -n -e '/extra ==/d' -e 's/^Requires-Dist: //p' > "$OUT/requirements.txt"
[ -s "$OUT/requirements.txt" ]
