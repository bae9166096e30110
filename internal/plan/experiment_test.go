package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/config"
)

// The methods of experiments are resolved to links and services, one action after
// the other unless the file says when, and are calm where no fault is in force.
func TestExperiment(t *testing.T) {
	for _, leg := range []rehearse.Leg{rehearse.Production(), rehearse.Staging(), rehearse.Only(rehearse.FacetFaults)} {
		t.Run(leg.Name, func(t *testing.T) {
			in := docgen(t, leg)
			in.Config.Experiments = parse(t, `
experiments:
  all:
    before: 3s
    method:
      - {region: us-east-1, fault: partition, for: 10s}
      - {link: "docgen:db", fault: delay, delay: 300ms, for: 5s}
      - {service: db, fault: reset, at: 1s, for: 4s, every: 2s, name: storm}
      - {service: db, fault: kill, for: 3s}
      - {label: "tier=backend", fault: pause}
      - {link: "ingress:docgen", fault: abort, status: 503, at: 0s}
  slow: {use: dependency-slow, link: "docgen:db", delay: 1s, steady: ["http_reqs count>1"]}
`).Experiments
			in.Compose.Labels = map[rehearse.ServiceName]map[string]string{"db": {"tier": "backend"}, "docgen": {"tier": "front"}}
			in.Config.Rehearsal = []config.Step{{Experiment: config.Ref{Name: "all"}}, {Experiment: config.Ref{Name: "slow"}, Load: config.Ref{Name: "peak"}, For: 60e9}}
			p, err := Make(in)
			if err != nil {
				t.Fatal(err)
			}
			if calm := p.Steps[0].Experiment.Calm; calm == leg.Has(rehearse.FacetFaults) || p.Leg.Has(rehearse.FacetFaults) != leg.Has(rehearse.FacetFaults) {
				t.Errorf("calm is %v, and the leg has %v", calm, p.Leg.Facets)
			}
			outside := "ingress:docgen"
			if leg.Has(rehearse.FacetNetwork) {
				outside = "ingress:docgen ingress/ap-south-1:docgen ingress/eu-west-1:docgen ingress/us-east-1:docgen"
			}
			want := "all 3s+18s+5s+5s of 31s\n" +
				"  0s 10s us-east-1: partition [docgen:db] all/partition\n" +
				"  0s 10s ingress:docgen: abort [" + outside + "] all/abort\n" +
				"  1s 4s db: reset [docgen:db] storm every 2s for 1s\n" +
				"  5s 3s db: kill [db]\n" +
				"  8s 10s tier=backend: pause [db]\n" +
				"  10s 5s docgen:db: delay [docgen:db] all/delay\n" +
				"slow 5s+10s+5s+40s of 1m0s\n" +
				"  0s 10s docgen:db: delay [docgen:db] slow/delay\n"
			if d := cmp.Diff(want, methods(p)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func methods(p *rehearse.Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		e := s.Experiment
		fmt.Fprintf(&b, "%s %v+%v+%v+%v of %v\n", e.Name, e.Before, e.Length(), e.Recover, e.After, e.Load.Traffic.Duration)
		for _, a := range e.Method {
			fmt.Fprintf(&b, "  %v %v %s ", a.At, a.For, a.Title)
			if a.Fault != nil {
				fmt.Fprintf(&b, "%v %s", a.Links, a.Fault.ID())
				if e := a.Fault.Schedule.Every; e > 0 {
					fmt.Fprintf(&b, " every %v for %v", e, a.Fault.Schedule.For)
				}
			} else {
				fmt.Fprintf(&b, "%v", a.Services)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func TestExperimentProblems(t *testing.T) {
	tests := []struct {
		name, action string
		want         string
	}{
		{"service", "{service: dbb, fault: reset}", "unknown service dbb; did you mean db?"},
		{"link", `{link: "docgen:dd", fault: reset}`, "unknown link docgen:dd; did you mean docgen:db?"},
		{"region", "{region: us-east-2, fault: reset}", "unknown region us-east-2; did you mean us-east-1?"},
		{"label", "{label: 'tier=bakend', fault: reset}", "unknown label tier=bakend; did you mean tier=backend?"},
		{"driver", "{service: db, fault: clock, offset: 1h}", "the driver process cannot do clock to a service (No driver can.)"},
		{"datagrams", `{link: "docgen:db", fault: reorder, share: 1%}`, "reorder is a fault of datagrams, and docgen:db carries streams (The links of environments carry no UDP; rehearse link serve does.)"},
		{"protocol", "{service: db, fault: abort, status: 503}", "abort is a fault of http, and db speaks postgres (Use a fault of connections or of the path, such as reset or delay.)"},
		{"protocol of the target", `{link: "ingress:docgen", fault: read-only}`, "read-only is a fault of postgres, and docgen speaks http (Use a fault of connections or of the path, such as reset or delay.)"},
		{"TLS", `{link: "docgen:db", fault: tls, code: expired}`, `docgen:db passes TLS on, and shows no certificate that could be wrong (Let it end TLS, with {link: "docgen:db", tls: end} under network.links, or use the code stall.)`},
		{"clash", `{service: db, fault: reset, at: 0s}, {link: "docgen:db", fault: reset, at: 9s}`, `two faults called "a/reset" are on docgen:db at the same time; the other is in line 4 (Give one of them a name, as in name: second, or let it begin when the other is over.)`},
		{"one after the other", `{service: db, fault: reset, at: 0s}, {link: "docgen:db", fault: reset, at: 10s}`, ""},
		{"too long", "{service: db, fault: reset, for: 60s}", "a takes 1m15s, and its load goes on for 40s (Leave for out, or make the experiment shorter: 5s before, 1m0s of method, 5s for the recovery and 5s after.)"},
		{"no way in", "{service: docgen, fault: reset}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := docgen(t, rehearse.Staging())
			in.Compose.Labels = map[rehearse.ServiceName]map[string]string{"db": {"tier": "backend"}}
			in.Config.Experiments = parse(t, "experiments:\n  a:\n    method:\n      ["+tt.action+"]\n").Experiments
			in.Config.Rehearsal = []config.Step{{Experiment: config.Ref{Name: "a", Line: 9}, For: 40e9}}
			_, err := Make(in)
			got := ""
			if err != nil {
				got = problemsOf(err)
			}
			line := ":4: "
			if tt.name == "too long" {
				line = ":9: "
			}
			if _, after, ok := strings.Cut(got, line); got != "" && (!ok || after != tt.want) || got == "" && tt.want != "" {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A volume that an experiment fills has a file system of its own, whoever mounts it
// and whether a step runs the experiment or not. Containers have no other to fill.
func TestFullDisks(t *testing.T) {
	tests := []struct{ name, driver, action, own, want string }{
		{"the only one", "docker", "{service: docgen, fault: disk-full}", "db:/backup docgen:/var/spool", ""},
		{"by its path", "docker", "{service: db, fault: disk-full, path: /backup/wal}", "db:/backup docgen:/var/spool", ""},
		{"which", "docker", "{service: db, fault: disk-full}", "", "db has 2 volumes, and the experiment does not say which to fill (It has volumes at /backup and /var/lib/postgresql/data; say as path which is to be full.)"},
		{"elsewhere", "docker", "{service: db, fault: disk-full, path: /tmp}", "", "db has no volume at /tmp to fill (It has volumes at /backup and /var/lib/postgresql/data; say as path which is to be full.)"},
		{"none", "docker", "{service: cache, fault: disk-full}", "", "cache has no volume to fill (Give the service a volume in the Compose file: a container's own files lie on the host's disk, which is everybody's.)"},
		{"natives", "process", "{service: cache, fault: disk-full, path: /tmp}", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := docgen(t, rehearse.Staging())
			in.Driver = tt.driver
			for i, s := range in.Compose.Services {
				switch s.Name {
				case "db":
					in.Compose.Services[i].Mounts = []rehearse.Mount{{Type: "volume", Source: "spool", Target: "/backup"}, {Type: "volume", Source: "db", Target: "/var/lib/postgresql/data"}}
				case "docgen":
					in.Compose.Services[i].Mounts = []rehearse.Mount{{Type: "bind", Source: "/etc", Target: "/var"}, {Type: "volume", Source: "spool", Target: "/var/spool"}}
				}
			}
			in.Config.Experiments = parse(t, "experiments:\n  a:\n    method:\n      ["+tt.action+"]\n").Experiments
			p, err := Make(in)
			if err != nil {
				if _, got, _ := strings.Cut(problemsOf(err), ":4: "); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				return
			}
			var own []string
			for _, s := range p.Services {
				for _, w := range s.Mounts {
					if w.OwnDisk {
						own = append(own, string(s.Name)+":"+w.Target)
					}
				}
			}
			slices.Sort(own)
			if got := strings.Join(own, " "); got != tt.own || tt.want != "" {
				t.Errorf("own disks %q, want %q and %q", got, tt.own, tt.want)
			}
		})
	}
}

// The names in steps are looked up, and two steps do not share one.
func TestExperimentNames(t *testing.T) {
	const good = "experiments: {outage: {use: region-outage, region: us-east-1}}\n"
	tests := []struct{ name, steps, want string }{
		{"unknown", "[{experiment: outge}]", "unknown experiment outge; did you mean outage?"},
		{"library", "[{experiment: cold-restart}]", "unknown experiment cold-restart (The library has one: define it, as in cold-restart: {use: cold-restart, …}.)"},
		{"load", "[{experiment: outage, load: pek}]", "unknown traffic pek; did you mean peak?"},
		{"twice", "[{experiment: outage}, {experiment: outage}]", "two steps are called outage, and one of them is an experiment (Define the experiment once more under another name.)"},
		{"two loads", "[{load: peak}, {load: peak}]", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := docgen(t, rehearse.Production())
			c := parse(t, good+"rehearsal: "+tt.steps+"\n")
			in.Config.Experiments, in.Config.Rehearsal = c.Experiments, c.Rehearsal
			_, err := Make(in)
			got := ""
			if err != nil {
				_, got, _ = strings.Cut(problemsOf(err), ":2: ")
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// problemsOf is an error with its hints in brackets.
func problemsOf(err error) string {
	text := err.Error()
	if hints := rehearse.Hints(err); len(hints) > 0 {
		text += " (" + strings.Join(hints, " ") + ")"
	}
	return text
}
