#!/bin/sh
# Builds a program from its Go module, in the module's own folder: OUT/bin/NAME.
#
# The module is held to SUM, and all below it to the go.sum that it holds itself: no other sum is let in.
# (`go install` would refuse nerdctl, whose go.mod has a replace.)
#
# In:  OUT      folder to fill
#      GO       Go compiler
#      SHARED   folder that the builds of one stack share
#      NAME     the program
#      MODULE   path of the module
#      VERSION  its version, with the v
#      SUM      its h1 sum
#      PACKAGE  the program's package in it
#      STAMP    Go variable that is told the version; empty when the module knows it
#      PREPARE  shell commands that make it buildable; empty when it is
set -eu
work=$OUT/work
mkdir -p "$work" "$OUT/bin" "$SHARED"
# Nothing is left in the user's Go folders, and nothing of the user's configuration reaches in here.
export GOPATH="$SHARED/go" GOCACHE="$SHARED/cache" GOENV=off GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0
# The sums are here: a database of sums has nothing to add.
export GOSUMDB=off GOFLAGS="-modcacherw -buildvcs=false -mod=readonly"
cd "$work"

"$GO" mod download -json "$MODULE@$VERSION" > module.json || { cat module.json; exit 1; }
field() { sed -n "s/^[[:space:]]*\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p" module.json; }
[ "$(field Sum)" = "$SUM" ] || { echo "$NAME: the module has the sum $(field Sum), expected $SUM"; exit 1; }

cp -R "$(field Dir)" source
chmod -R u+w source
cd source
eval "$PREPARE"
"$GO" build -trimpath -ldflags "-s -w ${STAMP:+-X $STAMP=$VERSION}" -o "$OUT/bin/$NAME" "./$PACKAGE"
rm -rf "$work"
