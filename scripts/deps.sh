#!/usr/bin/env bash
# Installs what is missing on a Debian machine; quick and silent where nothing is.
#   deps.sh system     packages and system users for Warren, its build and its tests
#   deps.sh browser    Chromium, Node and the npm packages of tests/browser
set -eu
cd "$(dirname "$0")/.."

SYSTEM="gcc libc6-dev make pkg-config libssl-dev ca-certificates
        openvpn nftables iproute2 openssl conntrack kmod util-linux
        iperf3 iputils-ping python3 faketime"
BROWSER="chromium fonts-dejavu-core"
BROWSER_PACKAGES=tests/browser
USERS="warren warren-edge warren-openvpn"

ME=deps
. scripts/lib.sh

add_users() {
  local user
  for user in $USERS; do
    getent passwd "$user" >/dev/null && continue
    echo "deps: adding the system user $user"
    as_root useradd --system --user-group --no-create-home \
      --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
  done
}

system() {
  # shellcheck disable=SC2086
  install_packages $SYSTEM
  add_users
  command -v cargo >/dev/null || die "no Rust toolchain in PATH: see https://rustup.rs"
}

browser() {
  local packages=$BROWSER
  # A Node from elsewhere is as good as Debian's; the two can not be mixed.
  command -v node >/dev/null || packages="$packages nodejs"
  command -v npm >/dev/null || packages="$packages npm"
  # shellcheck disable=SC2086
  install_packages $packages
  [ -f $BROWSER_PACKAGES/package-lock.json ] || return 0
  cmp -s $BROWSER_PACKAGES/package-lock.json $BROWSER_PACKAGES/node_modules/.installed && return
  echo "deps: installing the npm packages of $BROWSER_PACKAGES"
  npm ci --prefix $BROWSER_PACKAGES --ignore-scripts --no-audit --no-fund --loglevel=error
  cp $BROWSER_PACKAGES/package-lock.json $BROWSER_PACKAGES/node_modules/.installed
}

case ${1:-} in
  system) system ;;
  browser) browser ;;
  *) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
