#!/bin/sh
# Sets the clone up, then becomes the command given, with the clone's Node where it has one.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
sh deploy/setup.sh
[ -x "$root/.node/node_modules/.bin/node" ] && PATH=$root/.node/node_modules/.bin:$PATH
PATH=$PATH:/usr/sbin:/sbin
export PATH
exec "$@"
