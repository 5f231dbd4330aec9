[ $way = tests ] || exec make -C "$harness" --no-print-directory gates ARGS="-E '$filter'"
cd "$harness"
if command -v k1s-gates > /dev/null; then exec k1s-gates run -- -E "$filter"; fi
exec cargo nextest run --profile gates --test gates -E "$filter"
