#!/bin/sh
# Installs Debian packages and leaves nothing running, now or at the next boot.
#
# In:  PACKAGES  names of packages, separated by spaces
set -eu
export DEBIAN_FRONTEND=noninteractive
# With it systemctl only writes files: the scripts of a package enable its services, but start nothing.
export SYSTEMD_OFFLINE=1
# needrestart would restart services of the user's after the install.
export NEEDRESTART_SUSPEND=1

new=
for package in $PACKAGES; do
  dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed || new="$new $package"
done

apt-get -o DPkg::Lock::Timeout=300 update || echo "packages: going on with the package lists that are there"
# What is there stays as it is: a Docker host brings a containerd of its own, which Debian's would push out.
# shellcheck disable=SC2086
apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends --no-remove --no-upgrade $PACKAGES

# The gates start a containerd of their own; the services of new packages are for nobody.
if command -v systemctl > /dev/null; then
  for package in $new; do
    dpkg -L "$package" | sed -n -E 's#^(/usr)?/lib/systemd/system/([^/@]*[.](service|socket|timer))$#\2#p' |
      xargs -r systemctl disable
  done
  # Only now it learns of the new files.
  [ ! -d /run/systemd/system ] || env -u SYSTEMD_OFFLINE systemctl daemon-reload || true
fi
