#!/usr/bin/env bash
# Every check and every test, as one report: scripts/test.sh. Only the checks:
# scripts/test.sh lint. The last line is "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/testreport" ./scripts/testreport || exit 3

gofmt_clean() {
	local files
	files=$(find . -name '*.go' -not -path '*/node_modules/*' -not -path '*/.rehearse/*' -exec gofmt -l {} +) || return 1
	[ -z "$files" ] || { echo "not formatted; gofmt -w these:"; echo "$files"; return 1; }
}

builds() { # for the systems that have a release; those of others unoptimised, which is quicker
	local target
	go build ./... || return 1
	for target in linux/amd64 linux/arm64 darwin/arm64; do
		echo "$target"
		[ "$target" = "$(go env GOOS)/$(go env GOARCH)" ] && continue
		GOOS=${target%/*} GOARCH=${target#*/} go build -gcflags='all=-N -l' ./... || return 1
	done
}

# Modules of their own, whose dependencies are not ours.
app() (cd examples/docgen/app && "$@")
compat() (cd internal/toxiproxy/compat && "$@")
peers() (cd internal/peers && "$@")
zoo() (cd examples/zoo && "$@")
telemetry() (cd internal/telemetry/compat && "$@")

export -f gofmt_clean builds app zoo compat peers telemetry

check() { "$work/testreport" check "$@"; }

checks() { # without cgo, which nothing of ours needs, so that they and build compile everything once
	export CGO_ENABLED=0
	check gofmt bash -c gofmt_clean
	check mod-tidy go mod tidy -diff
	check mod-verify go mod verify
	check vet go vet ./...
	check vet-docgen bash -c 'app go vet ./... && app go vet -tags otel ./...'
	check vet-zoo bash -c 'zoo go vet ./...'
	check vet-compat bash -c 'compat go vet ./...'
	check vet-peers bash -c 'peers go vet ./...'
	check vet-telemetry bash -c 'telemetry go vet ./...'
	# Pinned in a module of its own, so that it is not a dependency of ours.
	check staticcheck go tool -modfile=tools/go.mod staticcheck ./...
	check actionlint go tool -modfile=tools/go.mod actionlint -shellcheck= -pyflakes= templates/*.github.yml
	check build bash -c builds
}

tests() { # vet has had its say
	GORACE=atexit_sleep_ms=0 go test -race -vet=off -shuffle=on -timeout 20m -json ./...
	# One package, beside those of the other modules: two at a time, as above.
	set -m # so that it is a group of its own, which ends with us
	peers go test -race -vet=off -timeout 5m -json ./... >"$work/peers.json" &
	local beside=$!
	set +m
	# shellcheck disable=SC2064 # it is what it is now
	trap "kill -- -$beside 2>/dev/null" EXIT
	app go test -race -vet=off -shuffle=on -timeout 5m -json ./...
	zoo go test -race -vet=off -timeout 5m -json ./...
	compat go test -race -vet=off -timeout 5m -json ./...
	telemetry go test -race -vet=off -timeout 5m -json ./...
	wait $beside
	cat "$work/peers.json"
}

case "${1:-all}" in
lint) checks ;;
all) (checks); tests ;;
*) echo "usage: scripts/test.sh [lint]" >&2; exit 2 ;;
esac 2>&1 | "$work/testreport" -skips scripts/expected-skips.txt
