package plan

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/config"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// makeLinks lists the links: those of traffic from outside first, then those
// between services, each by its identifier.
func (m *maker) makeLinks(loads []load) []rehearse.LinkSpec {
	ingress := m.ingressLinks(loads)
	inner := m.innerLinks()
	for _, l := range append(slices.Clone(ingress), inner...) {
		m.links = append(m.links, string(l.ID))
	}
	for _, o := range m.cfg.Network.Links {
		if !slices.Contains(m.links, o.Link.Name) {
			m.unknown("link", o.Link.Name, o.Link.Line, m.links, "rehearse plan lists the links there are.")
		}
	}
	regional := map[rehearse.ServiceName]bool{} // where requests come over links of their own regions
	for _, l := range loads {
		regional[l.target] = regional[l.target] || m.regional(l)
	}
	links := []rehearse.LinkSpec{}
	for _, l := range append(ingress, inner...) {
		// Links by region exist in every leg as far as names go, so that a file
		// is right or wrong whatever the leg.
		if l.Client != rehearse.Ingress && rehearse.IsIngress(l.Client) && !regional[l.Upstream] {
			continue
		}
		// In every leg: it is not a condition but a way to look.
		l.EndTLS = slices.ContainsFunc(m.cfg.Network.Links, func(o config.Link) bool { return o.Link.Name == string(l.ID) && o.TLS == "end" })
		if m.in.Leg.Touches(rehearse.Part{Facet: rehearse.FacetNetwork, Subject: string(l.ID)}) {
			m.shape(&l)
			l.Shape = m.partOfShape(l.ID, l.Shape)
			if !l.Shape.IsZero() {
				l.Tier = m.cfg.Network.Tier
			}
		} else {
			l.From, l.To = "", ""
		}
		links = append(links, l)
	}
	return links
}

// ingressLinks gives every service that is reached from outside a link, and one
// more for each region that traffic comes from. From and To are set.
func (m *maker) ingressLinks(loads []load) []rehearse.LinkSpec {
	reached := map[rehearse.ServiceName]map[int]bool{} // the ports that are asked for by number
	origins := map[rehearse.ServiceName]map[rehearse.Region]bool{}
	reach := func(name rehearse.ServiceName, ports ...int) {
		if reached[name] == nil {
			reached[name] = map[int]bool{}
		}
		for _, p := range ports {
			reached[name][p] = true
		}
	}
	for _, name := range m.names() {
		for _, p := range m.services[name].Ports {
			if m.in.Open || p.Published != "" || p.Known == "ports" {
				reach(name, p.Number)
			}
		}
	}
	for _, l := range loads {
		reach(l.target, l.port)
		for _, o := range l.file.Over(0).Origins {
			if o.Region == "" {
				continue
			}
			if origins[l.target] == nil {
				origins[l.target] = map[rehearse.Region]bool{}
			}
			origins[l.target][o.Region] = true
		}
	}
	for _, e := range m.cfg.Suites {
		for _, ref := range references(e.Value.Env, e.Value.Command) {
			if s, ok := m.serviceNamed(ref, e.Line); ok {
				reach(s.Name)
			}
		}
	}
	var links []rehearse.LinkSpec
	for _, name := range slices.Sorted(maps.Keys(reached)) {
		s := m.services[name]
		ports := slices.Sorted(maps.Keys(reached[name]))
		if len(ports) == 0 {
			ports = numbers(s.Ports)
		}
		if len(ports) == 0 {
			continue // noted, as a service without a known port
		}
		regions := append([]rehearse.Region{""}, slices.Sorted(maps.Keys(origins[name]))...)
		for _, r := range regions {
			client := rehearse.IngressFrom(r)
			links = append(links, rehearse.LinkSpec{
				ID: rehearse.MakeLinkID(client, name), Client: client, Upstream: name,
				Names: []string{string(name)}, Ports: ports, Declared: true, From: r, To: s.Region,
			})
		}
	}
	return links
}

// innerLinks gives every service that may call another one a link to it.
func (m *maker) innerLinks() []rehearse.LinkSpec {
	var links []rehearse.LinkSpec
	for _, from := range m.names() {
		client := m.services[from]
		r, known := recipe.ByName(client.Recipe)
		passive := known && r.Passive
		taken := map[string]bool{}
		var own []rehearse.LinkSpec
		for _, to := range m.names() {
			upstream := m.services[to]
			if from == to || len(upstream.Ports) == 0 || !shareNetwork(client, upstream) {
				continue
			}
			names := m.namesOf(client, upstream)
			declared := m.declares(client, upstream, names, passive)
			if passive && !declared {
				continue
			}
			taken[string(to)] = true
			own = append(own, rehearse.LinkSpec{
				ID: rehearse.MakeLinkID(from, to), Client: from, Upstream: to,
				Names: names, Ports: numbers(upstream.Ports), Declared: declared,
				From: client.Region, To: upstream.Region,
			})
		}
		// A name leads to one place: a service's own name goes before another's
		// alias, and of two aliases the first service keeps it.
		for i := range own {
			own[i].Names = slices.DeleteFunc(own[i].Names, func(n string) bool {
				if n == string(own[i].Upstream) {
					return false
				}
				was := taken[n] || n == string(from)
				taken[n] = true
				return was
			})
		}
		links = append(links, own...)
	}
	slices.SortFunc(links, func(a, b rehearse.LinkSpec) int { return cmp.Compare(a.ID, b.ID) })
	return links
}

// namesOf lists what a client may call an upstream, the service's name first.
func (m *maker) namesOf(client, upstream *rehearse.Service) []string {
	names := []string{string(upstream.Name)}
	for _, n := range m.in.Compose.Names {
		switch {
		case n.Upstream != upstream.Name, slices.Contains(names, n.Name):
		case n.Client != "" && n.Client != client.Name:
		case n.Network != "" && !slices.Contains(client.Networks, n.Network):
		default:
			names = append(names, n.Name)
		}
	}
	return names
}

// shape gives a link the shape that its regions ask for, or its own.
func (m *maker) shape(l *rehearse.LinkSpec) {
	for _, o := range m.cfg.Network.Links {
		onlyTLS := o.TLS != "" && o.Shape == (config.Shape{})
		if o.Link.Name == string(l.ID) && !onlyTLS {
			l.Shape, l.From, l.To = symmetric(o.Shape), "", ""
			return
		}
	}
	if l.From == "" || l.To == "" {
		l.From, l.To = "", ""
		return
	}
	if l.From == l.To {
		if m.cfg.Network.Within != nil && !rehearse.IsIngress(l.Client) {
			l.Shape = symmetric(*m.cfg.Network.Within)
		}
		return
	}
	for _, b := range m.cfg.Network.Between {
		if pairOf(rehearse.Region(b.Regions[0].Name), rehearse.Region(b.Regions[1].Name)) == pairOf(l.From, l.To) {
			l.Shape = symmetric(b.Shape)
		}
	}
}

func symmetric(s config.Shape) rehearse.Shape {
	shape := rehearse.Symmetric(time.Duration(s.RTT), time.Duration(s.Jitter), rehearse.Rate(s.Rate))
	if s.Distribution == rehearse.Uniform {
		// Not a deviation but the most, and the most of a sum is the sum.
		shape = rehearse.Symmetric(time.Duration(s.RTT), 0, rehearse.Rate(s.Rate))
		shape.Up.Jitter, shape.Down.Jitter = s.Jitter/2, s.Jitter/2
	}
	for _, p := range []*rehearse.Path{&shape.Up, &shape.Down} {
		p.Distribution, p.Correlation = s.Distribution, float64(s.Correlation)
		p.Loss, p.Burst = float64(s.Loss), s.Burst
		p.ConnectionRate, p.Limit = rehearse.Rate(s.ConnectionRate), int64(s.Limit)
	}
	return shape
}

// pair is two regions, whatever their order.
type pair struct{ a, b rehearse.Region }

func pairOf(a, b rehearse.Region) pair {
	if b < a {
		a, b = b, a
	}
	return pair{a, b}
}

func shareNetwork(a, b *rehearse.Service) bool {
	return slices.ContainsFunc(a.Networks, func(n string) bool { return slices.Contains(b.Networks, n) })
}

func numbers(ports []rehearse.Port) []int {
	out := make([]int, len(ports))
	for i, p := range ports {
		out[i] = p.Number
	}
	return out
}

var placeholder = regexp.MustCompile(`\$\{([^{}$]+)\.(?:url|host|port)\}`)

// placeholders lists the services that a text reaches by ${NAME.url}, ${NAME.host}
// or ${NAME.port}.
func placeholders(text string) []string {
	var names []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// references lists the services that texts reach, each once, sorted.
func references(env map[string]string, command []string) []string {
	found := map[string]bool{}
	for _, text := range append(slices.Collect(maps.Values(env)), command...) {
		for _, name := range placeholders(text) {
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
