package profile

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"go.yaml.in/yaml/v3"
)

// defaultTimeout is how long a client waits when the profile does not say.
const defaultTimeout = rehearse.Duration(10 * time.Second)

// Bounds against slips of the finger: a schedule is held in memory, and a rate
// in requests per minute or a duration in hours too many would fill it.
const (
	maxRate     = 100_000
	maxDuration = rehearse.Duration(24 * time.Hour)
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// ParseTraffic checks and decodes a traffic profile; file is its name in errors.
// The error is a [rehearse.Problems] with all that is wrong.
func ParseTraffic(file string, data []byte) (*Traffic, error) {
	p := &parser{decoder: decoder{file: file}}
	if root := p.document(data); root != nil {
		p.traffic(root)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return &p.out, nil
}

// parser decodes a traffic profile. What refers to other parts of the file is
// noted on the way and checked when all is read.
type parser struct {
	decoder
	out      Traffic
	used     []template      // every template of the file
	captures map[string]bool // names that some request captures
	starts   bool            // some request needs no captured value
}

func (p *parser) traffic(root *yaml.Node) {
	t := &p.out.own
	t.Arrivals = rehearse.Poisson
	t.Timeout = defaultTimeout
	t.Origins = []rehearse.Origin{{Weight: 1}}
	p.captures = map[string]bool{}
	var rate, requests *yaml.Node

	given := p.fields(root, "a traffic profile", map[string]func(*yaml.Node){
		"version": func(n *yaml.Node) {
			if v, ok := p.whole(n, "version"); ok && v != 1 {
				p.complain(n, "Use a newer rehearse, or write \"version: 1\".", "version %d of the format is unknown; this rehearse reads version 1", v)
			}
		},
		"description": func(n *yaml.Node) { p.out.Description = p.text(n, "description") },
		"duration": func(n *yaml.Node) {
			v, ok := p.duration(n, "duration")
			if ok && (v == 0 || v > maxDuration) {
				p.complain(n, "", "duration must be above 0 and at most 24h, not %s", n.Value)
			}
			t.Duration = v
		},
		"arrivals": func(n *yaml.Node) {
			t.Arrivals = rehearse.Arrivals(p.word(n, "arrivals", []string{string(rehearse.Poisson), string(rehearse.Even)}))
		},
		"timeout": func(n *yaml.Node) {
			v, ok := p.duration(n, "timeout")
			if ok && v == 0 {
				p.complain(n, "", "timeout must be above 0")
			}
			t.Timeout = v
		},
		"rate":     func(n *yaml.Node) { rate = n },
		"origins":  func(n *yaml.Node) { t.Origins = p.origins(n) },
		"lists":    func(n *yaml.Node) { t.Lists = p.lists(n) },
		"requests": func(n *yaml.Node) { requests = n },
	})
	if resolve(root).Kind != yaml.MappingNode {
		return
	}
	for _, required := range []struct{ key, hint string }{
		{"version", "Write \"version: 1\"."},
		{"duration", "Write for instance \"duration: 20s\"."},
		{"rate", "Write for instance \"rate: [{at: 0s, rps: 10}]\"."},
		{"requests", "Write for instance \"requests: [{name: home, path: /}]\"."},
	} {
		if !given[required.key] {
			p.complain(root, required.hint, "%s is missing", required.key)
		}
	}
	if rate != nil {
		t.Rate = p.rate(rate)
	}
	if requests != nil {
		p.requests(requests)
	}
}

func (p *parser) rate(n *yaml.Node) []rehearse.RatePoint {
	var points []rehearse.RatePoint
	problems := len(p.problems)
	peak := 0.0
	p.items(n, "rate", func(n *yaml.Node) {
		var point rehearse.RatePoint
		var at *yaml.Node // unless it is missing or unreadable
		given := p.fields(n, "a point of rate", map[string]func(*yaml.Node){
			"at": func(n *yaml.Node) {
				v, ok := p.duration(n, "at")
				if ok {
					point.At, at = v, n
				}
			},
			"rps": func(n *yaml.Node) {
				v, ok := p.number(n, "rps")
				if ok && (v < 0 || v > maxRate) {
					p.complain(n, "", "rps must be from 0 to %d, not %s", maxRate, n.Value)
				}
				point.PerSecond = v
				peak = max(peak, v)
			},
		})
		if n.Kind != yaml.MappingNode {
			return
		}
		for _, key := range []string{"at", "rps"} {
			if !given[key] {
				p.complain(n, "Write for instance {at: 0s, rps: 10}.", "%s is missing in a point of rate", key)
			}
		}
		if at == nil {
			return
		}
		end := p.out.own.Duration
		switch {
		case len(points) > 0 && point.At <= points[len(points)-1].At:
			p.complain(at, "Sort the points by time. For a sudden step, put two points 1ms apart.",
				"the point at %v does not come after the one at %v", point.At, points[len(points)-1].At)
		case end > 0 && point.At > end:
			p.complain(at, "Remove the point, or make duration longer.", "the point at %v is after the end of the profile, at %v", point.At, end)
		}
		points = append(points, point)
	})
	switch {
	case len(p.problems) > problems:
	case len(points) == 0:
		p.complain(n, "Write for instance {at: 0s, rps: 10}.", "rate must have at least one point")
	case peak == 0:
		p.complain(n, "", "rate is 0 at every point, so that nothing ever arrives")
	}
	return points
}

func (p *parser) origins(n *yaml.Node) []rehearse.Origin {
	var origins []rehearse.Origin
	p.pairs(n, "origins", func(key, value *yaml.Node) {
		region := p.text(resolve(key), "a region of origins")
		weight := p.weight(value, fmt.Sprintf("the weight of origin %s", region))
		origins = append(origins, rehearse.Origin{Region: rehearse.Region(region), Weight: weight})
	})
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		p.complain(n, "Leave origins out when requests come from nowhere in particular.", "origins must have at least one region")
	}
	slices.SortFunc(origins, func(a, b rehearse.Origin) int { return cmp.Compare(a.Region, b.Region) })
	return origins
}

func (p *parser) lists(n *yaml.Node) map[string][]string {
	lists := map[string][]string{}
	p.pairs(n, "lists", func(key, value *yaml.Node) {
		name := resolve(key).Value
		what := fmt.Sprintf("list %q", name)
		lists[name] = []string{}
		p.items(value, what, func(n *yaml.Node) { lists[name] = append(lists[name], p.text(n, "a value of "+what)) })
		if value.Kind == yaml.SequenceNode && len(value.Content) == 0 {
			p.complain(key, "", "%s has no values", what)
		}
	})
	return lists
}

func (p *parser) requests(n *yaml.Node) {
	names := map[string]int{} // to the line that has it
	p.items(n, "requests", func(n *yaml.Node) { p.request(n, names) })
	if n.Kind != yaml.SequenceNode {
		return
	}
	if len(n.Content) == 0 {
		p.complain(n, "", "requests must have at least one request")
		return
	}
	for _, t := range p.used {
		p.checkUse(t)
	}
	if !p.starts {
		p.complain(n, "Add a request whose templates do without the function captured.",
			"every request needs a captured value, so that none can be the first")
	}
}

var jsonPath = regexp.MustCompile(`^\$(\.[\pL\pN_-]+|\[[0-9]{1,6}\])*$`)

func (p *parser) request(n *yaml.Node, names map[string]int) {
	r := rehearse.Request{Weight: 1, Method: "GET"}
	templates := len(p.used)
	given := p.fields(n, "a request", map[string]func(*yaml.Node){
		"name": func(n *yaml.Node) {
			r.Name = p.text(n, "name")
			if line, ok := names[r.Name]; ok && r.Name != "" {
				p.complain(n, "", "the name %q is taken by the request of line %d", r.Name, line)
				return
			}
			names[r.Name] = n.Line
			// Thresholds speak of a request as {name:NAME}.
			if strings.TrimSpace(r.Name) != r.Name || r.Name == "" || strings.ContainsAny(r.Name, "{}\n") {
				p.complain(n, "", "name %q must not be empty, hold braces, or start or end with a space", r.Name)
			}
		},
		"weight": func(n *yaml.Node) { r.Weight = p.weight(n, "weight") },
		"method": func(n *yaml.Node) { r.Method = p.word(n, "method", methods) },
		"path": func(n *yaml.Node) {
			r.Path = p.template(n, "path")
			if n.Kind == yaml.ScalarNode && !strings.HasPrefix(r.Path, "/") {
				p.complain(n, "The service's address comes from the rehearsal; write only what follows it.", "path must start with \"/\", not %s", describe(n))
			}
		},
		"headers": func(n *yaml.Node) {
			r.Headers = map[string]string{}
			p.pairs(n, "headers", func(key, value *yaml.Node) {
				name := resolve(key).Value
				if !headerName.MatchString(name) {
					p.complain(key, "", "%q is not the name of a header", name)
				}
				r.Headers[name] = p.template(value, "header "+name)
			})
		},
		"body": func(n *yaml.Node) { r.Body = p.template(n, "body") },
		"capture": func(n *yaml.Node) {
			r.Capture = map[string]string{}
			p.pairs(n, "capture", func(key, value *yaml.Node) {
				path := p.text(value, "the path of a captured value")
				if value.Kind == yaml.ScalarNode && !jsonPath.MatchString(path) {
					p.complain(value, "Write a path of names and indexes, as in $.items[0].id.", "%s is not a path of a JSON value", describe(value))
				}
				name := resolve(key).Value
				r.Capture[name] = path
				p.captures[name] = true
			})
		},
		"status": func(n *yaml.Node) {
			p.items(n, "status", func(n *yaml.Node) {
				v, ok := p.whole(n, "a status")
				if ok && (v < 100 || v > 599) {
					p.complain(n, "", "a status is from 100 to 599, not %d", v)
				}
				r.Status = append(r.Status, v)
			})
		},
		"contains": func(n *yaml.Node) {
			p.items(n, "contains", func(n *yaml.Node) { r.Contains = append(r.Contains, p.text(n, "a text of contains")) })
		},
	})
	if n.Kind != yaml.MappingNode {
		p.starts = true // unknown; one complaint about this request is enough
		return
	}
	for _, key := range []string{"name", "path"} {
		if !given[key] {
			p.complain(n, "", "%s is missing in a request", key)
		}
	}
	needs := slices.ContainsFunc(p.used[templates:], func(t template) bool { return t.captured() })
	p.starts = p.starts || !needs
	p.out.own.Requests = append(p.out.own.Requests, r)
}

// headerName is a token of RFC 9110, section 5.6.2.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func (p *parser) weight(n *yaml.Node, what string) float64 {
	v, ok := p.number(n, what)
	if ok && v <= 0 {
		p.complain(n, "Remove it if nothing is to come of it.", "%s must be above 0, not %s", what, n.Value)
	}
	return v
}
