package report

import (
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// SchemaVersion is the version of the JSON report's schema. It grows when a
// field changes its meaning or goes away, not when one is added.
const SchemaVersion = 1

type jsonReport struct {
	SchemaVersion int              `json:"schemaVersion"`
	Run           rehearse.RunID   `json:"run"`
	Project       string           `json:"project"`
	Version       string           `json:"version"`
	Outcome       rehearse.Outcome `json:"outcome"`
	Legs          []jsonLeg        `json:"legs"`
	Differences   []Difference     `json:"differences"`

	Diagnosis   *rehearse.Diagnosis   `json:"diagnosis,omitempty"`
	Explanation *rehearse.Explanation `json:"explanation,omitempty"`
}

type jsonLeg struct {
	Name        string                 `json:"name"`
	Dir         string                 `json:"dir"`
	Outcome     rehearse.Outcome       `json:"outcome"`
	Seed        uint64                 `json:"seed"`
	Facets      []rehearse.Facet       `json:"facets"`
	Parts       []rehearse.Part        `json:"parts,omitempty"`
	Driver      string                 `json:"driver,omitempty"`
	Environment rehearse.EnvironmentID `json:"environment,omitempty"`
	Started     time.Time              `json:"started,omitzero"`
	Elapsed     rehearse.Duration      `json:"elapsed"`
	Findings    []rehearse.Finding     `json:"findings"`
	Services    []jsonService          `json:"services"`
	Loads       []jsonLoad             `json:"loads"`
	Experiments []experiment           `json:"experiments"`
	Tried       []tried                `json:"tried"`
	Suites      []rehearse.SuiteResult `json:"suites"`
	Links       []jsonLink             `json:"links"`
	Facts       []rehearse.Fact        `json:"facts"`
	Notes       []rehearse.Note        `json:"notes"`
	Damage      []string               `json:"damage"`
	Telemetry   *jsonTelemetry         `json:"telemetry,omitempty"`
	Spent       *jsonSpent             `json:"spent,omitempty"`

	Migrations []rehearse.MigrationResult `json:"migrations"`
	Churn      []rehearse.ChurnResult     `json:"churn"`
	Plans      []rehearse.PlansResult     `json:"plans"`
}

// jsonTelemetry is what a leg's telemetry comes to, without the traces: those are
// in the files that Result names.
type jsonTelemetry struct {
	Coverage rehearse.Coverage         `json:"coverage"`
	Traces   int                       `json:"traces"`
	Loose    int                       `json:"loose"`
	Pools    []rehearse.Pool           `json:"pools"`
	Flaws    map[string]int            `json:"flaws,omitempty"`
	Result   *rehearse.TelemetryResult `json:"result,omitempty"`
}

type jsonService struct {
	Name   rehearse.ServiceName  `json:"name"`
	Region rehearse.Region       `json:"region,omitempty"`
	State  rehearse.ServiceState `json:"state"`
	Ready  rehearse.Duration     `json:"readyAfter,omitempty"`
}

type jsonLoad struct {
	rehearse.LoadResult
	loadFigures
	ByRequest []jsonRequest `json:"byRequest"`
}

type jsonRequest struct {
	Request string `json:"request"`
	loadFigures
}

type jsonLink struct {
	Client   rehearse.ServiceName `json:"client"`
	Upstream rehearse.ServiceName `json:"upstream"`
	Declared bool                 `json:"declared"`
	rehearse.LinkStats
}

// JSON writes the report for machines, as docs/report.schema.json describes it.
func JSON(w io.Writer, r rehearse.Report) error {
	out := jsonReport{
		SchemaVersion: SchemaVersion,
		Run:           r.Run,
		Project:       r.Project,
		Version:       r.Version,
		Outcome:       Overall(r),
		Legs:          []jsonLeg{},
		Differences:   []Difference{},
		Explanation:   r.Explanation,
	}
	for _, l := range legsOf(r) {
		out.Legs = append(out.Legs, newJSONLeg(l))
	}
	if len(r.Legs) > 1 {
		out.Differences = Compare(r.Legs)
	}
	if r.Diagnosis != nil {
		d := *r.Diagnosis
		d.Facts, d.Operations = list(d.Facts), slices.Clone(list(d.Operations))
		for i := range d.Operations {
			d.Operations[i].Parts = list(d.Operations[i].Parts)
		}
		out.Diagnosis = &d
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

func newJSONLeg(l leg) jsonLeg {
	j := jsonLeg{
		Name:        l.Name,
		Dir:         l.Dir,
		Outcome:     l.Verdict.Outcome,
		Seed:        l.Verdict.Seed,
		Facets:      list(l.plan.Leg.Facets),
		Parts:       l.plan.Leg.Parts,
		Driver:      l.plan.Driver,
		Environment: l.begin.Environment,
		Started:     l.started,
		Findings:    list(l.Verdict.Findings),
		Services:    []jsonService{},
		Loads:       []jsonLoad{},
		Experiments: l.experiments(),
		Tried:       l.tried(),
		Suites:      list(l.suites),
		Links:       []jsonLink{},
		Facts:       list(l.facts),
		Notes:       list(l.plan.Notes),
		Damage:      list(l.damage),
		Migrations:  list(l.migrations),
		Churn:       list(l.churns),
		Plans:       list(l.plans),
	}
	if l.end != nil {
		j.Elapsed = l.end.Elapsed
	}
	j.Spent = newJSONSpent(l)
	if t := l.telemetry; t != nil {
		j.Telemetry = &jsonTelemetry{t.Coverage, len(t.Traces), len(t.Loose), list(t.Pools), t.Flaws, l.left}
	} else if l.left != nil {
		j.Telemetry = &jsonTelemetry{Pools: []rehearse.Pool{}, Result: l.left}
	}
	for _, s := range l.services {
		state, ready := s.last()
		j.Services = append(j.Services, jsonService{s.spec.Name, s.spec.Region, state, ready})
	}
	for _, d := range l.loads {
		jl := jsonLoad{LoadResult: d.result, loadFigures: figures(d.samples), ByRequest: []jsonRequest{}}
		names, samples := d.byRequest()
		for _, n := range names {
			jl.ByRequest = append(jl.ByRequest, jsonRequest{n, figures(samples[n])})
		}
		j.Loads = append(j.Loads, jl)
	}
	for _, k := range l.links {
		j.Links = append(j.Links, jsonLink{k.spec.Client, k.spec.Upstream, k.spec.Declared, k.stats})
	}
	return j
}

// list makes no list an empty one, so that a reader need not tell them apart.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
