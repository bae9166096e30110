package plan

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/compose"
	"github.com/rehearse-dev/rehearse/internal/config"
)

var update = flag.Bool("update", false, "write the golden files")

// profile is a traffic profile of a minute with a peak in the middle.
type profile struct{ origins []rehearse.Origin }

func (p profile) Over(d time.Duration) rehearse.Traffic {
	if d == 0 {
		d = time.Minute
	}
	return rehearse.Traffic{
		Duration: rehearse.Duration(d),
		Arrivals: rehearse.Poisson,
		Rate:     []rehearse.RatePoint{{PerSecond: 10}, {At: rehearse.Duration(d / 2), PerSecond: 50}, {At: rehearse.Duration(d), PerSecond: 10}},
		Origins:  p.origins,
		Requests: []rehearse.Request{{Name: "create", Weight: 1, Method: "POST", Path: "/documents"}},
		Timeout:  rehearse.Duration(5 * time.Second),
	}
}

var worldwide = profile{origins: []rehearse.Origin{
	{Region: "eu-west-1", Weight: 0.6}, {Region: "us-east-1", Weight: 0.3}, {Region: "ap-south-1", Weight: 0.1},
}}

func project(t testing.TB, dir string) *compose.Project {
	t.Helper()
	return projectFor(t, dir, "process")
}

func projectFor(t testing.TB, dir, driver string) *compose.Project {
	t.Helper()
	p, err := compose.Load(t.Context(), compose.Options{Dir: dir, Env: []string{"TOKEN=x"}, Driver: driver})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parse(t testing.TB, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("rehearse.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func docgen(t testing.TB, leg rehearse.Leg) Input {
	t.Helper()
	c, err := config.Load("testdata/docgen/rehearse.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return Input{
		Compose: project(t, "testdata/docgen"), Config: c, Leg: leg, Driver: "process",
		Traffic: map[string]TrafficFile{"peak": worldwide},
	}
}

func canonical(t testing.TB, p *rehearse.Plan) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), p.Dir, "/project")
}

func golden(t *testing.T, name string, p *rehearse.Plan) {
	t.Helper()
	got := canonical(t, p)
	file := filepath.Join("testdata", name+".golden.json")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestGolden(t *testing.T) {
	for _, leg := range []rehearse.Leg{
		rehearse.Staging(), rehearse.Production(), rehearse.Only(rehearse.FacetNetwork), rehearse.Only(rehearse.FacetTraffic),
		only(t, "network:docgen:db.rtt=41ms,traffic:peak.rate=40/s"),
	} {
		t.Run("docgen-"+leg.Name, func(t *testing.T) {
			p, err := Make(docgen(t, leg))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "docgen-"+leg.Name, p)
		})
	}
	for _, name := range []string{"voting", "django", "migrations", "networks", "nginx-proxy", "wordpress"} {
		t.Run(name, func(t *testing.T) {
			p, err := Make(Input{Compose: projectFor(t, composeData(name), "docker"), Leg: rehearse.Production(), Driver: "docker"})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, p)
		})
	}
}

func composeData(name string) string {
	return filepath.Join("..", "compose", "testdata", name)
}

// Every Compose file of the loader's tests gives a plan with Docker, and with
// the process driver a plan or a list of what it cannot run; twice the same.
func TestEveryComposeFile(t *testing.T) {
	entries, err := os.ReadDir(composeData(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == "samples" || e.Name() == "compose-e2e" {
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			dir := composeData(e.Name())
			for _, leg := range []rehearse.Leg{rehearse.Staging(), rehearse.Production()} {
				if _, err := Make(Input{Compose: project(t, dir), Leg: leg, Driver: "process"}); err != nil {
					if got := rehearse.KindOf(err); got != rehearse.Invalid {
						t.Errorf("got kind %v for %v", got, err)
					}
				}
				if asksForTheEngine[e.Name()] {
					continue
				}
				p, err := Make(Input{Compose: projectFor(t, dir, "docker"), Leg: leg, Driver: "docker"})
				if err != nil {
					t.Fatalf("%s: %v", leg.Name, err)
				}
				checkPlan(t, p)
				again, err := Make(Input{Compose: projectFor(t, dir, "docker"), Leg: leg, Driver: "docker"})
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(canonical(t, p), canonical(t, again)); d != "" {
					t.Errorf("two plans of the same files differ\n%s", d)
				}
			}
		})
	}
}

// asksForTheEngine are the projects that the loader refuses for containers.
var asksForTheEngine = map[string]bool{"aggregate": true, "monitoring": true}

// checkPlan holds a plan against what every plan promises.
func checkPlan(t *testing.T, p *rehearse.Plan) {
	t.Helper()
	seen := map[rehearse.ServiceName]bool{}
	for _, s := range p.Services {
		for _, n := range s.Needs {
			if !seen[n.Service] {
				t.Errorf("%s comes before %s, which it needs", s.Name, n.Service)
			}
		}
		seen[s.Name] = true
		if s.Ready.Timeout <= 0 {
			t.Errorf("%s has no time to become ready", s.Name)
		}
		if !slices.IsSortedFunc(s.Ports, func(a, b rehearse.Port) int { return a.Number - b.Number }) {
			t.Errorf("%s: ports %v are not sorted", s.Name, s.Ports)
		}
	}
	ids := map[rehearse.LinkID]bool{}
	names := map[string]rehearse.LinkID{}
	for _, l := range p.Links {
		if ids[l.ID] {
			t.Errorf("the link %s is there twice", l.ID)
		}
		ids[l.ID] = true
		if l.ID != rehearse.MakeLinkID(l.Client, l.Upstream) || len(l.Names) == 0 || len(l.Ports) == 0 {
			t.Errorf("the link %+v is not whole", l)
		}
		for _, n := range l.Names {
			key := string(l.Client) + " " + n
			if other, ok := names[key]; ok {
				t.Errorf("%s calls both %s and %s by the name %s", l.Client, other, l.ID, n)
			}
			names[key] = l.ID
		}
	}
}

// The order in which services and names come in does not matter.
func TestOrderOfInputDoesNotMatter(t *testing.T) {
	in := docgen(t, rehearse.Production())
	want, err := Make(in)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(in.Compose.Services)
	got, err := Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(canonical(t, want), canonical(t, got)); d != "" {
		t.Error(d)
	}
}

// Make leaves its input as it is.
func TestInputIsLeftAlone(t *testing.T) {
	in := docgen(t, rehearse.Production())
	before, err := json.Marshal(in.Compose)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Make(in); err != nil {
		t.Fatal(err)
	}
	after, err := json.Marshal(in.Compose)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(before), string(after)); d != "" {
		t.Error(d)
	}
	for _, o := range worldwide.origins {
		if o.Link != "" {
			t.Errorf("the profile's origin %s got the link %s", o.Region, o.Link)
		}
	}
}

func TestSeed(t *testing.T) {
	in := docgen(t, rehearse.Staging())
	for _, tt := range []struct{ flag, file, want uint64 }{{0, 0, 1}, {0, 7, 7}, {3, 7, 3}} {
		in.Seed, in.Config.Seed = tt.flag, tt.file
		p, err := Make(in)
		if err != nil {
			t.Fatal(err)
		}
		if p.Seed != tt.want {
			t.Errorf("flag %d, file %d: got %d, want %d", tt.flag, tt.file, p.Seed, tt.want)
		}
	}
}

func TestProblems(t *testing.T) {
	in := docgen(t, rehearse.Staging())
	in.Driver = "docker"
	in.Config = parse(t, `
services:
  docgn: {}
  db: {dataset: custmers, region: us-east-1}
  docgen: {region: eu-west-1, ready: {http: /}, process: {command: [a, "${dbb.host}"]}, ports: [9]}
network:
  between:
    - {regions: [eu-west-1, us-eest-1], rtt: 1ms}
    - {regions: [us-east-1, eu-west-1], rtt: 1ms}
    - {regions: [eu-west-1, us-east-1], rtt: 1ms}
  links:
    - {link: "docgen:bd", rtt: 1ms}
data: {customers: {sql: [a.sql]}}
traffic:
  peak: {profile: p, target: docgen}
  night: {profile: p, target: doc}
suites:
  e2e: {command: [curl, "${web.url}"]}
rehearsal:
  - suite: e2ee
  - load: peek
checks:
  - pool_exhausted: docgen:bd
  - {max_duration: dogen POST /documents, p95: 1s}
  - {log_errors: dbb, limit: 3}
  - {expect: '{ name = "x" '}
  - {expect: '{ nme = "x" }'}
  - log_errors
  - {log_errors: "*", limit: 3}
  - plan_regression: custmers
`)
	in.Traffic["night"] = profile{}
	_, err := Make(in)
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"rehearse.yaml:3: unknown service docgn; did you mean docgen?",
		"rehearse.yaml:4: unknown dataset custmers; did you mean customers?",
		"rehearse.yaml:5: services.docgen.ready: it is not clear which port http asks",
		"rehearse.yaml:5: unknown service dbb; did you mean db?",
		"rehearse.yaml:8: unknown region us-eest-1; did you mean us-east-1?",
		"rehearse.yaml:10: the distance between eu-west-1 and us-east-1 is given twice",
		"rehearse.yaml:12: unknown link docgen:bd; did you mean docgen:db?",
		"rehearse.yaml:16: unknown service doc",
		"rehearse.yaml:18: unknown service web",
		"rehearse.yaml:20: unknown suite e2ee; did you mean e2e?",
		"rehearse.yaml:21: unknown traffic peek; did you mean peak?",
		"rehearse.yaml:23: unknown link docgen:bd; did you mean docgen:db?",
		"rehearse.yaml:24: unknown service dogen; did you mean docgen?",
		"rehearse.yaml:25: unknown service dbb; did you mean db?",
		`rehearse.yaml:26: "{ name = \"x\" ": column 14: the expression ends where there should be } to close the condition`,
		`rehearse.yaml:27: "{ nme = \"x\" }": column 3: there is no field nme; did you mean name?`,
		`rehearse.yaml:29: the check "log_errors" is already in line 28`,
		"rehearse.yaml:30: unknown dataset custmers; did you mean customers?",
	}
	if d := cmp.Diff(want, strings.Split(err.Error(), "\n")); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// Every leg has the same checks, also those of links that it lacks.
func TestChecks(t *testing.T) {
	want, err := Make(docgen(t, rehearse.Production()))
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Checks) != 7 {
		t.Fatalf("got %d checks, want 7", len(want.Checks))
	}
	for _, leg := range []rehearse.Leg{rehearse.Staging(), rehearse.Only(rehearse.FacetData)} {
		got, err := Make(docgen(t, leg))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want.Checks, got.Checks); d != "" {
			t.Errorf("%s: (-production +%s)\n%s", leg.Name, leg.Name, d)
		}
	}
}

// A link of a region is not there in every leg, but its name is right in all.
func TestCheckOfARegion(t *testing.T) {
	for _, leg := range []rehearse.Leg{rehearse.Staging(), rehearse.Production()} {
		in := docgen(t, leg)
		in.Driver, in.Config = "docker", parse(t, `
traffic: {peak: {profile: p, target: docgen}}
checks: [{max_calls: "ingress/us-east-1:docgen", operation: "* GET /", limit: 0}]
`)
		p, err := Make(in)
		if err != nil {
			t.Fatal(err)
		}
		want := []rehearse.Check{{
			Name: "max_calls ingress/us-east-1:docgen in * GET /", Kind: rehearse.CheckMaxCalls,
			Link: "ingress/us-east-1:docgen", Operation: "* GET /",
		}}
		if d := cmp.Diff(want, p.Checks); d != "" {
			t.Errorf("%s: (-want +got)\n%s", leg.Name, d)
		}
	}
}

func TestTrafficTarget(t *testing.T) {
	tests := []struct{ name, dir, text, want string }{
		{"two published", "voting", "traffic: {peak: {profile: p}}",
			"rehearse.yaml:1: traffic.peak does not say where it goes, and there are published ports on result and vote"},
		{"none published", "extends", "traffic: {peak: {profile: p, target: db, port: 1}, x: {profile: p}}",
			"rehearse.yaml:1: the profile of the traffic x was not loaded"},
		{"two ports", "voting", "traffic: {peak: {profile: p, target: result}}",
			"rehearse.yaml:1: traffic.peak does not say which port of result it goes to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Make(Input{
				Compose: project(t, composeData(tt.dir)), Config: parse(t, tt.text), Driver: "docker",
				Leg: rehearse.Production(), Traffic: map[string]TrafficFile{"peak": worldwide},
			})
			if err == nil || err.Error() != tt.want {
				t.Errorf("\ngot  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestProcessDriverNeedsAProcess(t *testing.T) {
	_, err := Make(Input{Compose: project(t, composeData("voting")), Driver: "process", Leg: rehearse.Staging()})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"docker-compose.yml: the process driver cannot run the service result: its image is built from a Dockerfile",
		"docker-compose.yml: the process driver cannot run the service vote: its image is built from a Dockerfile",
		"docker-compose.yml: the process driver cannot run the service worker: its image is built from a Dockerfile",
	}
	if d := cmp.Diff(want, strings.Split(err.Error(), "\n")); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
