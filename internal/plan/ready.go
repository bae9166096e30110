package plan

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/config"
)

// ready chooses how one finds out that a service is ready: as rehearse.yaml
// says; else the recipe's query, which is stricter than any healthcheck that
// Compose files hold; else the healthcheck; else open ports. Of a container both
// are asked. A job is ready when it has ended, so that nobody asks it for ports.
func (m *maker) ready(s *rehearse.Service, c *config.Ready) rehearse.Readiness {
	out := rehearse.Readiness{Timeout: s.Ready.Timeout}
	if c != nil && c.Timeout > 0 {
		out.Timeout = c.Timeout
	}
	if c != nil {
		if out.Probes = m.configured(s, c); len(out.Probes) > 0 {
			return out
		}
	}
	switch {
	case m.inContainers():
		out.Probes = m.containerProbes(s)
	case s.Recipe != "":
		out.Probes = []rehearse.Probe{{Query: s.Recipe}}
	case len(s.Ready.Probes) > 0:
		for _, p := range s.Ready.Probes {
			// The process has no image around it, which would bring curl.
			if get, ok := asHTTP(p); ok && s.Process != nil {
				p = rehearse.Probe{HTTP: &get}
			}
			out.Probes = append(out.Probes, p)
		}
	case !s.Job:
		for _, p := range s.Ports {
			out.Probes = append(out.Probes, rehearse.Probe{Port: p.Number})
		}
	}
	return out
}

// containerProbes asks both a healthcheck, whose tools the image brings, and for
// an answer through a link. With a healthcheck one port is enough: a file may
// well name ports on which a service listens only when it is told to. What an
// image exposes says even less.
func (m *maker) containerProbes(s *rehearse.Service) []rehearse.Probe {
	probes := slices.Clone(s.Ready.Probes)
	ports := slices.DeleteFunc(slices.Clone(s.Ports), rehearse.Port.Exposed)
	if i := slices.IndexFunc(ports, isPublished); i >= 0 && len(probes) > 0 {
		ports = ports[i:]
	}
	switch {
	case s.Recipe != "":
		return append(probes, rehearse.Probe{Query: s.Recipe})
	case s.Job, m.sharesNetwork(s):
		return probes
	case len(probes) > 0 && len(ports) > 0:
		ports = ports[:1]
	}
	for _, p := range ports {
		probes = append(probes, rehearse.Probe{Port: p.Number})
	}
	return probes
}

// sharesNetwork reports whether it cannot be told which service listens on a
// port, or that none can be asked: where one is in another's network, or in none.
func (m *maker) sharesNetwork(s *rehearse.Service) bool {
	if s.Container != nil && s.Container.Network != "" {
		return true
	}
	for _, other := range m.services {
		if c := other.Container; c != nil && c.Network == "service:"+string(s.Name) {
			return true
		}
	}
	return false
}

// configured turns rehearse.yaml's ready into probes.
func (m *maker) configured(s *rehearse.Service, c *config.Ready) []rehearse.Probe {
	var probes []rehearse.Probe
	switch {
	case c.HTTP != nil:
		port := c.HTTP.Port
		if port == 0 {
			port = c.Port
		}
		if known := spokenOf(s.Ports); port == 0 && len(known) == 1 {
			port = known[0].Number
		}
		if port == 0 {
			e, _ := m.cfg.Services.Get(string(s.Name))
			m.problem(e.Line, "services."+string(s.Name)+".ready: it is not clear which port http asks", "Add services."+string(s.Name)+".ready.port.")
		}
		probes = append(probes, rehearse.Probe{HTTP: &rehearse.HTTPGet{Port: port, Path: rooted(c.HTTP.Path), Status: c.HTTP.Status}})
	case c.Port > 0:
		probes = append(probes, rehearse.Probe{Port: c.Port})
	}
	if c.Log != "" {
		probes = append(probes, rehearse.Probe{Log: c.Log})
	}
	if len(c.Command) > 0 {
		probes = append(probes, rehearse.Probe{Command: c.Command})
	}
	return probes
}

func rooted(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}

// httpTool finds a healthcheck that asks the service itself over HTTP. Where a
// shell does more than that, as in "curl … | grep ok", the command stays what it
// is; only "|| exit 1" and the like add nothing.
var httpTool = regexp.MustCompile(`^\s*(?:/usr/bin/|/bin/)?(?:curl|wget)(\s[^|&;<>$` + "`" + `()]*)(?:\s*\|\|\s*(?:exit\s+1|false|kill\s+1)\s*)?\s*$`)

// asHTTP reads a probe that is such a healthcheck.
func asHTTP(p rehearse.Probe) (rehearse.HTTPGet, bool) {
	text := p.Shell
	if len(p.Command) > 0 {
		text = strings.Join(p.Command, " ")
	}
	m := httpTool.FindStringSubmatch(text)
	if m == nil {
		return rehearse.HTTPGet{}, false
	}
	var get rehearse.HTTPGet
	for _, arg := range strings.Fields(m[1]) {
		arg = strings.Trim(arg, `"'`)
		switch {
		case strings.HasPrefix(arg, "http://"):
			u, err := url.Parse(arg)
			if err != nil || get.Port > 0 || !isSelf(u.Hostname()) {
				return rehearse.HTTPGet{}, false
			}
			get.Port, get.Path = 80, rooted(u.RequestURI())
			if n, err := strconv.Atoi(u.Port()); err == nil {
				get.Port = n
			}
		case arg == "-X", arg == "-d", arg == "-H", arg == "-u", strings.HasPrefix(arg, "--data"),
			strings.HasPrefix(arg, "--header"), strings.HasPrefix(arg, "--request"), strings.HasPrefix(arg, "--user"),
			strings.HasPrefix(arg, "--post"):
			// Not a plain GET.
			return rehearse.HTTPGet{}, false
		}
	}
	return get, get.Port > 0 && get.Port <= 65535
}

func isSelf(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "0.0.0.0" || host == "::1"
}
