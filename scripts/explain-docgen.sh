#!/bin/sh
# Explains the case study: the legacy data layer must come out as traffic at its peak
# and the round trip from docgen to db together, with a threshold, and the command that
# it prints must reproduce it; of the corrected one there must be nothing to explain.
set -eu
cd "$(dirname "$0")/../examples/docgen"
rehearse=../../bin/rehearse

out=$(mktemp)
trap 'rm -f "$out"' EXIT

"$rehearse" run -f compose.yaml -f compose.fixed.yaml >"$out"
"$rehearse" explain "$(sed -n 's#^report: \(.*\)/report.html$#\1#p' "$out")" | grep 'nothing to explain'

"$rehearse" run --explain --budget 15m >"$out" || test $? = 1
cat "$out"
grep '^traffic at peak + RTT on docgen → db, from about ' "$out"
only=$(sed -n "s/^rehearse run --only '\(.*\)'\$/\1/p" "$out")
code=0
"$rehearse" run --only "$only" || code=$?
test "$code" = 1
