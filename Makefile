.PHONY: build test lint bench bench-link bench-data bench-telemetry bench-telemetry-jaeger bench-docker zoo fidelity fuzz soak-docker soak-link explain-docgen

build: ## bin/rehearse, and beside it the program of the link container
	go build -trimpath -o bin/ ./cmd/rehearse
	CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags "-s -w" -o bin/ ./cmd/rehearse-link

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
	go test -run '^$$' -bench HTTP -benchtime 3s ./internal/link
	go test -run '^$$' -bench Offered -benchtime 3x ./internal/load

bench-link: ## a link against no link and against Toxiproxy, in some four minutes
	go build -trimpath -o bin/linkbench/ ./internal/linkbench
	cd tools/toxiproxy && go build -trimpath -o ../../bin/linkbench/toxiproxy github.com/Shopify/toxiproxy/v2/cmd/server
	bin/linkbench/linkbench -json bin/linkbench/results.json

bench-data: ## the generator, loading against ready COPY files, pgx and pgbench, a profile of 10 GB, clones up to 1 GB; some twelve minutes and 30 GB of disk
	go test -run '^$$' -bench Rows -benchtime 3s ./internal/synth
	go test -run '^$$' -bench Stream -benchtime 1x -timeout 15m ./internal/dataset -args -millions 100
	go test -run '^$$' -bench Load -benchtime 3x -timeout 15m ./internal/postgres/load
	go test -run '^$$' -bench Profile -benchtime 1x -timeout 30m ./internal/dataset -args -gb 10
	go test -run '^$$' -bench Clone -benchtime 5x -timeout 15m ./internal/snapshot

bench-telemetry: ## what takes telemetry against OpenTelemetry's Collector, in some two minutes, one of which builds that
	go build -trimpath -o bin/telemetrybench/ ./internal/telemetrybench
	cd tools/otelcol && go build -trimpath -o ../../bin/telemetrybench/otelcol .
	bin/telemetrybench/telemetrybench -json bin/telemetrybench/results.json

bench-telemetry-jaeger: ## the same against Jaeger as well, which takes ten minutes of a processor to build the first time
	go build -trimpath -o bin/telemetrybench/ ./internal/telemetrybench
	cd tools/otelcol && go build -trimpath -o ../../bin/telemetrybench/otelcol .
	cd tools/jaeger && go build -trimpath -o ../../bin/telemetrybench/jaeger github.com/jaegertracing/jaeger/cmd/jaeger
	bin/telemetrybench/telemetrybench -jaeger bin/telemetrybench/jaeger -json bin/telemetrybench/results-jaeger.json

bench-docker: ## an environment of containers against docker compose and testcontainers-go, in some twenty-six minutes, and three more to build those the first time
	CGO_ENABLED=0 go build -trimpath -o bin/dockerbench/ ./cmd/...
	cd tools/compose && go build -trimpath -o ../../bin/dockerbench/docker-compose github.com/docker/compose/v5/cmd
	cd tools/testcontainers && go build -trimpath -o ../../bin/dockerbench/testcontainers .
	go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./internal/dockerbench -args -json ../../bin/dockerbench/results.json

ROUNDS ?= 1

zoo: build ## twelve services that staging lies about: each is found out, and none that is corrected; some fifteen minutes, and with ROUNDS=10 some two hours
	go build -trimpath -o bin/zoo ./internal/zoo
	bin/zoo -rounds $(ROUNDS)

explain-docgen: ## the cause of the case study's failure, which must be the peak and one distance together, and of its fixed twin none; some eight minutes on a quiet machine
	go build -trimpath -o bin/ ./cmd/rehearse
	./scripts/explain-docgen.sh

fidelity: ## docs/fidelity.md: the kernel's own TCP over the packet tier, measured anew, against the model; some seven minutes, as root
	go test ./internal/fidelity -run TestMeasurePackets -timeout 20m -out testdata/packet.json -samples 120 -longest 15s
	go test ./internal/fidelity -run TestDocs -update

soak-docker: ## thirty deaths of the process that runs an environment of containers, at random moments: nothing may be left
	go test ./internal/driver/docker -run TestKills -timeout 30m -args -kills 30

soak-link: ## ten minutes of random faults on thousands of connections: nothing may be lost, leaked or stuck
	go test ./internal/link -run TestSoak -soak 10m -timeout 15m
