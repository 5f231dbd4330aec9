#!/bin/sh
# What tests/browser.rs drives: Chromium and its driver, from Debian. Only `make test` needs them, no gate does.
set -eu

packages="chromium chromium-driver"
there() { { command -v chromium || command -v chromium-browser || command -v google-chrome; } && command -v chromedriver; } > /dev/null
there && exit 0

install="apt-get install -y --no-install-recommends --no-remove --no-upgrade $packages"
fail() { printf 'browser: the report cannot be tested without Chromium and chromedriver: %s\n  remedy: %s\n' "$1" "$2" >&2; exit 1; }
command -v apt-get > /dev/null || fail "there is no apt-get to install them with" "install them with this system's package manager"
as_root=
[ "$(id -u)" = 0 ] || as_root="sudo -n"
[ -z "$as_root" ] || sudo -n true 2> /dev/null || fail "installing them needs root" "sudo $install"

echo "browser: installing Debian's $packages" >&2
log=$(mktemp)
# shellcheck disable=SC2086
{ $as_root apt-get -o DPkg::Lock::Timeout=300 update || true; $as_root env DEBIAN_FRONTEND=noninteractive $install; } > "$log" 2>&1 && there || {
  tail -n 20 "$log" >&2
  rm -f "$log"
  fail "they could not be installed (see above)" "sudo apt-get update && sudo $install"
}
rm -f "$log"
