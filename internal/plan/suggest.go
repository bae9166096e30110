package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/config"
)

// Suggestion is an experiment of the library that fits a plan.
type Suggestion struct {
	Name   string `json:"name"` // to stand under experiments
	Use    string `json:"use"`
	Key    string `json:"key"` // of the target
	Target string `json:"target"`
	Why    string `json:"why"` // a sentence
}

// YAML is the entry under experiments.
func (s Suggestion) YAML() string {
	target := s.Target
	if strings.Contains(target, ":") {
		target = `"` + target + `"`
	}
	return fmt.Sprintf("%s: {use: %s, %s: %s}", s.Name, s.Use, s.Key, target)
}

// Suggest proposes experiments that fit a plan's graph, at most one of each kind:
// on the dependency that the most services have, the region that the most links
// lead into, and the way in from outside. The same plan has the same proposals.
func Suggest(p *rehearse.Plan) []Suggestion {
	var out []Suggestion
	add := func(use, key, target, why string) {
		named, ok := config.Find(use)
		if !ok {
			panic("plan: internal error: the library has no " + use)
		}
		for _, a := range named.Disrupts() {
			if !slices.Contains(a.Drivers(), p.Driver) {
				return
			}
		}
		out = append(out, Suggestion{Name: use, Use: use, Key: key, Target: target, Why: why})
	}
	if l, ok := dependency(p); ok {
		add("dependency-down", "link", string(l.ID), fmt.Sprintf("%s depends on %s.", l.Client, l.Upstream))
		add("dependency-slow", "link", string(l.ID), fmt.Sprintf("%s waits for %s: does it wait for ever?", l.Client, l.Upstream))
		add("connection-reset-storm", "link", string(l.ID), fmt.Sprintf("%s keeps connections to %s, and must make new ones.", l.Client, l.Upstream))
		if l.From != l.To {
			add("packet-loss", "link", string(l.ID), fmt.Sprintf("The way from %s to %s crosses regions.", l.Client, l.Upstream))
			add("flapping-network", "link", string(l.ID), fmt.Sprintf("The way from %s to %s crosses regions.", l.Client, l.Upstream))
		}
	}
	if region := busiestRegion(p); region != "" {
		add("region-outage", "region", region, "Services outside of "+region+" call into it.")
		add("region-latency", "region", region, "Services outside of "+region+" call into it.")
	}
	for _, s := range p.Services {
		if s.Recipe == "postgres" || strings.HasPrefix(s.Image, "postgres") {
			add("database-failover", "service", string(s.Name), fmt.Sprintf("%s is a PostgreSQL server.", s.Name))
			break
		}
	}
	for _, l := range p.Links {
		if rehearse.IsIngress(l.Client) && l.Declared {
			add("cold-restart", "service", string(l.Upstream), fmt.Sprintf("Users ask %s, and deployments restart it.", l.Upstream))
			add("slow-consumer", "link", string(rehearse.MakeLinkID(rehearse.Ingress, l.Upstream)), fmt.Sprintf("Some users of %s are on slow networks.", l.Upstream))
			break
		}
	}
	return out
}

// dependency is the declared link between services whose upstream the most others
// call; of equals, the first.
func dependency(p *rehearse.Plan) (best rehearse.LinkSpec, ok bool) {
	calls := map[rehearse.ServiceName]int{}
	inner := func(l rehearse.LinkSpec) bool { return l.Declared && !rehearse.IsIngress(l.Client) }
	for _, l := range p.Links {
		if inner(l) {
			calls[l.Upstream]++
		}
	}
	for _, l := range p.Links {
		if inner(l) && (!ok || calls[l.Upstream] > calls[best.Upstream]) {
			best, ok = l, true
		}
	}
	return best, ok
}

// busiestRegion is the one that the most declared links lead into from another;
// empty when there is none.
func busiestRegion(p *rehearse.Plan) string {
	calls := map[rehearse.Region]int{}
	var best rehearse.Region
	for _, l := range p.Links {
		client, inside := p.Service(l.Client)
		upstream, _ := p.Service(l.Upstream)
		if !l.Declared || !inside || upstream.Region == "" || client.Region == upstream.Region {
			continue
		}
		if calls[upstream.Region]++; best == "" || calls[upstream.Region] > calls[best] {
			best = upstream.Region
		}
	}
	return string(best)
}
