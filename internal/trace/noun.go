package trace

import (
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// Operation is what a trace with this root was asked for: "docgen POST /documents",
// or "docgen (background) SELECT jobs" of what a service does on its own.
func Operation(root *rehearse.Span) string {
	w, ok := root.Wire()
	if !ok || root.Scope != rehearse.LinkScope {
		return join(string(root.Service), root.Name)
	}
	client, upstream := ends(w.Link)
	if rehearse.IsIngress(client) {
		return join(string(upstream), root.Name)
	}
	return join(string(client)+" (background)", root.Name)
}

// Key is the path of a node, as in Segment.Path: a service, or an edge and what
// was called on it.
func Key(n *rehearse.Node) string {
	if n.Wire != nil {
		client, upstream := ends(n.Wire.Link)
		return join(Edge(client, upstream), n.Name)
	}
	if n.Kind == rehearse.SpanClient || n.Kind == rehearse.SpanProducer {
		return join(Edge(n.Service, peer(&n.Span)), n.Name)
	}
	return string(n.Service)
}

// Edge is a link as paths have it: "docgen → db". Regions of traffic from outside
// are left out.
func Edge(client, upstream rehearse.ServiceName) string {
	if rehearse.IsIngress(client) {
		client = rehearse.Ingress
	}
	return string(client) + " → " + string(upstream)
}

// Children are the indices of each node's children, in the order of Nodes.
func Children(t *rehearse.Trace) [][]int {
	out := make([][]int, len(t.Nodes))
	for i, n := range t.Nodes {
		if n.Up >= 0 {
			out[n.Up] = append(out[n.Up], i)
		}
	}
	return out
}

// peer names whom an SDK's client span calls, where no link saw it.
func peer(s *rehearse.Span) rehearse.ServiceName {
	for _, key := range []string{"peer.service", "server.address", "net.peer.name", "db.system.name", "db.system", "messaging.system"} {
		if v := s.Text(key); v != "" {
			return rehearse.ServiceName(v)
		}
	}
	return "?"
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + " " + b
}

// system is what a call speaks: a database's name, "rpc", "http", or empty.
func system(s *rehearse.Span) string {
	for _, a := range s.Attributes {
		switch a.Key {
		case "db.system.name", "db.system":
			v, _ := a.Value.(string)
			if v == "postgres" {
				v = "postgresql"
			}
			return v
		case "rpc.system", "rpc.system.name":
			return "rpc"
		case "http.request.method", "http.method":
			return "http"
		}
	}
	return ""
}

// operation is a call's verb in capitals, as far as its attributes tell.
func operation(s *rehearse.Span) string {
	for _, key := range []string{"db.operation.name", "db.operation", "db.query.summary", "db.query.text", "db.statement", "http.request.method", "http.method", "rpc.method"} {
		if words := strings.Fields(s.Text(key)); len(words) > 0 {
			return strings.ToUpper(words[0])
		}
	}
	return ""
}

// trivial reports whether a call does no work of its own: it opens, tries or
// configures a connection, or begins and ends a transaction.
func trivial(s *rehearse.Span) bool {
	sys := system(s)
	if sys == "http" || sys == "rpc" {
		return false
	}
	if strings.HasPrefix(s.Name, "--") || strings.HasPrefix(s.Name, "/*") || s.Name == ";" {
		return true // a statement without words
	}
	verb, rest, _ := strings.Cut(strings.TrimSpace(s.Name), " ")
	switch strings.ToUpper(verb) {
	case "", "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET", "SHOW", "RESET", "DISCARD", "DEALLOCATE",
		"STARTUP", "CANCEL", "EMPTY", "PING", "HELLO", "AUTH", "CLIENT", "ECHO", "INFO", "QUIT", "SYNC":
		return true
	case "SELECT": // of PostgreSQL, one that reads no table; of Redis, a database
		return rest == "" || rest == "1" || rest == "?"
	}
	return sys != "" && strings.EqualFold(verb, sys) && rest == "" // nothing is known but the system
}
