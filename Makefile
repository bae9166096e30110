.PHONY: build test lint bench fuzz

build: ## bin/rehearse
	go build -trimpath -o bin/ ./cmd/...

test: ## everything: checks, race detector, services, browser; installs what it needs on Debian
	./scripts/ci-setup.sh
	./scripts/test.sh

lint: ## the checks alone
	./scripts/test.sh lint

fuzz: ## a short round of every fuzz target
	./scripts/fuzz.sh

bench: ## the figures of the README; "ours" and "peer" of the same run stand side by side
	go test -run '^$$' -bench 'Up|Ten' -benchtime 10x -timeout 15m ./internal/bench
	go test -run '^$$' -bench Cold -benchtime 1x -timeout 15m ./internal/bench
	go test -run '^$$' -bench Delay -benchtime 10000x ./internal/link
	go test -run '^$$' -bench Offered -benchtime 3x ./internal/load
