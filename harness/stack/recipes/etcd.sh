#!/bin/sh
# Builds etcd from its Go modules: OUT/bin/etcd.
#
# Its server's go.mod has replaces, which do not count for a module that is only required. So it is built for a module
# of its own, whose go.mod names the versions of etcd's release, and whose go.sum holds each of them to its sum.
#
# In:  OUT     folder to fill, with go.mod and go.sum in it
#      GO      Go compiler
#      SHARED  folder that the builds of one stack share
set -eu
mkdir -p "$OUT/bin" "$SHARED"
export GOPATH="$SHARED/go" GOCACHE="$SHARED/cache" GOENV=off GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0
export GOSUMDB=off GOFLAGS="-modcacherw -buildvcs=false -mod=readonly"
cd "$OUT"
"$GO" build -trimpath -ldflags "-s -w" -o "$OUT/bin/etcd" go.etcd.io/etcd/server/v3
