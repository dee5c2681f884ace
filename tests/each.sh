#!/bin/sh
# Every test file against a database of its own: several files attack what they share (broken seals, disabled
# accounts), and none may lean on what another left behind. Fails at the end if any file failed.
failed=
for file in $(find tests -name 'test_*.py' | sort); do
  echo "== $file"
  $PYTEST "$file" || failed="$failed $file"
done
if [ -n "$failed" ]; then
  echo "failed:$failed"
  exit 1
fi
