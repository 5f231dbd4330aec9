set -eu
refuse() {
    echo "reproduce: $1" >&2
    exit 2
}
harness=${1:-.}
manifest=$harness/Cargo.toml
if grep -q '^name = "k1s-profile-gates"' "$manifest" 2> /dev/null; then
    way=checkout
    grep -q "^version = \"$version\"" "$manifest" || echo "reproduce: the checkout $harness is not of version $version" >&2
elif grep -q 'k1s-profile-gates' "$manifest" 2> /dev/null; then
    way=tests
else
    refuse "$harness is neither a checkout of k1s-profile-gates $version nor a repository with the gates among its tests: \
name one as the first argument"
fi
harness=$(cd "$harness" && pwd)
