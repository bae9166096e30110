package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestFull(t *testing.T) {
	got, err := Load("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ms := func(n int) rehearse.Duration { return rehearse.Duration(time.Duration(n) * time.Millisecond) }
	var thresholds []rehearse.Threshold
	for _, s := range []string{"http_req_failed rate<0.001", "http_req_duration p(99)<800ms"} {
		th, err := rehearse.ParseThreshold(s)
		if err != nil {
			t.Fatal(err)
		}
		thresholds = append(thresholds, th)
	}
	want := &Config{
		File: "testdata/full.yaml",
		Name: "docgen",
		Seed: 7,
		Services: Map[Service]{
			{Name: "docgen", Line: 5, Value: Service{
				Region: Ref{"eu-west-1", 6},
				Ports:  []int{8080},
				Process: &Process{
					Build:   []string{"go", "build", "-o", "${out}/docgen", "."},
					Command: []string{"${out}/docgen"},
					Dir:     "app",
					Env:     map[string]string{"LOG": "debug"},
				},
				Ready: &Ready{HTTP: &HTTPGet{Path: "/healthz"}, Port: 8080, Timeout: ms(30_000)},
			}},
			{Name: "db", Line: 14, Value: Service{Region: Ref{"us-east-1", 15}, Dataset: Ref{"customers", 16}}},
		},
		Network: Network{
			Between: []Between{{Regions: []Ref{{"eu-west-1", 20}, {"us-east-1", 20}}, Shape: Shape{RTT: ms(84), Jitter: ms(6), Loss: 0.0001, Rate: Rate(rehearse.Gbit)}}},
			Within:  &Shape{RTT: rehearse.Duration(500 * time.Microsecond)},
			Links:   []Link{{Link: Ref{"docgen:db", 23}, Shape: Shape{RTT: ms(90), Jitter: ms(1), Rate: Rate(100 * rehearse.Mbit)}}},
			Tier:    rehearse.TierModel,
		},
		Data:    Map[Dataset]{{"customers", 27, Dataset{SQL: []string{"schema.sql"}, Staging: []string{"small.sql"}, Profile: "profiles/customers.data.yaml", Plan: "profiles/customers.plan.yaml", Scale: 0.05, Rows: 1000, Seed: 7, After: []string{"accounts.sql"}, Migrations: []string{"migrations/0042_index.sql"}, Churn: 1}}},
		Traffic: Map[Traffic]{{"peak", 40, Traffic{"profiles/peak.traffic.yaml", Ref{"docgen", 40}, 8080}}},
		Suites: Map[Suite]{{"e2e", 43, Suite{
			Command:   []string{"npx", "playwright", "test"},
			Dir:       "e2e",
			Env:       map[string]string{"BASE_URL": "${docgen.url}"},
			Results:   []string{"results.xml"},
			Artifacts: []string{"playwright-report"},
			Needs:     []string{"node"},
			Optional:  true,
			Timeout:   ms(120_000),
		}}},
		Rehearsal: []Step{
			{Suite: Ref{"e2e", 54}},
			{Load: Ref{"peak", 55}, For: ms(20_000), Thresholds: thresholds},
		},
		Checks: []Check{
			{Kind: rehearse.CheckLogErrors, Of: Ref{"*", 60}},
			{Kind: rehearse.CheckPoolExhausted, Of: Ref{"docgen:db", 61}},
			{Kind: rehearse.CheckNPlusOne, Of: Ref{"docgen:db", 62}, Operation: "docgen POST /documents", Limit: given(Bound(5)), Name: "orders"},
			{Kind: rehearse.CheckMaxDuration, Of: Ref{"docgen POST /documents", 63}, P95: ms(400)},
			{Kind: rehearse.CheckChattyLink, Of: Ref{"*", 64}, Limit: given(Bound(0.25))},
			{
				Kind: rehearse.CheckExpect, Of: Ref{`{ kind = server } >> { span.db.system.name = "postgresql" } | count() <= 3`, 65},
				Over: "p95", MinSamples: 20,
			},
			{Kind: rehearse.CheckPlanRegression, Of: Ref{"customers", 66}},
		},
		Telemetry: Telemetry{Propagate: given(true), Memory: 64 << 20, Disk: 1 << 30},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(rehearse.Threshold{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func given[T any](v T) *T { return &v }

func TestNothing(t *testing.T) {
	missing, err := Load(filepath.Join(t.TempDir(), "rehearse.yaml"))
	if err != nil {
		t.Fatalf("a missing file: %v", err)
	}
	missing.File = "f"
	for _, text := range []string{"", "# only a comment\n", "---\n", "services:\n", "x-common: {a: b}\n"} {
		got, err := Parse("f", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if d := cmp.Diff(missing, got); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

func TestAnchors(t *testing.T) {
	c, err := Parse("f", []byte(`
x-far: &far {rtt: 84ms, jitter: 6ms}
network:
  between:
    - {<<: *far, regions: [a, b]}
    - {<<: [*far], regions: [a, c], jitter: 1ms}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Network.Between[0].Jitter.String() + " " + c.Network.Between[1].Jitter.String(); got != "6ms 1ms" {
		t.Errorf("got jitter %s, want 6ms 1ms", got)
	}
}

func TestReadyHTTP(t *testing.T) {
	c, err := Parse("f", []byte("services: {web: {ready: {http: {path: /up, port: 81, status: 204}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	want := &HTTPGet{Path: "/up", Port: 81, Status: 204}
	if d := cmp.Diff(want, c.Services[0].Value.Ready.HTTP); d != "" {
		t.Error(d)
	}
}

func TestQuoted(t *testing.T) {
	c, err := Parse("f", []byte(`{seed: "7", telemetry: {propagate: "false"}, checks: [{max_calls: "*", limit: "5", min_samples: "3"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{File: "f", Seed: 7, Telemetry: Telemetry{Propagate: given(false)}, Checks: []Check{
		{Kind: rehearse.CheckMaxCalls, Of: Ref{"*", 1}, Limit: given(Bound(5)), MinSamples: 3},
	}}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestProblems(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"unknown key", "servces: {}\n", []string{`f:1: there is no key "servces"; did you mean services?`}},
		{"unknown nested key", "services:\n  db:\n    regoin: x\n", []string{`f:3: services.db: there is no key "regoin"; did you mean region?`}},
		{"key of another place", "services:\n  db: {}\nrtt: 3ms\n", []string{`f:3: there is no key "rtt"`}},
		{"misplaced key", "thresholds: []\n", []string{`f:1: there is no key "thresholds"; it belongs under rehearsal`}},
		{"all at once", "seed: -1\nnetwork:\n  within: {rtt: 5, rate: fast}\nrehearsal:\n  - load: x\n    thresholds: [p99<1s]\n  - {}\n", []string{
			`f:1: seed: "-1" is not a whole number of at least 1`,
			`f:3: network.within.rtt: "5" is not a duration`,
			`f:3: network.within.rate: "fast" is not a rate; write a number and a unit, as in 100Mbit or 1Gbit`,
			`f:6: rehearsal[0].thresholds[0]: "p99<1s" is not a threshold; write METRIC AGGREGATE OP NUMBER, as in "http_req_duration p(99)<800ms"`,
			`f:7: rehearsal[1]: a step needs suite or load`,
		}},
		{"required", "data:\n  big:\n", []string{"f:2: data.big: a dataset needs sql, profile or rows"}},
		{"command as text", "suites: {e2e: {command: npm test}}\n", []string{`f:1: suites.e2e.command: is the text "npm test", not a list`}},
		{"empty command", "services: {a: {process: {command: []}}}\n", []string{"f:1: services.a.process.command: is empty"}},
		{"port", "services: {a: {ports: [0, 70000]}}\n", []string{
			`f:1: services.a.ports[0]: "0" is not a whole number from 1 to 65535`,
			`f:1: services.a.ports[1]: "70000" is not a whole number from 1 to 65535`,
		}},
		{"regions", "network: {between: [{regions: [a]}, {regions: [a, a]}]}\n", []string{
			"f:1: network.between[0]: regions names 1 regions; it takes two",
			"f:1: network.between[1]: regions names a twice; the distance inside a region is network.within",
		}},
		{"two in a step", "rehearsal: [{suite: a, load: b}]\n", []string{"f:1: rehearsal[0]: a step has either suite or load; make two steps of it"}},
		{"suite with thresholds", "rehearsal: [{suite: a, thresholds: []}]\n", []string{"f:1: rehearsal[0]: thresholds belong to a load; a suite passes by its exit status"}},
		{"link", "network: {links: [{link: docgen-db}]}\n", []string{`f:1: network.links[0].link: "docgen-db" is not a link; write CLIENT:UPSTREAM, as in "web:db"`}},
		{"pattern", "services: {a: {ready: {log: '('}}}\n", []string{"f:1: services.a.ready.log: error parsing regexp: missing closing ): `(`"}},
		{"name", "name: Doc Gen\n", []string{`f:1: name: "Doc Gen" is not a name; write lower-case letters, digits, - and _`}},
		{"duplicate", "seed: 1\nseed: 2\n", []string{`f:2: the key "seed" is already in line 1`}},
		{"list at the top", "- a\n", []string{"f:1: the file is a list, not a mapping"}},
		{"two documents", "seed: 1\n---\nseed: 2\n", []string{"f:2: a second document starts here; rehearse.yaml holds one"}},
		{"yaml", "services:\n  a: {region: x\n", []string{"f:1: not valid YAML: did not find expected ',' or '}'"}},
		{"check", "checks:\n  - n_plus_on\n  - max_duration\n  - max_calls\n  - expect\n  - {n_plus_on: a:b}\n  - [log_errors]\n  - {log_errors: }\n", []string{
			`f:2: checks[0]: there is no check "n_plus_on"; did you mean n_plus_one?`,
			`f:3: checks[1]: max_duration needs a bound, as in {max_duration: "*", p95: 400ms}`,
			`f:4: checks[2]: max_calls needs a limit, as in {max_calls: "*", limit: 20}`,
			`f:5: checks[3]: expect needs an expression, as in {expect: '{ kind = server } >> { status = error } | count() = 0'}`,
			`f:6: checks[4]: there is no key "n_plus_on"; did you mean n_plus_one?`,
			`f:7: checks[5]: is a list, not a mapping`,
			`f:8: checks[6]: a check needs a kind and what it is asked of, as in {pool_exhausted: "web:db"}; "*" is everything`,
		}},
		{"what a check is asked of", "checks:\n  - {pool_exhausted: web}\n  - {log_errors: web:db}\n  - {n_plus_one: 'a:b:c'}\n  - {max_calls: web GET /, operation: web GET /, limit: 3}\n  - {n_plus_one: web:db, max_calls: web:db}\n  - {plan_regression: web:db}\n  - {plan_regression: customers, limit: 3}\n", []string{
			`f:2: checks[0]: pool_exhausted is asked of a link or "*", for everything; "web" is a service`,
			`f:3: checks[1]: log_errors is asked of a service or "*", for everything; "web:db" is a link`,
			`f:4: checks[2]: "a:b:c" is not a link; write CLIENT:UPSTREAM, as in "web:db"`,
			`f:5: checks[3]: the operation is given twice`,
			`f:6: checks[4]: a check asks one thing, but there are n_plus_one and max_calls; make a check of each`,
			`f:7: checks[5]: plan_regression is asked of a dataset or "*", for everything; "web:db" is a link`,
			`f:8: checks[6]: plan_regression takes no limit`,
		}},
		{"bounds of a check", "checks:\n  - {max_duration: '*'}\n  - {max_duration: '*', p95: 1s, max: 2s}\n  - {max_duration: '*', limit: 2s}\n  - {n_plus_one: '*', limit: 0}\n  - {chatty_link: '*', limit: 5}\n  - {pool_exhausted: '*', limit: 5}\n  - {max_calls: '*'}\n  - {expect: '{ }', over: most, min_samples: 0}\n  - {no_timeout: '*', limit: soon}\n  - {max_duration: '*', p95: 0s}\n", []string{
			`f:2: checks[0]: max_duration needs a bound: one of p50, p90, p95, p99, max`,
			`f:3: checks[1]: max_duration has one bound, but there are p95 and max; make a check of each`,
			`f:4: checks[2]: max_duration takes no limit`,
			`f:5: checks[3]: limit: "0" is not a count of at least 1`,
			`f:6: checks[4]: limit: "5" is not a duration; write a number and a unit, as in 500ms`,
			`f:7: checks[5]: pool_exhausted takes no limit`,
			`f:8: checks[6]: max_calls needs a limit`,
			`f:9: checks[7].over: "most" is not all, any or a share; write p95 for 95 of 100 traces`,
			`f:9: checks[7].min_samples: "0" is not a whole number from 1 to 1000000`,
			`f:10: checks[8].limit: "soon" is neither a count nor a duration`,
			`f:11: checks[9].p95: "0s" is not a duration above 0`,
		}},
		{"telemetry without room", "telemetry: {memory: 1KiB, disk: 2MiB}\n", []string{`f:1: telemetry.memory: "1KiB" is less than 1MiB, in which there is no room for anything`}},
		{"telemetry", "telemetry: {propagate: 1, memory: lots, dsk: 1GiB}\n", []string{
			`f:1: telemetry.propagate: "1" is neither true nor false`,
			`f:1: telemetry.memory: "lots" is not a number of bytes; write a number and a unit, as in 256KB or 1MiB`,
			`f:1: telemetry: there is no key "dsk"; did you mean disk?`,
		}},
		{"self alias", "x-a: &a [*a]\n", []string{"f:1: the alias a contains itself"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tt.text))
			if err == nil {
				t.Fatal("no error")
			}
			if got := rehearse.KindOf(err); got != rehearse.Invalid {
				t.Errorf("got kind %v, want Invalid", got)
			}
			if d := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestLoadUnreadable(t *testing.T) {
	_, err := Load(t.TempDir()) // a directory
	var e *rehearse.Error
	if !errors.As(err, &e) || e.Kind != rehearse.Invalid {
		t.Errorf("got %v, want an error of kind Invalid", err)
	}
}

// Whatever the file holds: an answer, no panic, and a Config or problems with
// the kind Invalid. What check accepts must decode.
func FuzzParse(f *testing.F) {
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte("a: &a [b, *a]\n<<: *a"))
	f.Add([]byte("services: {a: {ready: {http: [1]}}}"))
	f.Add([]byte("seed: 18446744073709551616"))
	f.Add([]byte("checks: [log_errors, {n_plus_one: 'a:b', limit: 5s}, {max_duration: '*', p95: 1s, min_samples: 007}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("got config %v and error %v", c, err)
		}
		if err != nil && rehearse.KindOf(err) != rehearse.Invalid {
			t.Fatalf("got kind %v for %v", rehearse.KindOf(err), err)
		}
	})
}
