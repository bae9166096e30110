// Package config reads rehearse.yaml, the file that says what a Compose file
// cannot: where services run in production, how far apart they are, what their
// databases hold, what traffic comes, and what to rehearse.
//
// [Load] reads it from a file, [Parse] from memory. Both are strict: an unknown
// key, a value of the wrong kind, a rate or threshold that does not parse are
// problems, all reported at once with file and line. A file that is missing or
// empty is the zero [Config]: everything has a default. Names that stand for
// something in another file keep their line, so that the plan can say where a
// service, region or dataset that does not exist was named.
//
// # The format
//
// This is every key there is. The table of keys in keys.go says what each means;
// docs/rehearse-yaml.md and docs/rehearse.schema.json are made from it by
//
//	go test ./internal/config -run TestDocs -update
//
// Relative paths start in the project directory. Keys that start with "x-" are
// left alone at the top level, as a place for YAML anchors.
//
//	name: docgen                      # default: the Compose project's name
//	seed: 7                           # of every random choice; default 1
//
//	services:                         # what the Compose file does not say
//	  docgen:
//	    region: eu-west-1             # where it runs in production
//	    ports: [8080]                 # what it listens on
//	    process:                      # how it runs without a container
//	      build: [go, build, -o, "${out}/docgen", .]
//	      command: ["${out}/docgen"]
//	      dir: app                    # default: the build context, else the project directory
//	      env: {LOG: debug}
//	    ready: {http: /healthz, port: 8080, timeout: 30s}
//	  db:
//	    region: us-east-1
//	    dataset: customers
//
//	network:                          # how far apart the regions are
//	  between:
//	    - {regions: [eu-west-1, us-east-1], rtt: 84ms, jitter: 6ms, loss: 0.01%, rate: 1Gbit}
//	  within: {rtt: 0.5ms}            # between different services of one region
//	  links:                          # one link, whatever the regions say
//	    - {link: "docgen:db", rtt: 90ms, jitter: 1ms, rate: 100Mbit}
//	  tier: model                     # default: the most truthful that the host allows
//
//	data:
//	  customers:
//	    sql: [schema.sql]             # before rows are generated
//	    profile: profiles/customers.data.yaml
//	    plan: profiles/customers.plan.yaml   # what columns mean
//	    scale: 0.05                   # of production's rows
//	    rows: 1000                    # of tables that the profile does not have
//	    seed: 7
//	    after: [accounts.sql]
//	    migrations: [migrations/0042_index.sql]   # the change's own, watched
//	    churn: 1                      # production's write mix during loads
//	    staging: [small.sql]          # what staging has instead
//
//	traffic:
//	  peak: {profile: profiles/peak.traffic.yaml, target: docgen, port: 8080}
//
//	suites:
//	  e2e:
//	    command: [npx, playwright, test]
//	    dir: e2e
//	    env: {BASE_URL: "${docgen.url}"}
//	    results: [results.xml]
//	    artifacts: [playwright-report]
//	    needs: [node]
//	    optional: true                # where it cannot run, the verdict does without
//	    timeout: 2m
//
//	experiments:                      # what is broken on purpose, while a load goes on
//	  outage:
//	    steady: ["http_req_failed rate<0.01"]   # before the method, and again after it
//	    during: ["http_req_failed rate<0.5"]    # what users may see meanwhile
//	    checks: [{max_duration: "ingress:docgen", p95: 400ms}]   # before and after, too
//	    before: 5s                    # how long each part takes
//	    method:                       # one after the other, or when at says
//	      - {region: us-east-1, fault: partition, for: 10s}           # every link into the region
//	      - {link: "docgen:db", fault: delay, delay: 300ms, at: 0s}   # any fault, with its parameters
//	      - {service: db, fault: reset, every: 2s, each: 500ms}       # all links into it, on and off
//	      - {service: db, fault: kill, for: 3s}                       # the service itself
//	      - {label: "tier=backend", fault: pause, for: 2s}            # services with a Compose label
//	    recover: 5s
//	    after: 5s
//	  slow-db: {use: dependency-slow, link: "docgen:db", delay: 500ms}   # one of the library
//
//	rehearsal:                        # the steps, in order
//	  - suite: e2e
//	  - load: peak
//	    for: 20s
//	    thresholds: ["http_req_failed rate<0.001", "http_req_duration p(99)<800ms"]
//	  - {experiment: outage, load: peak}
//
//	checks:                           # what must hold of the traces and logs of every leg
//	  - log_errors                    # a kind alone is asked of everything
//	  - pool_exhausted: docgen:db     # or of one link,
//	  - {n_plus_one: "docgen:db", operation: "docgen POST /documents", limit: 5, name: orders}
//	  - {max_duration: docgen POST /documents, p95: 400ms}   # or of an operation
//	  - {chatty_link: "*", limit: 250ms}
//	  - {expect: '{ kind = server } >> { span.db.system.name = "postgresql" } | count() <= 3', over: p95, min_samples: 20}
//	  - plan_regression: customers    # or of a dataset, by the plans of its statements
//
//	telemetry: {propagate: true, memory: 64MiB, disk: 1GiB}
//
//	cost: {currency: EUR, cpu: 0.04, memory: 0.005, environment: 0.008}   # of an hour
package config
