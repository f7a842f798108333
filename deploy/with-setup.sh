#!/bin/sh
# Sets the clone up, then becomes the command given, with the clone's Node where it has one. A simulated demo needs less of it.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
simulated=
for argument; do
  case $argument in --simulated) simulated=$argument ;; esac
done
sh deploy/setup.sh $simulated
[ -x "$root/.node/node_modules/.bin/node" ] && PATH=$root/.node/node_modules/.bin:$PATH
PATH=$PATH:/usr/sbin:/sbin
export PATH
exec "$@"
