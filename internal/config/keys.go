package config

// key is one key of the format. The table of keys is the one place that knows
// the format: reading checks against it, and docs/rehearse-yaml.md and
// docs/rehearse.schema.json are made from it.
type key struct {
	name     string
	kind     kind
	required bool
	standard string // what holds without it
	doc      string // one or two sentences
	example  string
}

var format = object(
	key{name: "name", kind: projectName, standard: "the Compose project's name", example: "docgen",
		doc: "The project's name in reports and on everything that an environment creates."},
	key{name: "seed", kind: seedNumber, standard: "1", example: "7",
		doc: "The seed of every random choice: arrivals, request mix, jitter. The same seed gives the same rehearsal."},
	key{name: "services", kind: dict("service", service), example: "{docgen: {region: eu-west-1}}",
		doc: "What the Compose file does not say of its services, by service name."},
	key{name: "network", kind: network, standard: "no distance anywhere",
		doc: "How far apart services are in production."},
	key{name: "data", kind: dict("dataset", dataset), example: "{customers: {profile: profiles/customers.data.yaml, scale: 0.05}}",
		doc: "What databases hold in production, by a name that `services.NAME.dataset` refers to."},
	key{name: "traffic", kind: dict("traffic", traffic), example: "{peak: {profile: profiles/peak.traffic.yaml}}",
		doc: "Traffic profiles, by a name that `load` in the rehearsal refers to."},
	key{name: "suites", kind: dict("suite", suite), example: "{e2e: {command: [npm, test]}}",
		doc: "The team's own test commands, by a name that `suite` in the rehearsal refers to."},
	key{name: "experiments", kind: dict("experiment", experiment), example: `{outage: {method: [{service: db, fault: partition, for: 10s}]}}`,
		doc: "What to break on purpose while a load goes on, by a name that `experiment` in the rehearsal refers to, see [experiments.md](experiments.md)."},
	key{name: "rehearsal", kind: list(step), standard: "nothing is run", example: "[{suite: e2e}, {load: peak, for: 20s}]",
		doc: "The steps of the rehearsal, in order."},
	key{name: "checks", kind: list(checkEntry), standard: "none", example: `[log_errors, {n_plus_one: "docgen:db", limit: 5}]`,
		doc: "What must hold of the traces, logs and query plans of every leg, see [checks.md](checks.md). A kind alone is asked of everything."},
	key{name: "telemetry", kind: telemetry, standard: "all of it is kept, up to these bounds",
		doc: "How telemetry is collected, see [telemetry.md](telemetry.md)."},
	key{name: "cost", kind: prices, standard: "what is used is counted, and costs nothing", example: "{currency: EUR, cpu: 0.04, memory: 0.005}",
		doc: "What the host costs, so that reports and the ledger say what a run costs, see [cost.md](cost.md)."},
)

var prices = object(
	key{name: "currency", kind: text, standard: "none", example: "EUR",
		doc: "The currency, as it is printed behind amounts."},
	key{name: "cpu", kind: factor, standard: "0", example: "0.04",
		doc: "The price of a core for an hour."},
	key{name: "memory", kind: factor, standard: "0", example: "0.005",
		doc: "The price of a GiB of memory for an hour."},
	key{name: "environment", kind: factor, standard: "0", example: "0.008",
		doc: "The price of an environment for an hour, whatever it does, such as a runner's."},
)

var telemetry = object(
	key{name: "propagate", kind: yesNo, standard: "true", example: "false",
		doc: "Whether links add a W3C `traceparent` to HTTP requests, so that the calls of one request make one trace."},
	key{name: "memory", kind: room, standard: "64MiB", example: "64MiB",
		doc: "How much telemetry is in memory at most; 1MiB or more."},
	key{name: "disk", kind: room, standard: "1GiB", example: "1GiB",
		doc: "How much of it is in a leg's directory at most, before services are told to slow down."},
)

var service = object(
	key{name: "region", kind: text, standard: "nowhere: no distance to anything", example: "eu-west-1",
		doc: "Where the service runs in production."},
	key{name: "ports", kind: list(port), standard: "the Compose file's `ports` and `expose`, and the recipe's", example: "[8080]",
		doc: "TCP ports that it listens on, where the Compose file does not say."},
	key{name: "process", kind: process, standard: "the recipe of the service's image",
		doc: "How the process driver builds and starts the service, without a container."},
	key{name: "ready", kind: ready, standard: "the recipe's query, else the Compose healthcheck, else that every known port is open", example: "{http: /healthz, port: 8080}",
		doc: "When the service is ready. All that is given must hold at once. It replaces the Compose healthcheck; a timeout alone only changes how long to wait."},
	key{name: "dataset", kind: text, standard: "no data", example: "customers",
		doc: "The dataset under `data` that is loaded before the service counts as ready."},
)

var process = object(
	key{name: "build", kind: command, standard: "nothing to build", example: `[go, build, -o, "${out}/docgen", .]`,
		doc: "Run in `dir` before the start, and skipped while `dir` is unchanged. `${out}` is a directory for what it builds."},
	key{name: "command", kind: command, required: true, example: `["${out}/docgen"]`,
		doc: "What is started. `${out}` is the build's directory, `${NAME.host}` and `${NAME.port}` are another service as this one sees it, `${listen.host}` and `${listen.port}` are where to listen."},
	key{name: "dir", kind: text, standard: "the Compose file's build context, else the project directory", example: "app",
		doc: "The directory in which both run, relative to the project directory."},
	key{name: "env", kind: dict("variable", text), example: "{LOG: debug}",
		doc: "Environment variables, on top of the Compose file's. The same `${…}` as in `command`."},
)

var ready = kind{
	name: "mapping",
	keys: []key{
		{name: "http", kind: either(text, httpGet), example: "/healthz",
			doc: "A GET of this path answers with a status of 200 to 399. A mapping says which port and status."},
		{name: "port", kind: port, standard: "with `http`, the service's port", example: "8080",
			doc: "With `http`, the port that it asks. By itself: something listens on this port."},
		{name: "log", kind: pattern, example: "listening on .*",
			doc: "A line of the service's output matches this regular expression."},
		{name: "command", kind: command, example: "[./healthy]",
			doc: "This command, run inside the service, exits 0."},
		{name: "timeout", kind: duration, standard: "60s, or longer where the healthcheck gives longer", example: "30s",
			doc: "How long the service may take, from its start."},
	},
}

var httpGet = object(
	key{name: "path", kind: text, required: true, example: "/healthz", doc: "The path."},
	key{name: "port", kind: port, standard: "the service's port", example: "8080", doc: "The port."},
	key{name: "status", kind: status, standard: "any of 200 to 399", example: "204", doc: "The status that counts as ready."},
)

var network = kind{name: "mapping", check: streamLosesNothing, keys: []key{
	{name: "between", kind: list(between), example: "[{regions: [eu-west-1, us-east-1], rtt: 84ms}]",
		doc: "The distance between two regions, in both directions."},
	{name: "within", kind: object(shape...), standard: "no distance", example: "{rtt: 0.5ms}",
		doc: "The distance between different services of one region."},
	{name: "links", kind: list(link), example: `[{link: "docgen:db", rtt: 10ms}]`,
		doc: "The shape of single links, whatever the regions say."},
	{name: "tier", kind: tier, standard: "packet where the host allows it, else model", example: "model",
		doc: "How truthfully links carry their shapes: packet (the kernel's own TCP over a path that delays and loses packets), model (bytes are released as a TCP sender over the path would) or stream (a plain delay line)."},
}}

var shape = []key{
	{name: "rtt", kind: delay, standard: "0s", example: "84ms",
		doc: "The round-trip time that the link adds, half of it each way."},
	{name: "jitter", kind: delay, standard: "0s", example: "6ms",
		doc: "How far the round-trip time strays: its standard deviation, or for uniform the most. It never reorders."},
	{name: "distribution", kind: distribution, standard: "normal", example: "pareto",
		doc: "What the jitter is drawn from: normal, uniform, pareto (mostly early, now and then very late) or constant."},
	{name: "correlation", kind: share, standard: "0", example: "25%",
		doc: "How much each jitter takes after the one before it."},
	{name: "loss", kind: share, standard: "0", example: "0.01%",
		doc: "The share of packets lost in each direction. A stream loses nothing by it but time."},
	{name: "burst", kind: number, standard: "1", example: "3",
		doc: "How many packets are lost in a row, on average."},
	{name: "rate", kind: rate, standard: "unlimited", example: "1Gbit",
		doc: "Bits per second in each direction, of all connections together, as tc writes them."},
	{name: "connection_rate", kind: rate, standard: "unlimited", example: "100Mbit",
		doc: "Bits per second in each direction, of each connection."},
	{name: "limit", kind: byteCount, standard: "50ms worth of the rate", example: "256KB",
		doc: "How many bytes may wait for their turn at the rate; more are lost."},
}

var between = kind{
	name:  "mapping",
	check: twoRegions,
	keys: append([]key{
		{name: "regions", kind: list(text), required: true, example: "[eu-west-1, us-east-1]", doc: "The two regions."},
	}, shape...),
}

var link = kind{
	name: "mapping",
	keys: append([]key{
		{name: "link", kind: linkID, required: true, example: `"docgen:db"`,
			doc: "The client and its upstream. Traffic from outside has the client `ingress`, or `ingress/REGION`."},
		{name: "tls", kind: tlsHandling, standard: "pass", example: "end",
			doc: "Whether the link passes TLS on as it is, or ends it with a certificate of the environment's own, which services trust, so that faults of requests reach inside. With nothing else given, the link keeps the shape of its regions."},
	}, shape...),
}

var dataset = kind{name: "mapping", check: somethingToLoad, keys: []key{
	{name: "sql", kind: list(text), standard: "none", example: "[schema.sql, seed.sql]",
		doc: "SQL files, scripts and `.sql.gz` files, loaded in this order after the image's own initialisation, relative to the project directory. Before any rows are generated."},
	{name: "staging", kind: list(text), standard: "`sql` alone, without generated rows", example: "[small.sql]",
		doc: "What is loaded instead of all this when the data facet is flat: the data that staging has."},
	{name: "profile", kind: text, standard: "nothing is generated", example: "profiles/customers.data.yaml",
		doc: "The data profile from which rows are generated for every table, see [data.md](data.md)."},
	{name: "plan", kind: text, standard: "guessed from names and types", example: "profiles/customers.plan.yaml",
		doc: "A file that says what columns mean, see [data.md](data.md)."},
	{name: "scale", kind: factor, standard: "1: as many rows as the profile has", example: "0.05",
		doc: "How many of the profile's rows are generated. Small lookup tables keep their size, and every artifact stays."},
	{name: "rows", kind: seedNumber, standard: "1000, where there is a plan and no profile", example: "5000",
		doc: "How many rows an ordinary table has of which no profile says it. It lets rows be generated from the schema alone."},
	{name: "seed", kind: seedNumber, standard: "1", example: "7",
		doc: "The seed of the rows. It is not the rehearsal's: the same dataset serves every seed of that."},
	{name: "after", kind: list(text), standard: "none", example: "[accounts.sql]",
		doc: "SQL files and scripts that are loaded after the rows are generated."},
	{name: "migrations", kind: list(text), standard: "none", example: "[migrations/0042_index.sql]",
		doc: "SQL files of the change itself. They run on every environment's own copy of the data, before services that depend on it start, are watched while they run, and what they lock and rewrite is a finding."},
	{name: "churn", kind: factor, standard: "nothing changes but by your services", example: "1",
		doc: "Let the profile's write mix run during the rehearsal's loads, at this many times production's rate. It stands for production's other writers and goes through no link."},
}}

var traffic = object(
	key{name: "profile", kind: text, required: true, example: "profiles/peak.traffic.yaml",
		doc: "The traffic profile's file, relative to the project directory."},
	key{name: "target", kind: text, standard: "the only service with a published port", example: "docgen",
		doc: "The service that the traffic goes to."},
	key{name: "port", kind: port, standard: "the target's only published port, else its only port", example: "8080",
		doc: "The target's port, as the service itself knows it."},
)

var suite = object(
	key{name: "command", kind: command, required: true, example: "[npx, playwright, test]",
		doc: "The command. Exit status 0 is a pass."},
	key{name: "dir", kind: text, standard: "the project directory", example: "e2e",
		doc: "Where it runs, relative to the project directory."},
	key{name: "env", kind: dict("variable", text), example: `{BASE_URL: "${docgen.url}"}`,
		doc: "Environment variables. `${NAME.url}`, `${NAME.host}` and `${NAME.port}` say where a service is reached from outside."},
	key{name: "results", kind: list(text), example: "[results.xml]",
		doc: "JUnit XML or CTRF JSON files that it writes, relative to `dir`."},
	key{name: "artifacts", kind: list(text), example: "[playwright-report]",
		doc: "Files and directories to keep, relative to `dir`."},
	key{name: "needs", kind: list(text), example: "[node]",
		doc: "Programs without which the suite is skipped, with the reason in the report."},
	key{name: "optional", kind: yesNo, standard: "false", example: "true",
		doc: "A suite that this host cannot run leaves the verdict unverified. One that is optional does not."},
	key{name: "timeout", kind: duration, standard: "10m", example: "2m",
		doc: "How long it may take."},
)

var step = kind{
	name:  "mapping",
	check: oneStep,
	keys: []key{
		{name: "suite", kind: text, example: "e2e", doc: "Run this suite."},
		{name: "load", kind: text, standard: "for an experiment, the only traffic profile", example: "peak", doc: "Drive this traffic profile at its target."},
		{name: "experiment", kind: text, example: "outage", doc: "Run this experiment, while the load goes on."},
		{name: "for", kind: duration, standard: "the profile's own duration, or as long as the experiment takes", example: "20s",
			doc: "How long the load lasts."},
		{name: "thresholds", kind: list(threshold), standard: "none: the load alone decides nothing", example: `["http_req_duration p(99)<800ms"]`,
			doc: "What must hold for the load, in k6's words."},
	},
}
