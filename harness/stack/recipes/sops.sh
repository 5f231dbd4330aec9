#!/bin/sh
# Builds sops from its Go module: OUT/bin/sops.
#
# In:  OUT      folder to fill
#      GO       Go compiler
#      VERSION  without the v
set -eu
work=$OUT/work
mkdir -p "$work"
export GOPATH="$work/go" GOCACHE="$work/cache" GOFLAGS="-modcacherw -buildvcs=false" GOWORK=off CGO_ENABLED=0
export GOBIN="$OUT/bin"
unset GOMODCACHE
cd "$work"
"$GO" install -trimpath -ldflags "-s -w" "github.com/getsops/sops/v3/cmd/sops@v$VERSION"
rm -rf "$work"
