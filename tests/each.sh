#!/bin/sh
# Every test file against a database of its own: several files attack what they share (broken seals, disabled
# accounts), and none may lean on what another left behind. Two files at a time (JOBS); a file's output comes whole.
# TESTS names some folders or files instead of all. Fails at the end if any file failed, and names it.
failed=$(mktemp)
trap 'rm -f "$failed"' EXIT
export PYTEST failed
find ${TESTS:-tests} -name 'test_*.py' | sort | xargs -P "${JOBS:-2}" -n 1 sh -c '
  began=$(date +%s)
  said=$($PYTEST "$1" 2>&1) || echo "$1" >> "$failed"
  printf "== %s, %s s\n%s\n" "$1" $(($(date +%s) - began)) "$said"' _
if [ -s "$failed" ]; then
  echo "failed:" && cat "$failed"
  exit 1
fi
