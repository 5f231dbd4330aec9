#!/bin/sh
# Runs a recipe as root for a user.
#
# In: $1  recipe
#     $2  file with the recipe's variables; not on the command line, which everybody on the machine can read
set -eu
umask 022
. "$2"
exec sh "$1"
