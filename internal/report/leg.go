package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// leg is a leg's evidence, sorted into what reports show.
type leg struct {
	rehearse.LegReport
	plan     rehearse.Plan
	begin    rehearse.Begin
	started  time.Time // zero when the evidence does not say
	end      *rehearse.End
	services []service
	loads    []load
	suites   []rehearse.SuiteResult
	links    []link
	facts    []rehearse.Fact
	ticks    []rehearse.Tick
	actions  []rehearse.ActionEvent
	damage   []string

	usage      []rehearse.UsageResult
	migrations []rehearse.MigrationResult
	churns     []rehearse.ChurnResult
	plans      []rehearse.PlansResult

	spent     *rehearse.Spent           // nil when the evidence does not say
	telemetry *rehearse.Telemetry       // nil when there is none
	left      *rehearse.TelemetryResult // nil when the evidence does not say
}

// service is one service's way through its states.
type service struct {
	spec   rehearse.Service
	events []serviceEvent
}

type serviceEvent struct {
	rehearse.ServiceEvent
	at time.Duration // since the leg's start
}

// load is one load step that ran.
type load struct {
	spec    rehearse.LoadStep
	result  rehearse.LoadResult
	samples []rehearse.Sample
}

// link is one link and what it saw; the spec lacks its names and ports when the
// plan does not know the link.
type link struct {
	spec  rehearse.LinkSpec
	stats rehearse.LinkStats
}

func legsOf(r rehearse.Report) []leg {
	out := make([]leg, len(r.Legs))
	for i, l := range r.Legs {
		out[i] = newLeg(l)
	}
	return out
}

func newLeg(lr rehearse.LegReport) leg {
	l := leg{LegReport: lr}
	ev := lr.Evidence
	if ev == nil {
		return l
	}
	l.damage = ev.Damage
	if l.telemetry = ev.Telemetry; l.telemetry != nil {
		l.left = &l.telemetry.Result
	}
	for _, rec := range ev.Records {
		if l.started.IsZero() {
			l.started = rec.Time
		}
		switch {
		case rec.Begin != nil:
			l.begin, l.plan = *rec.Begin, rec.Begin.Plan
			for _, s := range l.plan.Services {
				l.service(s.Name).spec = s
			}
		case rec.Service != nil:
			s := l.service(rec.Service.Service)
			s.events = append(s.events, serviceEvent{*rec.Service, max(0, rec.Time.Sub(l.started))})
		case rec.Load != nil:
			l.loads = append(l.loads, load{spec: l.loadStep(rec.Load.Step), result: *rec.Load, samples: ev.Samples[rec.Load.Step]})
		case rec.Suite != nil:
			l.suites = append(l.suites, *rec.Suite)
		case rec.Links != nil:
			l.links = l.shownLinks(rec.Links.Links)
		case rec.Fact != nil:
			l.facts = append(l.facts, *rec.Fact)
		case rec.Usage != nil:
			l.usage = append(l.usage, *rec.Usage)
			l.facts = append(l.facts, throttledFacts(*rec.Usage)...)
		case rec.Migration != nil:
			l.migrations = append(l.migrations, *rec.Migration)
		case rec.Churn != nil:
			l.churns = append(l.churns, *rec.Churn)
		case rec.Plans != nil:
			l.plans = append(l.plans, *rec.Plans)
		case rec.Action != nil:
			l.actions = append(l.actions, *rec.Action)
		case rec.Tick != nil:
			l.ticks = append(l.ticks, *rec.Tick)
		case rec.Telemetry != nil:
			l.left = rec.Telemetry
		case rec.Spent != nil:
			l.spent = rec.Spent
		case rec.End != nil:
			l.end = rec.End
		}
	}
	return l
}

func (l *leg) service(name rehearse.ServiceName) *service {
	i := slices.IndexFunc(l.services, func(s service) bool { return s.spec.Name == name })
	if i < 0 {
		i = len(l.services)
		l.services = append(l.services, service{spec: rehearse.Service{Name: name}})
	}
	return &l.services[i]
}

func (l *leg) loadStep(name string) rehearse.LoadStep {
	for _, s := range l.plan.Steps {
		if load := s.Driven(); load != nil && load.Name == name {
			return *load
		}
	}
	return rehearse.LoadStep{Name: name}
}

// shownLinks are the declared links and those that carried traffic, the busiest
// shaped ones first: those are where realism happened.
func (l *leg) shownLinks(stats []rehearse.LinkStats) []link {
	var out []link
	for _, s := range stats {
		spec, ok := l.plan.Link(s.ID)
		if !ok {
			client, upstream, _ := strings.Cut(string(s.ID), ":")
			spec = rehearse.LinkSpec{ID: s.ID, Client: rehearse.ServiceName(client), Upstream: rehearse.ServiceName(upstream), Shape: s.Shape}
		}
		if spec.Declared || s.Connections > 0 || s.BytesUp+s.BytesDown > 0 {
			out = append(out, link{spec, s})
		}
	}
	slices.SortStableFunc(out, func(a, b link) int {
		if a, b := a.spec.Shape.IsZero(), b.spec.Shape.IsZero(); a != b {
			if a {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.stats.RoundTrips, a.stats.RoundTrips)
	})
	return out
}

// last is the service's last state, and when it became ready or completed.
func (s service) last() (state rehearse.ServiceState, ready rehearse.Duration) {
	for _, e := range s.events {
		if (e.State == rehearse.Ready || e.State == rehearse.Done) && ready == 0 {
			ready = e.After
		}
		state = e.State
	}
	return state, ready
}

// settled is when the service was first ready or completed, or else when its
// last state began. What happens long after the start has no room in a picture
// of the start.
func (s service) settled() time.Duration {
	var at time.Duration
	for _, e := range s.events {
		if e.State == rehearse.Stopped {
			break
		}
		at = e.at
		if e.State == rehearse.Ready || e.State == rehearse.Done {
			break
		}
	}
	return at
}

// loadFigures sums up the samples of a load, or of one of its requests.
type loadFigures struct {
	Requests int                `json:"requests"` // sent
	Failed   int                `json:"failed"`
	Dropped  int                `json:"dropped"`
	Latency  rehearse.Quantiles `json:"latency,omitzero"` // from the intended start
}

func figures(samples []rehearse.Sample) loadFigures {
	var f loadFigures
	var times []rehearse.Duration
	var sum float64
	for _, s := range samples {
		if s.Dropped {
			f.Dropped++
			continue
		}
		f.Requests++
		if failed(s) {
			f.Failed++
		}
		times = append(times, rehearse.Duration(s.Duration()))
		sum += float64(s.Duration())
	}
	if len(times) == 0 {
		return f
	}
	slices.Sort(times)
	f.Latency = rehearse.Quantiles{
		Count: int64(len(times)),
		Min:   times[0],
		P50:   percentile(times, 50),
		P90:   percentile(times, 90),
		P99:   percentile(times, 99),
		Max:   times[len(times)-1],
		Mean:  rehearse.Duration(sum / float64(len(times))),
	}
	return f
}

// failed reports whether a request failed, as verdicts count it.
func failed(s rehearse.Sample) bool { return s.Error != "" || s.Status == 0 }

// percentile is the nearest rank of sorted values, of which there is at least one.
func percentile(sorted []rehearse.Duration, p float64) rehearse.Duration {
	rank := int(math.Ceil(p/100*float64(len(sorted)) - 1e-9))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// byRequest splits samples by the request's name, in the order of the profile.
func (l load) byRequest() (names []string, samples map[string][]rehearse.Sample) {
	samples = map[string][]rehearse.Sample{}
	for _, r := range l.spec.Traffic.Requests {
		names = append(names, r.Name)
	}
	for _, s := range l.samples {
		if !slices.Contains(names, s.Request) {
			names = append(names, s.Request)
		}
		samples[s.Request] = append(samples[s.Request], s)
	}
	return slices.DeleteFunc(names, func(n string) bool { return len(samples[n]) == 0 }), samples
}
