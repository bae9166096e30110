package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Default is a check of the kind with what holds where nobody says otherwise.
// Those of max_duration and max_calls have no limit that suits everyone, and
// expect has no expression. It is false when there is no such kind.
func Default(kind rehearse.CheckKind) (rehearse.Check, bool) {
	c := rehearse.Check{Kind: kind}
	switch kind {
	case rehearse.CheckMaxDuration:
		c.Percent = 100
	case rehearse.CheckNPlusOne:
		c.Limit = 10
	case rehearse.CheckChattyLink:
		c.Limit = 0.25
	case rehearse.CheckRetryStorm:
		c.Limit = 3
	case rehearse.CheckIdleInTransaction:
		c.Limit = 0.5
	case rehearse.CheckNoTimeout:
		c.Limit = 1
	case rehearse.CheckExpect:
		c.Over = "all"
	case rehearse.CheckMaxCalls, rehearse.CheckPoolExhausted, rehearse.CheckErrorSwallowed,
		rehearse.CheckUndeclaredCall, rehearse.CheckLogErrors, rehearse.CheckPlanRegression:
	default:
		return rehearse.Check{}, false
	}
	return c, true
}

// Run asks a check of a leg's telemetry, nil where there is none. The plan says
// which links were declared; nil is an empty one. It never panics, whatever the
// telemetry holds.
func Run(c rehearse.Check, plan *rehearse.Plan, t *rehearse.Telemetry) rehearse.Finding {
	if plan == nil {
		plan = &rehearse.Plan{}
	}
	q := &inquiry{check: c, plan: plan, t: t}
	var f rehearse.Finding
	switch {
	case t == nil:
		f = unverified("no telemetry", "The leg left no telemetry to ask.")
	case c.Kind == rehearse.CheckMaxDuration:
		f = q.maxDuration()
	case c.Kind == rehearse.CheckNPlusOne:
		f = q.nPlusOne()
	case c.Kind == rehearse.CheckMaxCalls:
		f = q.maxCalls()
	case c.Kind == rehearse.CheckChattyLink:
		f = q.chattyLink()
	case c.Kind == rehearse.CheckRetryStorm:
		f = q.retryStorm()
	case c.Kind == rehearse.CheckPoolExhausted:
		f = q.poolExhausted()
	case c.Kind == rehearse.CheckIdleInTransaction:
		f = q.idleInTransaction()
	case c.Kind == rehearse.CheckNoTimeout:
		f = q.noTimeout()
	case c.Kind == rehearse.CheckErrorSwallowed:
		f = q.errorSwallowed()
	case c.Kind == rehearse.CheckUndeclaredCall:
		f = q.undeclaredCall()
	case c.Kind == rehearse.CheckLogErrors:
		f = q.logErrors()
	case c.Kind == rehearse.CheckExpect:
		f = q.expect()
	default:
		// Evidence that somebody edited can hold a kind that there is not.
		f = unverified("not a check", fmt.Sprintf("There is no check of the kind %q.", c.Kind))
	}
	f.Check = "check: " + c.Name
	f.Evidence = []string{"telemetry"}
	return f
}

// inquiry is one check being asked.
type inquiry struct {
	check rehearse.Check
	plan  *rehearse.Plan
	t     *rehearse.Telemetry
}

func unverified(got, detail string) rehearse.Finding {
	return rehearse.Finding{Outcome: rehearse.Unverified, Got: got, Detail: detail}
}

// traces are those whose operation the check is about. A single call that a
// service makes on its own, as a health check does, is no request; only a check
// that names its operation is about it.
func (q *inquiry) traces() []*rehearse.Trace {
	var out []*rehearse.Trace
	for i := range q.t.Traces {
		t := &q.t.Traces[i]
		if len(t.Nodes) == 0 || !matches(q.check.Operation, t.Operation) {
			continue
		}
		if id, ok := onLink(&t.Nodes[0]); ok && q.check.Operation == "" && len(t.Nodes) == 1 {
			if client, _ := ends(id); !rehearse.IsIngress(client) {
				continue
			}
		}
		out = append(out, t)
	}
	return out
}

// about reports whether the check is about a link. One about ingress:web is also
// about the links of its regions, which not every leg has.
func (q *inquiry) about(id rehearse.LinkID) bool {
	if q.check.Link == "" || q.check.Link == id {
		return true
	}
	client, upstream := ends(q.check.Link)
	from, to := ends(id)
	return client == rehearse.Ingress && rehearse.IsIngress(from) && upstream == to
}

// ends are a link's client and upstream.
func ends(id rehearse.LinkID) (client, upstream rehearse.ServiceName) {
	c, u, _ := strings.Cut(string(id), ":")
	return rehearse.ServiceName(c), rehearse.ServiceName(u)
}

// onLink is the link whose call a node is, if it is one.
func onLink(n *rehearse.Node) (rehearse.LinkID, bool) {
	if n.Wire == nil || n.Wire.Undecoded != "" {
		return "", false
	}
	return n.Wire.Link, true
}

// matches reports whether a text is what a pattern says, in which * stands for
// anything. The empty pattern is anything.
func matches(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}

// examples are the first of the worst, each once.
func examples(worst []rehearse.TraceID) []rehearse.TraceID {
	const most = 5
	var out []rehearse.TraceID
	for _, id := range worst {
		if len(out) == most {
			break
		}
		if !id.IsZero() && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// counted is "1 call", "2 calls".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// short prints seconds for a table.
func short(seconds float64) string {
	return rehearse.Round(time.Duration(math.Round(seconds * float64(time.Second)))).String()
}

// number prints a count or a factor without needless digits.
func number(v float64) string {
	return fmt.Sprintf("%.4g", v)
}

func share(part, whole int) string {
	return fmt.Sprintf("%.3g%%", 100*float64(part)/float64(max(whole, 1)))
}

// cut shortens a text to a number of characters and takes the breaks out of it.
func cut(s string, most int) string {
	runes := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(s, "�")), " "))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}

func pointer(v float64) *float64 { return &v }

// byID orders trace identifiers, for those that are equally bad.
func byID(a, b rehearse.TraceID) int { return cmp.Compare(a.String(), b.String()) }
