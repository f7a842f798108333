#!/bin/sh
# Installs what this clone needs and does not find, then builds it. Says what it installs; otherwise quiet. Idempotent.
# --simulated: for what runs on simulated hosts, over memory. Nothing of the system but Node, nothing compiled, no root.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
simulated=${1-}
# Node and npm for a clone on a system whose own are too old; npm comes along, as Debian's runs on Debian's Node only.
NODE_VERSION=22.23.3
NPM_VERSION=11.19.1
own_bin=$root/.node/node_modules/.bin
[ -x "$own_bin/node" ] && PATH=$own_bin:$PATH
PATH=$PATH:/usr/sbin:/sbin
export PATH

say() { printf 'setup: %s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }

mkdir -p .weir
scratch=$(mktemp -d)
log=$scratch/log
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
quietly() {
  "$@" > "$log" 2>&1 && return
  cat "$log" >&2
  stop "\`$*\` failed."
}

# The demo and the tests may start side by side.
if command -v flock > /dev/null; then
  exec 9> .weir/setup.lock
  flock 9
fi

# ---- what is missing on this system

need() { # package command…
  package=$1
  shift
  for command in "$@"; do
    command -v "$command" > /dev/null || { missing="$missing $package"; return 0; }
  done
}
node_is_new() {
  node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' > "$log" 2>&1
}
node_ready() { node_is_new && command -v npm > /dev/null; }

look() {
  missing=
  node_ready || need 'nodejs npm' node npm
  if [ -n "$simulated" ]; then return; fi
  need openvswitch-switch ovs-vswitchd ovsdb-server ovsdb-tool ovs-vsctl ovs-ofctl ovs-appctl
  need iproute2 ip
  need busybox busybox
  need ethtool ethtool
  need iputils-ping ping
  need procps ps
  need util-linux nsenter unshare flock
  need python3 /usr/bin/python3
  need python3-openstackclient openstack
  need build-essential make cc g++
}
look

# ---- the system's packages

policy=/usr/sbin/policy-rc.d
policy_kept=$policy.kept-by-weir
policy_mark='# Written by deploy/setup.sh of weir for the length of one installation.'
forbid_starting_daemons() {
  if [ -e "$policy" ]; then mv "$policy" "$policy_kept"; fi
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" > "$policy"
  chmod 755 "$policy"
}
# Also after a run that was killed.
restore_policy() {
  if [ -e "$policy_kept" ]; then
    mv "$policy_kept" "$policy"
  elif [ -e "$policy" ] && grep -qF "$policy_mark" "$policy"; then
    rm "$policy"
  fi
}
apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" 9>&-
}
install_packages() {
  apt_install "$@" || { apt-get update && apt_install "$@"; }
}

if [ -n "$simulated" ]; then
  if [ -n "$missing" ]; then stop 'this needs Node with npm, which are not in your PATH: install any version, then start again.'; fi
elif [ "$(id -u)" = 0 ]; then
  restore_policy
fi
if [ -n "$missing" ]; then
  if ! command -v apt-get > /dev/null; then
    stop "this system lacks$missing (Debian's names) and has no apt-get: install them with its own package manager, then start again."
  elif [ "$(id -u)" != 0 ]; then
    stop "this system lacks$missing: run \`sudo sh deploy/setup.sh\` once, which installs them, then start again."
  fi
  say "installing$missing (apt-get)"
  trap 'restore_policy; rm -rf "$scratch"' EXIT
  forbid_starting_daemons
  # shellcheck disable=SC2086 # one word per package
  quietly install_packages $missing
  restore_policy
  look
  if [ -n "$missing" ]; then stop "apt-get has installed$missing, but their commands are not there; see what \`dpkg --verify\` says."; fi
fi

# ---- Node

if ! node_ready; then
  say "installing Node $NODE_VERSION into .node (npm)"
  rm -rf .node
  mkdir .node
  quietly npm --prefix "$root/.node" install --ignore-scripts=false --no-audit --no-fund --no-package-lock \
    "node@$NODE_VERSION" "npm@$NPM_VERSION"
  PATH=$own_bin:$PATH
  if ! node_ready; then
    cat "$log" >&2
    stop "Node $NODE_VERSION was installed into .node, but does not run."
  fi
fi

# ---- node modules

stamp=node_modules/.weir-lock
installed() {
  [ -d node_modules ] || return 1
  if [ -e "$stamp" ]; then cmp -s package-lock.json "$stamp"; return; fi
  # Somebody ran npm ci: npm writes this file when it is done.
  [ -n "$(find node_modules/.package-lock.json -newer package-lock.json 2> /dev/null)" ]
}
if ! installed; then
  say 'installing the node modules of package-lock.json (npm ci)'
  rm -f "$stamp"
  quietly npm ci --include=dev --ignore-scripts
fi
cmp -s package-lock.json "$stamp" || cp package-lock.json "$stamp"

sqlite_loads() { node -e 'new (require("better-sqlite3"))(":memory:").close()' > "$log" 2>&1; }
if [ -z "$simulated" ] && ! sqlite_loads; then
  say 'compiling better-sqlite3'
  prefix=$(node -p 'require("node:path").resolve(process.execPath, "../..")')
  for headers in "$prefix" "$prefix"/node_modules/node-*; do
    if [ -e "$headers/include/node/node.h" ]; then
      # Under a name without spaces, which make would take for several.
      ln -s "$headers" "$scratch/node"
      export npm_config_nodedir="$scratch/node"
      break
    fi
  done
  export npm_config_build_from_source=true npm_config_jobs=max
  quietly npm rebuild better-sqlite3 --ignore-scripts=false
  if ! sqlite_loads; then
    cat "$log" >&2
    stop 'better-sqlite3 was compiled, but does not load.'
  fi
fi

quietly npm run --silent build
