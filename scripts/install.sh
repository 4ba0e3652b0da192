#!/usr/bin/env bash
# Puts the built program where the system finds it, or takes it away again.
#   install.sh install|uninstall DESTDIR PREFIX
# Configuration and data are never removed, and an existing configuration is not overwritten.
set -eu
cd "$(dirname "$0")/.."
ME=install
. scripts/lib.sh

action=${1:-} DESTDIR=${2-} PREFIX=${3:-/usr/local}
PROGRAM=${PROGRAM:-target/release/warren}
UNIT=$PREFIX/lib/systemd/system/warren.service
CONFIG=/etc/warren/warren.toml
USERS="warren, warren-edge, warren-openvpn"

# Each: source, place, mode.
files() {
  echo "$PROGRAM                  $PREFIX/bin/warren                        755"
  echo "packaging/warren.sysusers  $PREFIX/lib/sysusers.d/warren.conf        644"
  echo "packaging/warren.tmpfiles  $PREFIX/lib/tmpfiles.d/warren.conf        644"
  echo "packaging/warren.udev      $PREFIX/lib/udev/rules.d/60-warren.rules  644"
  echo "packaging/warren.toml      $PREFIX/share/doc/warren/warren.toml      644"
}

put() {
  [ -x "$PROGRAM" ] || die "there is no $PROGRAM: run \`make build\` first"
  files | while read -r source place mode; do
    install -D -m "$mode" "$source" "$DESTDIR$place"
  done
  install -d "$DESTDIR$(dirname "$UNIT")"
  sed "s|/usr/local/bin/|$PREFIX/bin/|" packaging/warren.service >"$DESTDIR$UNIT"
  chmod 644 "$DESTDIR$UNIT"
  [ -e "$DESTDIR$CONFIG" ] || install -D -m 640 packaging/warren.toml "$DESTDIR$CONFIG"
  if [ -n "$DESTDIR" ]; then
    echo "Installed into $DESTDIR, for PREFIX $PREFIX."
    echo "Not there: users and data directories, which systemd-sysusers and systemd-tmpfiles make."
    return
  fi
  systemd-sysusers "$PREFIX/lib/sysusers.d/warren.conf"
  chgrp warren "$CONFIG"
  systemd-tmpfiles --create "$PREFIX/lib/tmpfiles.d/warren.conf"
  # What root's `make run` has left there is for the unit's user now.
  find /var/lib/warren -maxdepth 1 -type f -user root -exec chown -h warren:warren {} +
  echo "Installed. Start it: systemctl daemon-reload && systemctl enable --now warren"
}

take_away() {
  files | while read -r _ place _; do rm -f "$DESTDIR$place"; done
  rm -f "$DESTDIR$UNIT"
  if [ -z "$DESTDIR" ]; then
    remove_empty "$PREFIX/share/doc/warren"
    echo "Removed. Kept: $CONFIG, /var/lib/warren, and the users $USERS"
  elif [ -d "$DESTDIR" ]; then
    # Nobody else's directories are here.
    { files; echo "- $UNIT -"; } | while read -r _ place _; do
      remove_empty "$(dirname "$place")"
    done
    echo "Removed from $DESTDIR. Kept: $DESTDIR$CONFIG"
  fi
}

remove_empty() { # DIRECTORY: and, below DESTDIR, those that it leaves empty
  [ -d "$DESTDIR$1" ] || return 0
  if [ -z "$DESTDIR" ]; then
    rmdir --ignore-fail-on-non-empty "$1"
  else
    (cd "$DESTDIR" && rmdir -p --ignore-fail-on-non-empty "${1#/}")
  fi
}

case $action in
  install) put ;;
  uninstall) take_away ;;
  *) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
