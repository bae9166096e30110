package report

import (
	"encoding/json"
	"io"
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
}

type jsonLeg struct {
	Name        string                 `json:"name"`
	Dir         string                 `json:"dir"`
	Outcome     rehearse.Outcome       `json:"outcome"`
	Seed        uint64                 `json:"seed"`
	Facets      []rehearse.Facet       `json:"facets"`
	Driver      string                 `json:"driver,omitempty"`
	Environment rehearse.EnvironmentID `json:"environment,omitempty"`
	Started     time.Time              `json:"started,omitzero"`
	Elapsed     rehearse.Duration      `json:"elapsed"`
	Findings    []rehearse.Finding     `json:"findings"`
	Services    []jsonService          `json:"services"`
	Loads       []jsonLoad             `json:"loads"`
	Suites      []rehearse.SuiteResult `json:"suites"`
	Links       []jsonLink             `json:"links"`
	Facts       []rehearse.Fact        `json:"facts"`
	Notes       []rehearse.Note        `json:"notes"`
	Damage      []string               `json:"damage"`
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
	}
	for _, l := range legsOf(r) {
		out.Legs = append(out.Legs, newJSONLeg(l))
	}
	if len(r.Legs) > 1 {
		out.Differences = Compare(r.Legs)
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
		Driver:      l.plan.Driver,
		Environment: l.begin.Environment,
		Started:     l.started,
		Findings:    list(l.Verdict.Findings),
		Services:    []jsonService{},
		Loads:       []jsonLoad{},
		Suites:      list(l.suites),
		Links:       []jsonLink{},
		Facts:       list(l.facts),
		Notes:       list(l.plan.Notes),
		Damage:      list(l.damage),
	}
	if l.end != nil {
		j.Elapsed = l.end.Elapsed
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
