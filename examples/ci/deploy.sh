#!/usr/bin/env bash
# Schedules from version control: check them on every push, apply them on the main branch.
#   ./deploy.sh check     validate, and show what applying would change
#   ./deploy.sh apply     the same, then put it in force
# Exit codes: 0 fine; 2 the manifests are wrong; 6 the store does not answer; others as in the README.
set -euo pipefail
cd "$(dirname "$0")"
celsched=${CELSCHED:-celsched}

$celsched validate --strict -f manifests

# Exit code 1 of `diff` is the answer "there are differences", no failure.
status=0
$celsched diff -f manifests --prune || status=$?
[ "$status" -le 1 ] || exit "$status"

if [ "${1:-check}" = apply ] && [ "$status" -eq 1 ]; then
    $celsched apply -f manifests --prune --yes
fi
