#!/usr/bin/env bash
# Proves one area in full counts: each test of its list is run as often as the list says, and the
# outcome is kept in proofs/. Stopped and called again on the same commit it goes on where it was.
#   prove.sh AREA     one of the lists in tests/proofs
set -eu
cd "$(dirname "$0")/.."
ME=prove
. scripts/lib.sh

area=${1:-}
list=tests/proofs/$area
[ -n "$area" ] && [ -f "$list" ] || die "which area? P=one of: $(ls tests/proofs | tr '\n' ' ')"
command -v cargo-nextest >/dev/null || die "this needs cargo-nextest"
[ -z "$(git status --porcelain --untracked-files=no -- . ':!proofs')" ] ||
  die "commit first: a proof is about a commit"
commit=$(git rev-parse --short=12 HEAD)
kept=target/prove/$area.$commit
mkdir -p "$kept" proofs
cargo nextest run --locked --no-run >"$kept/build" 2>&1 || die "it does not build: see $kept/build"
export CI=true WARREN_PROVE=full
ignored=
alone=
links=

# A line of a list: how many times, then which tests. Of those below it, the line `ignored` has
# tests run too that `make test` leaves out, `alone` one at a time (`together`: as many as there
# are cores), and `links open` or `links cut` with what connects hosts or without. Tests find
# WARREN_PROVE set and count in full.
trial() { # NUMBER NAME FILTER
  local log=$kept/$2.$1.log
  [ -e "$log.ok" ] && return
  # shellcheck disable=SC2086
  if cargo nextest run --locked --no-fail-fast --success-output=immediate $ignored $alone -E "$3" \
    </dev/null >"$log" 2>&1
  then touch "$log.ok"
  else echo "prove: $2, trial $1 failed: see $log"; return 1
  fi
}

failed=0
while read -r times filter; do
  case $times in
    ''|\#*) continue ;;
    ignored) ignored='--run-ignored=all'; continue ;;
    alone) alone='--test-threads=1'; continue ;;
    together) alone=; continue ;;
    links) links=$filter; export WARREN_LINKS=$links; continue ;;
  esac
  name=$(printf '%s' "$filter" | tr -c 'A-Za-z0-9_\n' '-' | tr -s '-')${links:+links-$links}
  for number in $(seq "$times"); do
    trial "$number" "$name" "$filter" || failed=$((failed + 1))
  done
  echo "prove: $filter: $times times${links:+ with links $links}"
done <"$list"

proof=proofs/$(date -u +%F)-$area.txt
{
  echo "Area $area, commit $commit, $(date -u '+%F %T') UTC, $(nproc) cores, $(uname -sr)"
  echo "$failed trials failed"
  for log in "$kept"/*.log; do
    echo
    echo "$(basename "$log" .log): $([ -e "$log.ok" ] && echo passed || echo FAILED)"
    grep -E '^ *(PASS|FAIL|TRY|SIGKILL|TIMEOUT) |Summary|^ *figure: ' "$log" | sed 's/  */ /g'
  done
} >"$proof"
echo "prove: $proof"
[ "$failed" = 0 ]
