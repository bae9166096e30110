#!/usr/bin/env bash
# A short round of every fuzz target: scripts/fuzz.sh [TIME], 10s each by default.
# What it finds is written to testdata/fuzz beside the test; commit it.
set -euo pipefail
cd "$(dirname "$0")/.."

grep -rHoE '^func Fuzz\w+' --include='*_test.go' --exclude-dir=node_modules . | sort |
	while IFS=: read -r file func; do
		echo "== $(dirname "$file") ${func#func }"
		(cd "$(dirname "$file")" && go test -run "^$" -fuzz "^${func#func }\$" -fuzztime "${1:-10s}" -fuzzminimizetime 10x . </dev/null)
	done
