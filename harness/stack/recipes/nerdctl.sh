#!/bin/sh
# Builds nerdctl from its Go module: OUT/bin/nerdctl.
#
# `go install` refuses, because its go.mod has a replace. The replaced module serves tests only, as does the one file
# outside of them that imports it.
#
# In:  OUT      folder to fill
#      GO       Go compiler
#      VERSION  without the v
#      SUM      h1 sum of the module
set -eu
work=$OUT/work
mkdir -p "$work" "$OUT/bin"
# Nothing is left in the user's Go folders, and the user's workspace and flags do not reach in here.
export GOPATH="$work/go" GOCACHE="$work/cache" GOFLAGS="-modcacherw -buildvcs=false" GOWORK=off CGO_ENABLED=0
unset GOMODCACHE GOBIN
cd "$work"

"$GO" mod download -json "github.com/containerd/nerdctl/v2@v$VERSION" > module.json || { cat module.json; exit 1; }
field() { sed -n "s/^[[:space:]]*\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p" module.json; }
[ "$(field Sum)" = "$SUM" ] || { echo "nerdctl: the module has the sum $(field Sum), expected $SUM"; exit 1; }

cp -R "$(field Dir)" source
chmod -R u+w source
cd source
rm cmd/nerdctl/helpers/testing_linux.go
"$GO" mod edit -dropreplace github.com/containerd/nerdctl/mod/tigron -droprequire github.com/containerd/nerdctl/mod/tigron
"$GO" build -trimpath -ldflags "-s -w -X github.com/containerd/nerdctl/v2/pkg/version.Version=v$VERSION" -o "$OUT/bin/nerdctl" ./cmd/nerdctl
rm -rf "$work"
