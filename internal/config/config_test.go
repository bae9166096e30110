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
	thresholds := thresholdsOf(t, "http_req_failed rate<0.001", "http_req_duration p(99)<800ms")
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
		Experiments: Map[Experiment]{
			{Name: "outage", Line: 54, Value: Experiment{
				Steady: thresholdsOf(t, "http_req_failed rate<0.01"), During: thresholdsOf(t, "http_req_failed rate<0.5"),
				Checks: []Check{{Kind: rehearse.CheckMaxDuration, Of: Ref{"ingress:docgen", 57}, P95: ms(400)}},
				Before: given(ms(5000)), Recover: given(ms(5000)), After: given(ms(5000)),
				Method: []Action{
					{Target: Target{Region: Ref{"us-east-1", 60}}, Fault: Ref{"partition", 60}, For: given(ms(10_000))},
					{Target: Target{Link: Ref{"docgen:db", 61}}, Fault: Ref{"delay", 61}, At: given(ms(0)), Parameters: map[string]string{"delay": "300ms"}},
					{Target: Target{Service: Ref{"db", 62}}, Fault: Ref{"reset", 62}, Every: ms(2000), Each: ms(500)},
					{Target: Target{Service: Ref{"db", 63}}, Fault: Ref{"kill", 63}, For: given(ms(3000))},
					{Target: Target{Label: Ref{"tier=backend", 64}}, Fault: Ref{"pause", 64}, For: given(ms(2000))},
				},
			}},
			{Name: "slow-db", Line: 67, Value: Experiment{
				Use: Ref{"dependency-slow", 67}, Target: Target{Link: Ref{"docgen:db", 67}}, Parameters: map[string]string{"delay": "500ms"},
			}},
		},
		Rehearsal: []Step{
			{Suite: Ref{"e2e", 70}},
			{Load: Ref{"peak", 71}, For: ms(20_000), Thresholds: thresholds},
			{Experiment: Ref{"outage", 74}, Load: Ref{"peak", 74}},
		},
		Checks: []Check{
			{Kind: rehearse.CheckLogErrors, Of: Ref{"*", 77}},
			{Kind: rehearse.CheckPoolExhausted, Of: Ref{"docgen:db", 78}},
			{Kind: rehearse.CheckNPlusOne, Of: Ref{"docgen:db", 79}, Operation: "docgen POST /documents", Limit: given(Bound(5)), Name: "orders"},
			{Kind: rehearse.CheckMaxDuration, Of: Ref{"docgen POST /documents", 80}, P95: ms(400)},
			{Kind: rehearse.CheckChattyLink, Of: Ref{"*", 81}, Limit: given(Bound(0.25))},
			{
				Kind: rehearse.CheckExpect, Of: Ref{`{ kind = server } >> { span.db.system.name = "postgresql" } | count() <= 3`, 82},
				Over: "p95", MinSamples: 20,
			},
			{Kind: rehearse.CheckPlanRegression, Of: Ref{"customers", 83}},
		},
		Telemetry: Telemetry{Propagate: given(true), Memory: 64 << 20, Disk: 1 << 30},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(rehearse.Threshold{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func thresholdsOf(t *testing.T, texts ...string) []rehearse.Threshold {
	t.Helper()
	var out []rehearse.Threshold
	for _, s := range texts {
		th, err := rehearse.ParseThreshold(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, th)
	}
	return out
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
			`f:7: rehearsal[1]: a step needs suite, load or experiment`,
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
		{"experiments", `experiments:
  a: {steady: [x]}
  b: {}
  c: {method: [], use: region-outage}
  d: {use: region-outge, region: x}
  e: {use: region-outage}
  f: {use: dependency-slow, link: "a:b", status: 503}
  g: {use: cold-restart, link: "a:b"}
  h: {link: "a:b", method: [{service: a, fault: reset}]}
`, []string{
			`f:2: experiments.a.steady[0]: "x" is not a threshold; write METRIC AGGREGATE OP NUMBER, as in "http_req_duration p(99)<800ms"`,
			"f:3: experiments.b: an experiment needs a method, or the name of one under use",
			"f:4: experiments.c: an experiment has either method or use",
			`f:5: experiments.d.use: the library has no experiment "region-outge"; did you mean region-outage?`,
			"f:6: experiments.e: region-outage needs a target, as in region",
			"f:7: experiments.f: dependency-slow takes no status",
			"f:8: experiments.g: restart happens to a service; name that, in the place of the link",
			"f:9: experiments.h: link belongs to an action of the method",
		}},
		{"actions", `experiments:
  a:
    method:
      - {service: a, fault: partitoin}
      - {fault: reset}
      - {service: a, region: b, fault: reset}
      - {link: "a:b", fault: kill}
      - {link: "a:b", fault: delay, status: 503}
      - {link: "a:b", fault: loss}
      - {service: a, fault: restart, for: 3s}
      - {service: a, fault: cpu}
      - {link: "a:b", fault: reset, for: 0s}
      - {link: "a:b", fault: reset, for: 2s, every: 3s}
      - {link: "a:b", fault: reset, every: 3s, each: 3s}
      - {link: "a:b", fault: reset, each: 3s}
      - {service: a, fault: kill, every: 3s}
      - {link: "a:b", fault: delay, delay: 0s}
      - {link: "a:b", fault: abort, status: 999}
`, []string{
			`f:4: experiments.a.method[0].fault: there is no fault "partitoin"; did you mean partition?`,
			"f:5: experiments.a.method[1]: an action needs a target: link, service, region or label",
			"f:6: experiments.a.method[2]: an action has one target, but there are service and region; make an action of each",
			"f:7: experiments.a.method[3]: kill happens to a service; name that, in the place of the link",
			"f:8: experiments.a.method[4]: fault delay: it takes no status",
			"f:9: experiments.a.method[5]: fault loss: it needs share",
			"f:10: experiments.a.method[6]: a restart takes as long as it takes, and no for",
			"f:11: experiments.a.method[7]: cpu: it needs cpus",
			"f:12: experiments.a.method[8]: for is 0: nothing would happen",
			"f:13: experiments.a.method[9]: every is longer than the action",
			"f:14: experiments.a.method[10]: each is not shorter than every: the fault would stay",
			"f:15: experiments.a.method[11]: each is how long a fault stays that comes and goes; that needs every, too",
			"f:16: experiments.a.method[12]: kill does not come and go; make an action of each time",
			"f:17: experiments.a.method[13]: fault delay: it needs delay or jitter, or nothing would happen",
			`f:18: experiments.a.method[14].status: "999" is not a whole number from 100 to 599`,
		}},
		{"names that cannot be spoken of", `traffic:
  "a,b": {profile: p.yaml, target: a}
suites:
  " ": {command: ["true"]}
experiments:
  a/b: {method: [{link: "a:b", fault: reset}]}
`, []string{
			`f:2: traffic: "a,b" cannot be a name: --only tells parts apart by , and =`,
			"f:4: suites: a name is empty",
			`f:6: experiments: "a/b" cannot be a name: --only tells parts apart by , and = and /`,
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
	f.Add([]byte("experiments: {a: {use: region-outage, region: a, for: 3s}, b: {method: [{label: a=b, fault: reset, every: 2s, each: }]}}"))
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

// Every experiment of the library fits its usual target, and takes a for.
func TestLibrary(t *testing.T) {
	targets := map[string]Target{"link": {Link: Ref{Name: "a:b"}}, "service": {Service: Ref{Name: "b"}}, "region": {Region: Ref{Name: "r"}}}
	for _, n := range Library {
		e := Experiment{Use: Ref{Name: n.Name}, Target: targets[n.Target], For: given(rehearse.Duration(20 * time.Second))}
		actions, problem := e.Actions()
		if problem != "" || len(actions) == 0 {
			t.Errorf("%s: %d actions, problem %q", n.Name, len(actions), problem)
		}
		for _, a := range actions {
			if a.Target != e.Target {
				t.Errorf("%s: an action on %v, want %v", n.Name, a.Target, e.Target)
			}
		}
	}
	slow := Experiment{Use: Ref{Name: "dependency-slow"}, Target: targets["link"], Parameters: map[string]string{"delay": "2s"}}
	actions, problem := slow.Actions()
	if f, err := actions[0].MakeFault(); problem != "" || err != nil || f.Delay != rehearse.Duration(2*time.Second) || f.Direction != rehearse.Down {
		t.Errorf("got %+v, %v, problem %q; want the library's fault with a delay of 2s", f, err, problem)
	}
	if again, _ := (Experiment{Use: slow.Use, Target: slow.Target}).Actions(); again[0].Parameters["delay"] != "300ms" {
		t.Errorf("the library has changed: %v", again[0].Parameters)
	}
}
