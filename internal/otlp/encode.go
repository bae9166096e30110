package otlp

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	rehearse "github.com/rehearse-dev/rehearse"
)

// AppendTraces appends the spans as a TracesData, grouped by resource and scope
// in the order in which these first come. A span without a resource has one with
// its service's name.
func AppendTraces(b []byte, spans []rehearse.Span) []byte {
	var groups groups
	var resource, raw []byte
	for i := range spans {
		sp := &spans[i]
		resource = AppendResource(resource[:0], sp.Service, sp.Resource)
		raw = AppendSpan(raw[:0], sp)
		groups.add(resource, sp.Scope, raw)
	}
	return groups.append(b)
}

// AppendLogs appends the records as a LogsData, grouped by service in the order
// in which these first come.
func AppendLogs(b []byte, records []rehearse.LogRecord) []byte {
	var groups groups
	var resource, raw []byte
	for i := range records {
		resource = AppendResource(resource[:0], records[i].Service, nil)
		raw = AppendLog(raw[:0], &records[i])
		groups.add(resource, "", raw)
	}
	return groups.append(b)
}

// groups are items by their resource and scope.
type groups struct {
	resources []*resourceGroup
	index     map[string]*resourceGroup
}

type resourceGroup struct {
	resource string
	scopes   []*scopeGroup
	index    map[string]*scopeGroup
}

type scopeGroup struct {
	scope string
	items []byte // fields of a ScopeSpans or ScopeLogs
}

func (g *groups) add(resource []byte, scope string, item []byte) {
	r := g.index[string(resource)]
	if r == nil {
		if g.index == nil {
			g.index = map[string]*resourceGroup{}
		}
		r = &resourceGroup{resource: string(resource), index: map[string]*scopeGroup{}}
		g.resources, g.index[r.resource] = append(g.resources, r), r
	}
	s := r.index[scope]
	if s == nil {
		s = &scopeGroup{scope: scope}
		r.scopes, r.index[scope] = append(r.scopes, s), s
	}
	s.items = appendBytes(s.items, 2, item)
}

func (g *groups) append(b []byte) []byte {
	for _, r := range g.resources {
		size := framed(len(r.resource))
		for _, s := range r.scopes {
			size += framed(scopeSize(len(s.scope), 0) + len(s.items))
		}
		b = slices.Grow(b, framed(size))
		b = appendHead(b, 1, size)
		b = appendBytes(b, 1, r.resource)
		for _, s := range r.scopes {
			b = appendHead(b, 2, scopeSize(len(s.scope), 0)+len(s.items))
			b = appendScope(b, s.scope, "")
			b = append(b, s.items...)
		}
	}
	return b
}

// AppendResourceSpans appends a ResourceSpans to a TracesData: the bytes of a
// Resource message and of Span messages, as [Traces] has shown them, go as they
// are.
func AppendResourceSpans(b, resource []byte, scope Scope, spans [][]byte) []byte {
	return appendItems(b, resource, scope, spans)
}

// AppendResourceLogs is like [AppendResourceSpans], for LogRecord messages in a
// LogsData.
func AppendResourceLogs(b, resource []byte, scope Scope, records [][]byte) []byte {
	return appendItems(b, resource, scope, records)
}

// AppendResourceMetrics is like [AppendResourceSpans], for Metric messages in a
// MetricsData.
func AppendResourceMetrics(b, resource []byte, scope Scope, metrics [][]byte) []byte {
	return appendItems(b, resource, scope, metrics)
}

func appendItems(b, resource []byte, scope Scope, items [][]byte) []byte {
	inner := scopeSize(len(scope.Name), len(scope.Version))
	for _, raw := range items {
		inner += framed(len(raw))
	}
	outer := framed(len(resource)) + framed(inner)
	b = slices.Grow(b, framed(outer))
	b = appendHead(b, 1, outer)
	b = appendBytes(b, 1, resource)
	b = appendHead(b, 2, inner)
	b = appendScope(b, scope.Name, scope.Version)
	for _, raw := range items {
		b = appendBytes(b, 2, raw)
	}
	return b
}

// scopeSize is how much appendScope appends for a name and a version of these
// lengths.
func scopeSize(name, version int) int {
	n := 0
	if name > 0 {
		n += framed(name)
	}
	if version > 0 {
		n += framed(version)
	}
	if n == 0 {
		return 0
	}
	return framed(n)
}

func appendScope[T string | []byte](b []byte, name, version T) []byte {
	if len(name) == 0 && len(version) == 0 {
		return b
	}
	b, scope := open(b, 1)
	if len(name) > 0 {
		b = appendBytes(b, 1, name)
	}
	if len(version) > 0 {
		b = appendBytes(b, 2, version)
	}
	return shut(b, scope)
}

// AppendResource appends the fields of a Resource message. A nil resource has the
// service's name alone.
func AppendResource(b []byte, service rehearse.ServiceName, resource []rehearse.Attribute) []byte {
	if resource == nil && service != "" {
		return appendAttribute(b, ResourceAttributes, rehearse.Attribute{Key: "service.name", Value: string(service)}, 1)
	}
	return appendAttributes(b, ResourceAttributes, resource, 1)
}

// AppendSpan appends the fields of a Span message.
func AppendSpan(b []byte, sp *rehearse.Span) []byte {
	b = appendBytes(b, 1, sp.Trace[:])
	b = appendBytes(b, 2, sp.ID[:])
	if !sp.Parent.IsZero() {
		b = appendBytes(b, 4, sp.Parent[:])
	}
	b = appendText(b, 5, sp.Name)
	b = appendVarint(b, 6, uint64(sp.Kind))
	b = appendFixed64(b, 7, nanoseconds(sp.Start))
	b = appendFixed64(b, 8, nanoseconds(sp.End()))
	b = appendAttributes(b, SpanAttributes, sp.Attributes, 1)
	for _, e := range sp.Events {
		var event int
		b, event = open(b, 11)
		b = appendFixed64(b, 1, nanoseconds(e.Time))
		b = appendText(b, 2, e.Name)
		b = appendAttributes(b, EventAttributes, e.Attributes, 1)
		b = shut(b, event)
	}
	for _, l := range sp.Links {
		var link int
		b, link = open(b, 13)
		b = appendBytes(b, 1, l.Trace[:])
		b = appendBytes(b, 2, l.Span[:])
		b = shut(b, link)
	}
	if sp.Status != rehearse.StatusUnset || sp.Message != "" {
		var status int
		b, status = open(b, 15)
		b = appendText(b, 2, sp.Message)
		b = appendVarint(b, 3, uint64(sp.Status))
		b = shut(b, status)
	}
	return b
}

// AppendLog appends the fields of a LogRecord message. The stream becomes the
// attribute log.iostream.
func AppendLog(b []byte, l *rehearse.LogRecord) []byte {
	b = appendFixed64(b, 1, nanoseconds(l.Time))
	b = appendVarint(b, 2, uint64(l.Severity))
	b, body := open(b, 5)
	b = appendValue(b, l.Body, 1)
	b = shut(b, body)
	if l.Stream != "" {
		b = appendAttribute(b, LogAttributes, rehearse.Attribute{Key: streamAttribute, Value: "std" + l.Stream}, 1)
	}
	b = appendAttributes(b, LogAttributes, l.Attributes, 1)
	if !l.Trace.IsZero() {
		b = appendBytes(b, 9, l.Trace[:])
	}
	if !l.Span.IsZero() {
		b = appendBytes(b, 10, l.Span[:])
	}
	return b
}

func appendAttributes(b []byte, num int, list []rehearse.Attribute, depth int) []byte {
	for _, a := range list {
		b = appendAttribute(b, num, a, depth)
	}
	return b
}

func appendAttribute(b []byte, num int, a rehearse.Attribute, depth int) []byte {
	b, pair := open(b, num)
	b = appendText(b, 1, a.Key)
	b, value := open(b, 2)
	b = appendValue(b, a.Value, depth)
	return shut(shut(b, value), pair)
}

// appendValue appends the fields of an AnyValue. What is nested too deep is empty,
// and a value of a type that [rehearse.Attribute] does not name is written as text.
func appendValue(b []byte, v any, depth int) []byte {
	switch v := v.(type) {
	case nil:
		return b
	case string:
		return appendBytes(b, int(ValueString), valid(v))
	case bool:
		b = appendTag(b, int(ValueBool), wireVarint)
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case int64:
		return binary.AppendUvarint(appendTag(b, int(ValueInt), wireVarint), uint64(v))
	case float64:
		return binary.LittleEndian.AppendUint64(appendTag(b, int(ValueDouble), wireFixed64), math.Float64bits(v))
	case []byte:
		return appendBytes(b, int(ValueBytes), v)
	case []any:
		b, list := open(b, int(ValueArray))
		for _, e := range v {
			if depth == MaxDepth {
				break
			}
			var value int
			b, value = open(b, 1)
			b = appendValue(b, e, depth+1)
			b = shut(b, value)
		}
		return shut(b, list)
	case []rehearse.Attribute:
		b, list := open(b, int(ValueMap))
		if depth < MaxDepth {
			b = appendAttributes(b, 1, v, depth+1)
		}
		return shut(b, list)
	}
	return appendValue(b, fmt.Sprint(v), depth)
}

func appendTag(b []byte, num int, typ wire) []byte {
	return binary.AppendUvarint(b, uint64(num)<<3|uint64(typ))
}

// appendBytes writes the field also when it is empty.
func appendBytes[T string | []byte](b []byte, num int, v T) []byte {
	return append(appendHead(b, num, len(v)), v...)
}

// appendHead begins a field of n bytes, which the caller appends.
func appendHead(b []byte, num, n int) []byte {
	return binary.AppendUvarint(appendTag(b, num, wireBytes), uint64(n))
}

// framed is the size of a field with a number below 16 and n bytes in it.
func framed(n int) int { return 1 + (bits.Len(uint(n)|1)+6)/7 + n }

// appendText, appendVarint and appendFixed64 leave out what is empty or zero.
func appendText(b []byte, num int, v string) []byte {
	if v == "" {
		return b
	}
	return appendBytes(b, num, valid(v))
}

// valid is v, which is UTF-8 nearly always: that is quicker to ask.
func valid(v string) string {
	if utf8.ValidString(v) {
		return v
	}
	return strings.ToValidUTF8(v, "\uFFFD")
}

func appendVarint(b []byte, num int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(appendTag(b, num, wireVarint), v)
}

func appendFixed64(b []byte, num int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(appendTag(b, num, wireFixed64), v)
}

// open begins a message in field num; shut, which is given the place that open
// gave, ends it. In between, a byte is held free for the length: a longer one
// moves the message, so that large ones go after an appendHead instead.
func open(b []byte, num int) ([]byte, int) {
	b = append(appendTag(b, num, wireBytes), 0)
	return b, len(b)
}

func shut(b []byte, place int) []byte {
	size := uint64(len(b) - place)
	if size < 0x80 {
		b[place-1] = byte(size)
		return b
	}
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], size)
	b = append(b, length[:n-1]...)
	copy(b[place-1+n:], b[place:])
	copy(b[place-1:], length[:n])
	return b
}

// nanoseconds is the inverse of at: times before 1970 are 0.
func nanoseconds(t time.Time) uint64 {
	seconds := t.Unix()
	if seconds < 0 {
		return 0
	}
	return uint64(seconds)*1e9 + uint64(t.Nanosecond())
}
