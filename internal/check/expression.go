package check

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Expression is a question to one trace. See the package's documentation for the
// language.
type Expression struct {
	set    spanset
	stages []stage
}

// String is the expression in its canonical form: [Parse] of it gives an equal
// one.
func (e *Expression) String() string {
	s := e.set.String()
	for _, st := range e.stages {
		s += " | " + st.String()
	}
	return s
}

// spanset selects spans of a trace: a filter, or two sets and what joins them.
type spanset struct {
	op          string // empty for a filter
	left, right *spanset
	filter      *condition // nil: every span
}

func (s spanset) String() string {
	if s.op == "" {
		if s.filter == nil {
			return "{ }"
		}
		return "{ " + s.filter.String() + " }"
	}
	return s.left.nested(s.op, false) + " " + s.op + " " + s.right.nested(s.op, true)
}

// nested puts parentheses around a set where it would else be read otherwise.
func (s spanset) nested(outer string, right bool) string {
	in, out := binding(s.op), binding(outer)
	if s.op == "" || in > out || in == out && !right && (out == tight || s.op == outer) {
		return s.String()
	}
	return "(" + s.String() + ")"
}

// How closely operators bind.
const (
	loose = iota
	tight
)

func binding(op string) int {
	if op == "&&" || op == "||" {
		return loose
	}
	return tight
}

// condition is what a filter asks of a span: a comparison, or several that are
// joined.
type condition struct {
	op    string // && or ||; empty for a comparison
	terms []*condition

	field      field
	comparison string
	literal    literal
	pattern    *regexp.Regexp // of =~ and !~
}

func (c *condition) String() string {
	if c.op == "" {
		return c.field.String() + " " + c.comparison + " " + c.literal.String()
	}
	parts := make([]string, len(c.terms))
	for i, t := range c.terms {
		parts[i] = t.String()
		if t.op != "" {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, " "+c.op+" ")
}

// field is what of a span is compared: an intrinsic, or an attribute of a scope.
type field struct {
	intrinsic string
	scope     string // "span", "resource", or empty for either
	attribute string
}

func (f field) String() string {
	if f.intrinsic != "" {
		return f.intrinsic
	}
	return f.scope + "." + f.attribute
}

// The intrinsic fields and what they are compared with.
var intrinsics = map[string]literalKind{
	"name":            literalString,
	"kind":            literalSpanKind,
	"status":          literalStatus,
	"duration":        literalDuration,
	"rootName":        literalString,
	"rootServiceName": literalString,
	"trace:duration":  literalDuration,
}

// literal is a value that something is compared with.
type literal struct {
	kind   literalKind
	text   string  // of a string
	number float64 // of a number; nanoseconds of a duration; a status, a kind; 1 for true
}

type literalKind int

const (
	literalString literalKind = iota
	literalNumber
	literalDuration
	literalBool
	literalStatus
	literalSpanKind
)

// what each kind of literal is called, and looks like.
var literalKinds = [...]struct{ name, example string }{
	literalString:   {"a string", `"docgen"`},
	literalNumber:   {"a number", "3"},
	literalDuration: {"a duration", "12ms"},
	literalBool:     {"true or false", "true"},
	literalStatus:   {"a status", "error, ok or unset"},
	literalSpanKind: {"a kind of span", "server, client, internal, producer or consumer"},
}

func (l literal) String() string {
	switch l.kind {
	case literalString:
		return quote(l.text)
	case literalDuration:
		return time.Duration(l.number).String()
	case literalBool:
		return strconv.FormatBool(l.number == 1)
	case literalStatus, literalSpanKind:
		for word, w := range words {
			if w == l {
				return word
			}
		}
	}
	return strconv.FormatFloat(l.number, 'g', -1, 64)
}

// words are the literals that are words.
var words = map[string]literal{
	"true":        {kind: literalBool, number: 1},
	"false":       {kind: literalBool},
	"unset":       {kind: literalStatus, number: float64(rehearse.StatusUnset)},
	"ok":          {kind: literalStatus, number: float64(rehearse.StatusOK)},
	"error":       {kind: literalStatus, number: float64(rehearse.StatusError)},
	"unspecified": {kind: literalSpanKind, number: float64(rehearse.SpanUnspecified)},
	"internal":    {kind: literalSpanKind, number: float64(rehearse.SpanInternal)},
	"server":      {kind: literalSpanKind, number: float64(rehearse.SpanServer)},
	"client":      {kind: literalSpanKind, number: float64(rehearse.SpanClient)},
	"producer":    {kind: literalSpanKind, number: float64(rehearse.SpanProducer)},
	"consumer":    {kind: literalSpanKind, number: float64(rehearse.SpanConsumer)},
}

// stage is a part of the pipeline: it groups the spans, or compares an aggregate
// of each group.
type stage struct {
	by         bool
	aggregate  string // count, avg, min, max, sum
	field      field  // of all but count
	comparison string
	literal    literal
}

func (s stage) String() string {
	switch {
	case s.by:
		return "by(" + s.field.String() + ")"
	case s.aggregate == "count":
		return fmt.Sprintf("count() %s %s", s.comparison, s.literal)
	}
	return fmt.Sprintf("%s(%s) %s %s", s.aggregate, s.field, s.comparison, s.literal)
}
