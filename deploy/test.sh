#!/bin/sh
# Runs every check and every test, also behind a failure. The last line is `N passed, N failed`.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root" || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0 failed=0 skipped=0

for check in types lint format imports; do
  (
    npm run --silent "check:$check" > "$scratch/$check.log" 2>&1
    echo $? > "$scratch/$check.status"
  ) &
done
wait
for check in types lint format imports; do
  if [ "$(cat "$scratch/$check.status")" = 0 ]; then
    echo "PASS check:$check"
    passed=$((passed + 1))
  else
    echo "FAIL check:$check"
    cat "$scratch/$check.log"
    failed=$((failed + 1))
  fi
done

jest() { # what, arguments…
  what=$1
  shift
  rm -f "$scratch/counts"
  WEIR_TEST_COUNTS=$scratch/counts node node_modules/jest/bin/jest.js --reporters=./deploy/jest-reporter.cjs --passWithNoTests --testTimeout=30000 "$@"
  status=$?
  run_passed=0 run_failed=0 run_skipped=0
  if [ -e "$scratch/counts" ]; then read -r run_passed run_failed run_skipped < "$scratch/counts"; fi
  # Jest itself fell over.
  if [ "$status" != 0 ] && [ "$run_failed" = 0 ]; then
    echo "FAIL $what: jest ended with status $status"
    run_failed=1
  fi
  passed=$((passed + run_passed)) failed=$((failed + run_failed)) skipped=$((skipped + run_skipped))
}
jest 'unit and integration tests' --selectProjects unit integration --maxWorkers=2
node libs/lab/dist/clean.js .weir/labs || failed=$((failed + 1))
jest 'lab tests' --selectProjects lab --runInBand

if [ "$skipped" != 0 ]; then echo "$skipped skipped"; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
