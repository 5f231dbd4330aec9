bundled=$(cd "$(dirname "$0")/../.." && pwd)-k1s
[ -n "${K1S_ROOT:-}" ] || [ ! -d "$bundled/src/ae" ] || K1S_ROOT=$bundled
[ -n "${K1S_ROOT:-}" ] || [ ! -d "$harness/src/ae" ] || K1S_ROOT=$harness
