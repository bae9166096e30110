package plan

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// declares reports whether a client speaks of an upstream: in depends_on, in
// links, or by one of its names in an environment variable or a command. For a
// server that calls nobody by itself, a word that merely equals the name (a
// database called "app") is not enough.
func (m *maker) declares(client, upstream *rehearse.Service, names []string, passive bool) bool {
	if slices.ContainsFunc(client.Needs, func(n rehearse.Need) bool { return n.Service == upstream.Name }) {
		return true
	}
	for _, n := range m.in.Compose.Names {
		if n.Client == client.Name && n.Upstream == upstream.Name {
			return true
		}
	}
	var values []string
	for _, v := range client.Env {
		values = append(values, v)
	}
	commands := [][]string{client.Command, client.Entrypoint}
	if p := client.Process; p != nil {
		for _, v := range p.Env {
			values = append(values, v)
		}
		commands = append(commands, p.Command)
	}
	for _, text := range append(slices.Concat(commands...), values...) {
		if slices.Contains(placeholders(text), string(upstream.Name)) {
			return true
		}
	}
	for _, name := range names {
		for _, v := range values {
			if mentions(v, name) || !passive && v == name {
				return true
			}
		}
		for _, args := range commands {
			for i, arg := range args {
				// A lone word in a command is a host only after an option that
				// takes one, as in "-h db".
				host := i > 0 && arg == name && (args[i-1] == "-h" || strings.Contains(args[i-1], "host"))
				if host || mentions(arg, name) {
					return true
				}
			}
		}
	}
	return false
}

// mentions reports whether a text uses a name as a host: after "//" or "@" or
// "host=", before a port, or after the option -h.
func mentions(text, name string) bool {
	for before, after := range occurrences(text, name) {
		switch {
		case strings.HasSuffix(before, "//"), strings.HasSuffix(before, "@"), strings.HasSuffix(before, "host="),
			strings.HasSuffix(before, "-h "), strings.HasSuffix(before, "--host "):
			return true
		case len(after) > 1 && after[0] == ':' && (after[1] >= '0' && after[1] <= '9' || after[1] == '$'):
			return true
		}
	}
	return false
}

// mentionedPorts lists the ports that a text puts behind a name, as "db:5432".
func mentionedPorts(text, name string) []int {
	var ports []int
	for _, after := range occurrences(text, name) {
		digits, ok := strings.CutPrefix(after, ":")
		if !ok {
			continue
		}
		end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
		if end >= 0 && partOfName(digits[end]) {
			continue // a tag, as in "db:17-alpine"
		}
		if end >= 0 {
			digits = digits[:end]
		}
		if n, err := strconv.Atoi(digits); err == nil && n > 0 && n <= 65535 {
			ports = append(ports, n)
		}
	}
	return ports
}

// occurrences finds a name in a text, where it is neither a part of a longer one
// nor a user, and gives what stands before it and after it.
func occurrences(text, name string) iter.Seq2[string, string] {
	return func(yield func(before, after string) bool) {
		for from := 0; name != ""; {
			i := strings.Index(text[from:], name)
			if i < 0 {
				return
			}
			i += from
			before, after := text[:i], text[i+len(name):]
			from = i + 1
			if before != "" && partOfName(before[len(before)-1]) || after != "" && partOfName(after[0]) {
				continue
			}
			if strings.HasSuffix(before, "//") && isUser(after) {
				continue
			}
			if !yield(before, after) {
				return
			}
		}
	}
}

// networkOf is the service in whose network another one is: mostly itself.
func (m *maker) networkOf(s *rehearse.Service) *rehearse.Service {
	for range m.services { // a chain ends
		if s.Container == nil {
			return s
		}
		name, _ := strings.CutPrefix(s.Container.Network, "service:")
		host, ok := m.services[rehearse.ServiceName(name)]
		if !ok {
			return s
		}
		s = host
	}
	return s
}

// addJoinedPorts gives a service the ports of those that are in its network: it is by
// its name that others reach them.
func (m *maker) addJoinedPorts() {
	for _, name := range m.names() {
		s := m.services[name]
		host := m.networkOf(s)
		if host == s {
			continue
		}
		for _, p := range s.Ports {
			host.Ports = withPort(host.Ports, p.Number, p.Known)
		}
	}
}

// addMentionedPorts adds the ports that services speak of, each other's and
// their own: a container may listen on ports that no file exposes.
func (m *maker) addMentionedPorts() {
	for _, to := range m.names() {
		upstream := m.services[to]
		for _, from := range m.names() {
			client := m.services[from]
			host := m.networkOf(client)
			if host.Name != to && !shareNetwork(host, upstream) {
				continue
			}
			texts := slices.Concat(client.Command, client.Entrypoint, slices.Collect(maps.Values(client.Env)))
			for _, mount := range client.Mounts {
				texts = append(texts, mount.Content)
			}
			for _, name := range m.namesOf(host, upstream) {
				for _, text := range texts {
					for _, n := range mentionedPorts(text, name) {
						upstream.Ports = withPort(upstream.Ports, n, fromClient)
					}
				}
			}
		}
	}
}

// isUser reports whether what stood before the text in a URL is the user: an @
// follows in the same authority.
func isUser(after string) bool {
	if end := strings.IndexAny(after, "/?# ,;\"'"); end >= 0 {
		after = after[:end]
	}
	return strings.Contains(after, "@")
}

// partOfName is true for what a host name may hold, and for what makes it a
// longer word.
func partOfName(c byte) bool {
	return c == '-' || c == '_' || c == '.' ||
		c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
