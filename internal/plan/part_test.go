package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/config"
)

func only(t testing.TB, list string) rehearse.Leg {
	t.Helper()
	var parts []rehearse.Part
	for text := range strings.SplitSeq(list, ",") {
		p, err := rehearse.ParsePart(text)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	return rehearse.OnlyParts(parts...)
}

// conditions is a plan without what it is called, and without the regions of
// links that are flat all the same.
func conditions(t testing.TB, p *rehearse.Plan) string {
	t.Helper()
	c := *p
	c.Leg = rehearse.Leg{}
	c.Links = slices.Clone(p.Links)
	for i, l := range c.Links {
		if l.Shape.IsZero() {
			c.Links[i].From, c.Links[i].To = "", ""
		}
	}
	return canonical(t, &c)
}

// A leg of parts that make up whole facets plans what the facets do.
func TestPartsMakeUpTheWhole(t *testing.T) {
	for _, leg := range []rehearse.Leg{
		rehearse.Production(), rehearse.Only(rehearse.FacetNetwork), rehearse.Only(rehearse.FacetTraffic, rehearse.FacetData),
	} {
		want, err := Make(docgen(t, leg))
		if err != nil {
			t.Fatal(err)
		}
		var parts []rehearse.Part
		for _, s := range Suspects(want, nil) {
			parts = append(parts, s.Part)
		}
		if len(parts) == 0 {
			t.Fatalf("%s: nothing is suspect", leg.Name)
		}
		got, err := Make(docgen(t, rehearse.OnlyParts(parts...)))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(conditions(t, want), conditions(t, got)); d != "" {
			t.Errorf("%s of its parts (-whole +parts)\n%s", leg.Name, d)
		}
	}
}

// With each part's value as in production, the value changes nothing.
func TestFullValuesChangeNothing(t *testing.T) {
	want, err := Make(docgen(t, rehearse.Production()))
	if err != nil {
		t.Fatal(err)
	}
	var parts []rehearse.Part
	for _, s := range Suspects(want, nil) {
		parts = append(parts, s.At(s.Full))
	}
	got, err := Make(docgen(t, rehearse.OnlyParts(parts...)))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(conditions(t, want), conditions(t, got)); d != "" {
		t.Errorf("(-production +full values)\n%s", d)
	}
}

func TestSuspects(t *testing.T) {
	for leg, want := range map[string]string{
		"network,traffic": "network:docgen:cache.rtt=500µs network:docgen:db.rtt=84ms network:docgen:db.jitter=6ms network:docgen:db.rate=1Gbit " +
			"traffic:peak.rate=50/s traffic:peak.arrivals traffic:peak.origins",
		"data": "data:customers",
		"network:docgen:db,traffic:peak.rate=40/s":  "network:docgen:db.rtt=84ms network:docgen:db.jitter=6ms network:docgen:db.rate=1Gbit traffic:peak.rate=40/s",
		"network:docgen:db.rtt=41ms,traffic:peak":   "network:docgen:db.rtt=41ms traffic:peak.rate=50/s traffic:peak.arrivals traffic:peak.origins",
		"network:docgen:cache,data:customers":       "network:docgen:cache.rtt=500µs data:customers",
		"network:docgen:db.loss=1%,data:customers":  "network:docgen:db.loss=1% data:customers",
		"traffic:peak.origins,network:docgen:cache": "network:docgen:cache.rtt=500µs traffic:peak.origins",
	} {
		p, err := Make(docgen(t, only(t, leg)))
		if err != nil {
			t.Errorf("%s: %v", leg, err)
			continue
		}
		var got []string
		for _, s := range Suspects(p, nil) {
			s.Part.Value = s.Full
			if !strings.HasPrefix(s.Part.Subject, string(rehearse.Ingress)) {
				got = append(got, s.Part.String())
			}
		}
		if d := cmp.Diff(want, strings.Join(got, " ")); d != "" {
			t.Errorf("%s (-want +got)\n%s", leg, d)
		}
	}
}

func TestWrongParts(t *testing.T) {
	for leg, want := range map[string]string{
		"network:docgen:bd.rtt": "did you mean docgen:db?",
		"network:nothing":       `there is no link "nothing"`,
		"traffic:peek":          "did you mean peak?",
		"data:customer":         "did you mean customers?",
		"faults:outage":         `there is no experiment "outage"`,
		"network:docgen:db.rtt=3ms,network:docgen:db.rtt=4ms":       "two values",
		"network:docgen:bd,traffic:peek,network:docgen:db.rtt=3ms,": "",
	} {
		leg = strings.TrimSuffix(leg, ",")
		_, err := Make(docgen(t, only(t, leg)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", leg, err, want)
		}
		if rehearse.KindOf(err) != rehearse.Invalid || len(rehearse.Hints(err)) == 0 {
			t.Errorf("%s: kind %v, hints %q", leg, rehearse.KindOf(err), rehearse.Hints(err))
		}
	}
}

// An aspect of generated rows that is not in force is named in the dataset, and
// flat data has none of them.
func TestPartsOfGeneratedData(t *testing.T) {
	for leg, want := range map[string]*rehearse.DataSpec{
		"traffic": {Name: "customers"},
		"data":    {Name: "customers", Profile: "/p.yaml", Scale: 1, Seed: 1, Churn: 2},
		"data:customers.nulls": {Name: "customers", Profile: "/p.yaml", Scale: 1, Seed: 1, Without: []rehearse.Aspect{
			"volume", "skew", "encoding", "spaces", "lengths", "quoting", "times", "numbers", "documents", "duplicates", "orphans",
		}},
	} {
		in := docgen(t, only(t, leg))
		c := parse(t, `
services: {docgen: {process: {command: [docgen]}}, db: {dataset: customers}}
data: {customers: {profile: /p.yaml, churn: 2}}
`)
		in.Config, in.Traffic = c, nil
		in.Leg.Parts = nil
		if strings.Contains(leg, ":") {
			in.Leg = only(t, leg)
		}
		p, err := Make(in)
		if err != nil {
			t.Fatal(err)
		}
		db, _ := p.Service("db")
		if d := cmp.Diff(want, db.Data); d != "" {
			t.Errorf("%s (-want +got)\n%s", leg, d)
		}
	}
}

// Of a method only the actions that are asked for are done, on the same time line.
func TestPartsOfMethods(t *testing.T) {
	for leg, want := range map[string]struct {
		titles   string
		calm     bool
		length   string
		suspects string
	}{
		"faults":                         {"docgen:db: delay, db: kill", false, "10s", "faults:all/1.delay=300ms faults:all/2.for=3s"},
		"network":                        {"docgen:db: delay, db: kill", true, "10s", ""},
		"faults:all/2":                   {"db: kill", false, "10s", "faults:all/2.for=3s"},
		"faults:all/1.for=2s":            {"docgen:db: delay", false, "10s", "faults:all/1.delay=300ms"},
		"faults:all/1.delay=50ms,faults": {"docgen:db: delay, db: kill", false, "10s", "faults:all/1.delay=50ms faults:all/2.for=3s"},
	} {
		in := docgen(t, only(t, leg))
		in.Config.Experiments = parse(t, `
experiments:
  all:
    method:
      - {link: "docgen:db", fault: delay, delay: 300ms, for: 10s}
      - {service: db, fault: kill, at: 1s, for: 3s}
`).Experiments
		in.Config.Rehearsal = []config.Step{{Experiment: config.Ref{Name: "all"}}}
		p, err := Make(in)
		if err != nil {
			t.Errorf("%s: %v", leg, err)
			continue
		}
		s := p.Steps[0].Experiment
		var titles, suspects []string
		for _, a := range s.Method {
			titles = append(titles, a.Title)
		}
		for _, c := range Suspects(p, nil) {
			if c.Part.Facet == rehearse.FacetFaults {
				suspects = append(suspects, c.At(c.Full).String())
			}
			if c.Part.Facet == rehearse.FacetTraffic && c.Part.Subject != "peak" {
				t.Errorf("%s: the load of an experiment is suspect as %s", leg, c.Part)
			}
		}
		if got := strings.Join(titles, ", "); got != want.titles || s.Calm != want.calm || s.Length().String() != want.length || strings.Join(suspects, " ") != want.suspects {
			t.Errorf("%s: does %s, calm %v, for %v, suspect is %v; want %+v", leg, got, s.Calm, s.Length(), suspects, want)
		}
		switch a := s.Method[0]; {
		case strings.Contains(leg, "for=2s") && a.For.String() != "2s":
			t.Errorf("%s: it lasts %v", leg, a.For)
		case strings.Contains(leg, "delay=50ms") && a.Fault.Delay.String() != "50ms":
			t.Errorf("%s: it delays by %v", leg, a.Fault.Delay)
		}
	}
}

func TestWrongPartsOfMethods(t *testing.T) {
	for leg, want := range map[string]string{
		"faults:all/5":                 "has no action 5",
		"faults:all/1.share=3%":        `"docgen:db: sql-error" has no share`,
		"faults:all/2.probability=3%":  `"db: restart" has no probability`,
		"faults:all/2.for=3s":          `"db: restart" has no for`,
		"faults:all/1.probability=12%": "",
	} {
		in := docgen(t, only(t, leg))
		in.Config.Experiments = parse(t, `
experiments:
  all:
    method:
      - {link: "docgen:db", fault: sql-error, code: "40001", probability: 30%, for: 10s}
      - {service: db, fault: restart, at: 1s}
`).Experiments
		in.Config.Rehearsal = []config.Step{{Experiment: config.Ref{Name: "all"}}}
		switch p, err := Make(in); {
		case want != "":
			if err == nil || !strings.Contains(err.Error(), want) || rehearse.KindOf(err) != rehearse.Invalid {
				t.Errorf("%s: %v, want %q", leg, err, want)
			}
		case err != nil:
			t.Errorf("%s: %v", leg, err)
		default:
			if f := p.Steps[0].Experiment.Method[0].Fault; f.Probability != 0.12 {
				t.Errorf("%s: %+v", leg, f)
			}
		}
	}
}

func TestLoadThatIsTooLarge(t *testing.T) {
	in := docgen(t, rehearse.Production())
	in.Config.Experiments = parse(t, `
experiments:
  ages: {method: [{link: "docgen:db", fault: reset, for: 999999h}]}
`).Experiments
	in.Config.Rehearsal = []config.Step{{Experiment: config.Ref{Name: "ages", Line: 3}}}
	_, err := Make(in)
	if rehearse.KindOf(err) != rehearse.Invalid || !strings.Contains(err.Error(), "requests, and may have 20000000") || len(rehearse.Hints(err)) != 1 {
		t.Errorf("got %v", err)
	}
}
