#!/bin/bash
# The runbook by hand and the gates in turn, on the same warm stack: A B A B ... Prints the ratio of each pair and the spread.
#
# ROUNDS  how many pairs (2)
# OUT     where the evidence of all runs goes (a new folder in TMPDIR)
set -eu
cd "$(dirname "$0")/.."
command -v jq > /dev/null || { echo "the runbook by hand needs jq: apt-get install jq" >&2; exit 1; }
rounds=${ROUNDS:-2} out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cargo build --quiet --bin k1s-gates
cargo test --quiet --no-run --test gates
gates=target/debug/k1s-gates
PATH=$("$gates" stack --path):$PATH
seconds() { # command...
  local begin=$EPOCHREALTIME status=0
  "$@" || status=$?
  awk -v from="$begin" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }' >&3
  return $status
}
: > "$out/ratios"
for round in $(seq "$rounds"); do
  base=b$round
  # By hand nothing sees to it that controller 0 of k1s-ha-min leads: a round that ends in a 409 is run again.
  for try in 1 2 3; do
    by_hand=$({ seconds env WB_PROJECT_BASE=$base RUN_DIR="$out/$round-by-hand-$try" "$gates" lane \
      --project $base --project ${base}s --project ${base}h -- bash bench/runbook.sh > "$out/$round-by-hand-$try.log" 2>&1; } 3>&1) && break
    echo "round $round: the runbook by hand failed after $by_hand s: see $out/$round-by-hand-$try.log" >&2
    [ $try -lt 3 ] || exit 1
  done
  harness=$({ seconds env -u WB_PROJECT_BASE RUN_DIR="$out/$round-gates" cargo nextest run --profile gates --test gates \
    > "$out/$round-gates.log" 2>&1; } 3>&1) ||
    { echo "round $round: the gates failed: see $out/$round-gates.log" >&2; exit 1; }
  awk -v a="$by_hand" -v b="$harness" 'BEGIN { printf "%.3f\n", b / a }' >> "$out/ratios"
  echo "round $round: by hand $by_hand s, gates $harness s, ratio $(tail -n 1 "$out/ratios")"
done
sort -n "$out/ratios" | awk '{ r[NR] = $1 } END {
  m = NR % 2 ? r[(NR + 1) / 2] : (r[NR / 2] + r[NR / 2 + 1]) / 2
  printf "gates / by hand: median %.2f, from %.2f to %.2f over %d rounds\n", m, r[1], r[NR], NR }'
echo "evidence: $out"
