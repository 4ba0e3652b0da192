# shellcheck shell=bash
# Sourced by the scripts beside it. Each of them sets ME, its name in messages.

die() { echo "$ME: $*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "this needs root: become root or install sudo, then try again"
  fi
}

install_packages() { # PACKAGE...: those that are missing, with apt-get
  local missing=() package
  command -v dpkg-query >/dev/null || die "this is not a Debian system; please install: $*"
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  echo "$ME: installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes \
    apt-get install -qq -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null
}
