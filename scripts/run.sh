#!/usr/bin/env bash
# Runs Warren on this machine, to try it: `make run`. Ctrl-C stops it and leaves nothing running.
set -eu
cd "$(dirname "$0")/.."
ME=run
. scripts/lib.sh

PROGRAM=$PWD/$1
TUN=/dev/net/tun

[ -c $TUN ] || as_root modprobe tun || die "this kernel has no TUN driver: no tunnels without it"
if [ "$(stat -c %a $TUN)" != 666 ]; then
  echo "run: chmod 0666 $TUN, until the next boot: OpenVPN runs without privileges and opens it."
  as_root chmod 0666 $TUN
fi

port=${WARREN_LISTEN_HTTPS:-[::]:443}
port=${port##*:}
sudo=
[ "$(id -u)" = 0 ] || sudo="sudo "
cat <<TEXT

  Console         https://localhost$([ "$port" = 443 ] || echo ":$port")/
                  (or this machine's address; the certificate is its own, so the browser asks)
  How it fares    ${sudo}$1 status
                  ${sudo}$1 doctor
  Data            ${WARREN_STATE_DIR:-/var/lib/warren}, kept when this ends
  Stop            Ctrl-C

TEXT
# Not `exec as_root`: that is a function of this shell.
if [ "$(id -u)" = 0 ]; then exec "$PROGRAM" run; else exec sudo -E "$PROGRAM" run; fi
