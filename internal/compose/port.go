package compose

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/rehearse-dev/rehearse"
)

// ports lists the TCP ports that ports and expose speak of, sorted, and those
// that a Dockerfile of the project's exposes where containers are made from it.
func (m *mapper) ports(s types.ServiceConfig) []rehearse.Port {
	found := map[int]rehearse.Port{}
	for _, p := range s.Ports {
		n := int(p.Target)
		if p.Protocol != "" && p.Protocol != "tcp" {
			m.note(s.Name, "ports", fmt.Sprintf("Port %d is %s; links carry TCP only, so it cannot be reached.", n, strings.ToUpper(p.Protocol)))
			continue
		}
		published := p.Published
		if old, ok := found[n]; ok && published == "" {
			published = old.Published
		}
		found[n] = rehearse.Port{Number: n, Published: published, Known: "ports"}
	}
	for _, e := range s.Expose {
		first, last, protocol, ok := portRange(e)
		switch {
		case !ok:
			m.note(s.Name, "expose", fmt.Sprintf("The exposed port %q cannot be read and is left out.", e))
			continue
		case protocol != "tcp":
			m.note(s.Name, "expose", fmt.Sprintf("Port %s is %s; links carry TCP only, so it cannot be reached.", e, strings.ToUpper(protocol)))
			continue
		}
		for n := first; n <= last; n++ {
			if _, ok := found[n]; !ok {
				found[n] = rehearse.Port{Number: n, Known: "expose"}
			}
		}
	}
	if m.containers() && s.Build != nil {
		for _, e := range exposed(dockerfile(s.Build), s.Build.Target) {
			first, last, protocol, ok := portRange(e)
			for n := first; ok && protocol == "tcp" && n <= last; n++ {
				if _, known := found[n]; !known {
					found[n] = rehearse.Port{Number: n, Known: rehearse.KnownByImage}
				}
			}
		}
	}
	var ports []rehearse.Port
	for _, n := range slices.Sorted(maps.Keys(found)) {
		ports = append(ports, found[n])
	}
	return ports
}

// Expose adds the TCP ports that a service's image exposes.
func (p *Project) Expose(name rehearse.ServiceName, ports []int) {
	p.Unseen = slices.DeleteFunc(p.Unseen, func(n rehearse.ServiceName) bool { return n == name })
	at := slices.IndexFunc(p.Services, func(s rehearse.Service) bool { return s.Name == name })
	for _, n := range ports {
		s := &p.Services[at]
		if slices.ContainsFunc(s.Ports, func(p rehearse.Port) bool { return p.Number == n }) {
			continue
		}
		s.Ports = append(s.Ports, rehearse.Port{Number: n, Known: rehearse.KnownByImage})
		slices.SortFunc(s.Ports, func(a, b rehearse.Port) int { return cmp.Compare(a.Number, b.Number) })
	}
}

// portRange reads "80", "80/udp" and "3000-3005".
func portRange(s string) (first, last int, protocol string, ok bool) {
	s, protocol, found := strings.Cut(s, "/")
	if !found {
		protocol = "tcp"
	}
	from, to, found := strings.Cut(s, "-")
	if !found {
		to = from
	}
	first, err := strconv.Atoi(from)
	if err != nil {
		return 0, 0, "", false
	}
	last, err = strconv.Atoi(to)
	if err != nil || first < 1 || last > 65535 || first > last {
		return 0, 0, "", false
	}
	return first, last, protocol, true
}
