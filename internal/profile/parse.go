package profile

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/document"
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
	p := &parser{Decoder: document.Decoder{File: file}}
	if root := p.Root(data, "profile"); root != nil {
		p.traffic(root)
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return &p.out, nil
}

// parser decodes a traffic profile. What refers to other parts of the file is
// noted on the way and checked when all is read.
type parser struct {
	document.Decoder
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

	given := p.Fields(root, "a traffic profile", map[string]func(*yaml.Node){
		"version": func(n *yaml.Node) {
			if v, ok := p.Whole(n, "version"); ok && v != 1 {
				p.Complain(n, "Use a newer rehearse, or write \"version: 1\".", "version %d of the format is unknown; this rehearse reads version 1", v)
			}
		},
		"description": func(n *yaml.Node) { p.out.Description = p.Text(n, "description") },
		"duration": func(n *yaml.Node) {
			v, ok := p.Duration(n, "duration")
			if ok && (v == 0 || v > maxDuration) {
				p.Complain(n, "", "duration must be above 0 and at most 24h, not %s", n.Value)
			}
			t.Duration = v
		},
		"arrivals": func(n *yaml.Node) {
			t.Arrivals = rehearse.Arrivals(p.Word(n, "arrivals", []string{string(rehearse.Poisson), string(rehearse.Even)}))
		},
		"timeout": func(n *yaml.Node) {
			v, ok := p.Duration(n, "timeout")
			if ok && v == 0 {
				p.Complain(n, "", "timeout must be above 0")
			}
			t.Timeout = v
		},
		"rate":     func(n *yaml.Node) { rate = n },
		"origins":  func(n *yaml.Node) { t.Origins = p.origins(n) },
		"lists":    func(n *yaml.Node) { t.Lists = p.lists(n) },
		"requests": func(n *yaml.Node) { requests = n },
	})
	if document.Resolve(root).Kind != yaml.MappingNode {
		return
	}
	for _, required := range []struct{ key, hint string }{
		{"version", "Write \"version: 1\"."},
		{"duration", "Write for instance \"duration: 20s\"."},
		{"rate", "Write for instance \"rate: [{at: 0s, rps: 10}]\"."},
		{"requests", "Write for instance \"requests: [{name: home, path: /}]\"."},
	} {
		if !given[required.key] {
			p.Complain(root, required.hint, "%s is missing", required.key)
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
	problems := len(p.Problems)
	peak := 0.0
	p.Items(n, "rate", func(n *yaml.Node) {
		var point rehearse.RatePoint
		var at *yaml.Node // unless it is missing or unreadable
		given := p.Fields(n, "a point of rate", map[string]func(*yaml.Node){
			"at": func(n *yaml.Node) {
				v, ok := p.Duration(n, "at")
				if ok {
					point.At, at = v, n
				}
			},
			"rps": func(n *yaml.Node) {
				v, ok := p.Number(n, "rps")
				if ok && (v < 0 || v > maxRate) {
					p.Complain(n, "", "rps must be from 0 to %d, not %s", maxRate, n.Value)
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
				p.Complain(n, "Write for instance {at: 0s, rps: 10}.", "%s is missing in a point of rate", key)
			}
		}
		if at == nil {
			return
		}
		end := p.out.own.Duration
		switch {
		case len(points) > 0 && point.At <= points[len(points)-1].At:
			p.Complain(at, "Sort the points by time. For a sudden step, put two points 1ms apart.",
				"the point at %v does not come after the one at %v", point.At, points[len(points)-1].At)
		case end > 0 && point.At > end:
			p.Complain(at, "Remove the point, or make duration longer.", "the point at %v is after the end of the profile, at %v", point.At, end)
		}
		points = append(points, point)
	})
	switch {
	case len(p.Problems) > problems:
	case len(points) == 0:
		p.Complain(n, "Write for instance {at: 0s, rps: 10}.", "rate must have at least one point")
	case peak == 0:
		p.Complain(n, "", "rate is 0 at every point, so that nothing ever arrives")
	}
	return points
}

func (p *parser) origins(n *yaml.Node) []rehearse.Origin {
	var origins []rehearse.Origin
	p.Pairs(n, "origins", func(key, value *yaml.Node) {
		region := p.Text(document.Resolve(key), "a region of origins")
		weight := p.weight(value, fmt.Sprintf("the weight of origin %s", region))
		origins = append(origins, rehearse.Origin{Region: rehearse.Region(region), Weight: weight})
	})
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		p.Complain(n, "Leave origins out when requests come from nowhere in particular.", "origins must have at least one region")
	}
	slices.SortFunc(origins, func(a, b rehearse.Origin) int { return cmp.Compare(a.Region, b.Region) })
	return origins
}

func (p *parser) lists(n *yaml.Node) map[string][]string {
	lists := map[string][]string{}
	p.Pairs(n, "lists", func(key, value *yaml.Node) {
		name := document.Resolve(key).Value
		what := fmt.Sprintf("list %q", name)
		lists[name] = []string{}
		p.Items(value, what, func(n *yaml.Node) { lists[name] = append(lists[name], p.Text(n, "a value of "+what)) })
		if value.Kind == yaml.SequenceNode && len(value.Content) == 0 {
			p.Complain(key, "", "%s has no values", what)
		}
	})
	return lists
}

func (p *parser) requests(n *yaml.Node) {
	names := map[string]int{} // to the line that has it
	p.Items(n, "requests", func(n *yaml.Node) { p.request(n, names) })
	if n.Kind != yaml.SequenceNode {
		return
	}
	if len(n.Content) == 0 {
		p.Complain(n, "", "requests must have at least one request")
		return
	}
	for _, t := range p.used {
		p.checkUse(t)
	}
	if !p.starts {
		p.Complain(n, "Add a request whose templates do without the function captured.",
			"every request needs a captured value, so that none can be the first")
	}
}

var jsonPath = regexp.MustCompile(`^\$(\.[\pL\pN_-]+|\[[0-9]{1,6}\])*$`)

func (p *parser) request(n *yaml.Node, names map[string]int) {
	r := rehearse.Request{Weight: 1, Method: "GET"}
	templates := len(p.used)
	given := p.Fields(n, "a request", map[string]func(*yaml.Node){
		"name": func(n *yaml.Node) {
			r.Name = p.Text(n, "name")
			if line, ok := names[r.Name]; ok && r.Name != "" {
				p.Complain(n, "", "the name %q is taken by the request of line %d", r.Name, line)
				return
			}
			names[r.Name] = n.Line
			// Thresholds speak of a request as {name:NAME}.
			if strings.TrimSpace(r.Name) != r.Name || r.Name == "" || strings.ContainsAny(r.Name, "{}\n") {
				p.Complain(n, "", "name %q must not be empty, hold braces, or start or end with a space", r.Name)
			}
		},
		"weight": func(n *yaml.Node) { r.Weight = p.weight(n, "weight") },
		"method": func(n *yaml.Node) { r.Method = p.Word(n, "method", methods) },
		"path": func(n *yaml.Node) {
			r.Path = p.template(n, "path")
			if n.Kind == yaml.ScalarNode && !strings.HasPrefix(r.Path, "/") {
				p.Complain(n, "The service's address comes from the rehearsal; write only what follows it.", "path must start with \"/\", not %s", document.Describe(n))
			}
		},
		"headers": func(n *yaml.Node) {
			r.Headers = map[string]string{}
			p.Pairs(n, "headers", func(key, value *yaml.Node) {
				name := document.Resolve(key).Value
				if !headerName.MatchString(name) {
					p.Complain(key, "", "%q is not the name of a header", name)
				}
				r.Headers[name] = p.template(value, "header "+name)
			})
		},
		"body": func(n *yaml.Node) { r.Body = p.template(n, "body") },
		"capture": func(n *yaml.Node) {
			r.Capture = map[string]string{}
			p.Pairs(n, "capture", func(key, value *yaml.Node) {
				path := p.Text(value, "the path of a captured value")
				if value.Kind == yaml.ScalarNode && !jsonPath.MatchString(path) {
					p.Complain(value, "Write a path of names and indexes, as in $.items[0].id.", "%s is not a path of a JSON value", document.Describe(value))
				}
				name := document.Resolve(key).Value
				r.Capture[name] = path
				p.captures[name] = true
			})
		},
		"status": func(n *yaml.Node) {
			p.Items(n, "status", func(n *yaml.Node) {
				v, ok := p.Whole(n, "a status")
				if ok && (v < 100 || v > 599) {
					p.Complain(n, "", "a status is from 100 to 599, not %d", v)
				}
				r.Status = append(r.Status, v)
			})
		},
		"contains": func(n *yaml.Node) {
			p.Items(n, "contains", func(n *yaml.Node) { r.Contains = append(r.Contains, p.Text(n, "a text of contains")) })
		},
	})
	if n.Kind != yaml.MappingNode {
		p.starts = true // unknown; one complaint about this request is enough
		return
	}
	for _, key := range []string{"name", "path"} {
		if !given[key] {
			p.Complain(n, "", "%s is missing in a request", key)
		}
	}
	needs := slices.ContainsFunc(p.used[templates:], func(t template) bool { return t.captured() })
	p.starts = p.starts || !needs
	p.out.own.Requests = append(p.out.own.Requests, r)
}

// headerName is a token of RFC 9110, section 5.6.2.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func (p *parser) weight(n *yaml.Node, what string) float64 {
	v, ok := p.Number(n, what)
	if ok && v <= 0 {
		p.Complain(n, "Remove it if nothing is to come of it.", "%s must be above 0, not %s", what, n.Value)
	}
	return v
}
