#!/usr/bin/env bash
# Runs Warren on this machine, to try it: `make run`. Ctrl-C stops it and leaves nothing running.
set -eu
cd "$(dirname "$0")/.."
ME=run
. scripts/lib.sh

case $1 in
  /*) PROGRAM=$1 ;;
  *) PROGRAM=$PWD/$1 ;;
esac
TUN=/dev/net/tun

[ -c $TUN ] || as_root modprobe tun || die "this kernel has no TUN driver: no tunnels without it"
if [ "$(stat -c %a $TUN)" != 666 ]; then
  echo "run: chmod 0666 $TUN, until the next boot: OpenVPN runs without privileges and opens it."
  as_root chmod 0666 $TUN
fi

port=${WARREN_LISTEN_HTTPS:-[::]:443}
port=${port##*:}
# What works in another terminal as it stands: sudo passes no variables, and this one has its own.
command=$PROGRAM
for name in $(compgen -e WARREN_ | sort -r); do
  case $name in
    # May hold a password. Without it the command must not look at another database.
    WARREN_MONGODB_URI) command="$name=\"\${$name:?}\" $command" ;;
    *) command="$name=$(printf %q "${!name}") $command" ;;
  esac
done
[ "$command" = "$PROGRAM" ] || command="env $command"
[ "$(id -u)" = 0 ] || command="sudo $command"
cat <<TEXT

  Console         https://localhost$([ "$port" = 443 ] || echo ":$port")/
                  (or this machine's address; the certificate is its own, so the browser asks)
  Data            ${WARREN_STATE_DIR:-/var/lib/warren}, kept when this ends
  Stop            Ctrl-C

  In another terminal:
    First sign-in   $command default-password
    How it fares    $command status
                    $command doctor

TEXT
# Not `exec as_root`: that is a function of this shell.
if [ "$(id -u)" = 0 ]; then exec "$PROGRAM" run; else exec sudo -E "$PROGRAM" run; fi
