package telemetry

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// table holds one row for each span, log record or metric, as a struct of arrays
// without pointers: scans are quick, and a million rows cost the garbage
// collector nothing. What queries ask for is in the columns; the rest is in the
// messages themselves. A column that a signal has no use for is empty.
//
// A table of spans in memory takes rowBytes a row and its names and groups. Names
// are interned for each table on its own, so what a service puts into names leaves
// memory with its table, and is in the budget until then.
type table struct {
	names  []string
	groups []group

	trace    []rehearse.TraceID
	span     []rehearse.SpanID // of a log record, the span that it belongs to
	parent   []rehearse.SpanID
	start    []int64  // Unix nanoseconds; of a log record, its time; of a metric, when it came
	duration []int64  // of a metric, how many data points it has
	name     []uint32 // index in names
	group    []uint32 // index in groups
	flags    []uint8  // a span's kind and status<<4; a log record's severity

	// raw are the messages one after another, each up to its end, in the order of
	// the rows. A sealed table has none: its messages are in its segment. A batch
	// of a request has views of them instead, and ends as if it had raw.
	raw   []byte
	end   []uint32
	views [][]byte
}

// rowBytes is what the columns of a span take.
const rowBytes = 16 + 8 + 8 + 8 + 8 + 4 + 4 + 1

// group is what spans of one instrumentation of one process have in common.
type group struct {
	service  rehearse.ServiceName // whose telemetry it is, whatever the resource says
	link     rehearse.LinkID      // of links' spans only
	resource string               // a Resource message; empty: it has the service's name alone
	scope    string
	version  string
}

func (t *table) rows() int { return len(t.start) }

// message is a row's message.
func (t *table) message(row int32) []byte {
	if t.views != nil {
		return t.views[row]
	}
	return t.raw[t.begin(row):t.end[row]]
}

// begin is where the message of a row starts.
func (t *table) begin(row int32) uint32 {
	if row == 0 {
		return 0
	}
	return t.end[row-1]
}

func (t *table) kind(row int32) rehearse.SpanKind     { return rehearse.SpanKind(t.flags[row] & 15) }
func (t *table) status(row int32) rehearse.SpanStatus { return rehearse.SpanStatus(t.flags[row] >> 4) }

// bytes is what the table takes in memory.
func (t *table) bytes() int64 {
	n := cap(t.raw) + 4*cap(t.end) + 16*cap(t.trace) + 8*(cap(t.span)+cap(t.parent)+cap(t.start)+cap(t.duration)) +
		4*(cap(t.name)+cap(t.group)) + cap(t.flags)
	for _, name := range t.names {
		n += len(name) + 16
	}
	for _, g := range t.groups {
		n += len(g.resource) + 80
	}
	return int64(n)
}

// cost is what rows take before they are sealed.
func (t *table) cost(from, to int32) int64 {
	if from == to {
		return 0
	}
	return int64(t.end[to-1]-t.begin(from)) + int64(to-from)*rowBytes
}

// grouped puts rows in the order in which a file has them: by group, and as they
// came within one.
func (t *table) grouped(rows []int32) { slices.SortFunc(rows, t.order) }

func (t *table) order(a, b int32) int {
	return cmp.Or(cmp.Compare(t.group[a], t.group[b]), cmp.Compare(a, b))
}

// all are the table's rows.
func (t *table) all() []int32 {
	rows := make([]int32, t.rows())
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// encode appends the rows as an OTLP TracesData, LogsData or MetricsData. They
// differ only in what is in them.
func (t *table) encode(b []byte, rows []int32) []byte {
	var messages [][]byte
	for i, row := range rows {
		messages = append(messages, t.message(row))
		if i == len(rows)-1 || t.group[rows[i+1]] != t.group[row] {
			g := &t.groups[t.group[row]]
			resource := []byte(g.resource)
			if g.resource == "" {
				resource = otlp.AppendResource(nil, g.service, nil)
			}
			b = otlp.AppendResourceSpans(b, resource, otlp.Scope{Name: []byte(g.scope), Version: []byte(g.version)}, messages)
			messages = messages[:0]
		}
	}
	return b
}

// pick copies rows into a table of their own that has no messages.
func (t *table) pick(rows []int32) *table {
	return &table{
		names: slices.Clip(t.names), groups: slices.Clip(t.groups),
		trace: choose(t.trace, rows), span: choose(t.span, rows), parent: choose(t.parent, rows),
		start: choose(t.start, rows), duration: choose(t.duration, rows),
		name: choose(t.name, rows), group: choose(t.group, rows), flags: choose(t.flags, rows),
	}
}

func choose[T any](column []T, rows []int32) []T {
	if len(column) == 0 {
		return nil
	}
	chosen := make([]T, len(rows))
	for i, row := range rows {
		chosen[i] = column[row]
	}
	return chosen
}

// builder is a table that grows.
type builder struct {
	table
	// The indexes of names and groups. While there are few of them the maps are
	// empty: a span of a link is a batch of its own, and hashes nothing.
	nameID  map[string]uint32
	groupID map[group]uint32
}

// few is how many names, or groups, are compared with one after another.
const few = 8

func newBuilder() *builder {
	return &builder{nameID: map[string]uint32{}, groupID: map[group]uint32{}}
}

// reset empties the builder and keeps its memory.
func (b *builder) reset() {
	clear(b.nameID)
	clear(b.groupID)
	clear(b.names)
	clear(b.groups)
	clear(b.views)
	t := &b.table
	b.table = table{
		names: t.names[:0], groups: t.groups[:0], trace: t.trace[:0], span: t.span[:0], parent: t.parent[:0],
		start: t.start[:0], duration: t.duration[:0], name: t.name[:0], group: t.group[:0], flags: t.flags[:0],
		raw: t.raw[:0], end: t.end[:0], views: t.views[:0],
	}
}

// reserve makes room for about as many rows as another table has, and for some
// bytes of messages.
func (b *builder) reserve(like *table, bytes int) {
	rows := func(n int) int { return n + n/16 } // spans of one kind differ by less
	b.trace = make([]rehearse.TraceID, 0, rows(len(like.trace)))
	b.span = make([]rehearse.SpanID, 0, rows(len(like.span)))
	b.parent = make([]rehearse.SpanID, 0, rows(len(like.parent)))
	b.start = make([]int64, 0, rows(len(like.start)))
	b.duration = make([]int64, 0, rows(len(like.duration)))
	b.name = make([]uint32, 0, rows(len(like.name)))
	b.group = make([]uint32, 0, rows(len(like.group)))
	b.flags = make([]uint8, 0, rows(len(like.flags)))
	b.raw = make([]byte, 0, bytes)
	b.end = make([]uint32, 0, rows(len(like.end)))
}

// intern is the index of a name.
func (b *builder) intern(name string) uint32 {
	var id uint32
	b.names, id = number(b.names, b.nameID, name)
	return id
}

// internBytes is intern of a view: only a new name allocates.
func (b *builder) internBytes(name []byte) uint32 {
	if len(b.names) <= few {
		for i := range b.names {
			if b.names[i] == string(name) {
				return uint32(i)
			}
		}
	} else if id, ok := b.nameID[string(name)]; ok {
		return id
	}
	return b.intern(string(name))
}

// groupOf is the index of a group.
func (b *builder) groupOf(g group) uint32 {
	var id uint32
	b.groups, id = number(b.groups, b.groupID, g)
	return id
}

// number is the index of a value in a list, to which it is appended if it is not
// there. The map has the indexes once there are more than few.
func number[T comparable](list []T, index map[T]uint32, v T) ([]T, uint32) {
	if len(list) <= few {
		for i := range list {
			if list[i] == v {
				return list, uint32(i)
			}
		}
	} else if id, ok := index[v]; ok {
		return list, id
	}
	id := uint32(len(list))
	list = append(list, v)
	if len(list) == few+1 {
		for i := range list {
			index[list[i]] = uint32(i)
		}
	} else if len(list) > few {
		index[v] = id
	}
	return list, id
}

// add ends a row: its message is what was appended to raw since the last one, and
// the columns that only some signals have are appended before.
func (b *builder) add(start int64, group uint32) {
	b.start = append(b.start, start)
	b.group = append(b.group, group)
	b.end = append(b.end, uint32(len(b.raw)))
}

// addView is add of a message that stays where it is.
func (b *builder) addView(message []byte, start int64, group uint32) {
	b.start = append(b.start, start)
	b.group = append(b.group, group)
	b.end = append(b.end, b.begin(int32(len(b.end)))+uint32(len(message)))
	b.views = append(b.views, message)
}

// merge appends a batch's rows from one on, as many as leave the builder with at
// most limit bytes of messages, but at least one. It returns the next row.
func (b *builder) merge(batch *table, from int32, limit int) int32 {
	to, begin := from+1, batch.begin(from)
	for int(to) < batch.rows() && len(b.raw)+int(batch.end[to]-begin) <= limit && b.rows()+int(to-from) < maxRows {
		to++
	}
	names := make([]uint32, 0, 64)
	for _, name := range batch.names {
		names = append(names, b.intern(name))
	}
	groups := make([]uint32, 0, 8)
	for _, g := range batch.groups {
		groups = append(groups, b.groupOf(g))
	}
	b.trace = extend(b.trace, batch.trace, from, to)
	b.span = extend(b.span, batch.span, from, to)
	b.parent = extend(b.parent, batch.parent, from, to)
	b.start = extend(b.start, batch.start, from, to)
	b.duration = extend(b.duration, batch.duration, from, to)
	b.flags = extend(b.flags, batch.flags, from, to)
	b.name = renumber(extend(b.name, batch.name, from, to), len(b.name), names)
	b.group = renumber(extend(b.group, batch.group, from, to), len(b.group), groups)
	at := uint32(len(b.raw))
	if batch.views == nil {
		b.raw = append(b.raw, batch.raw[begin:batch.end[to-1]]...)
	} else {
		for _, message := range batch.views[from:to] {
			b.raw = append(b.raw, message...)
		}
	}
	for _, end := range batch.end[from:to] {
		b.end = append(b.end, at+end-begin)
	}
	return to
}

// extend appends rows of a column, which is empty where its signal has no use for
// it.
func extend[T any](to, column []T, from, next int32) []T {
	if len(column) == 0 {
		return to
	}
	return append(to, column[from:next]...)
}

// renumber puts a column's values from a row on into the numbers of another table.
func renumber(column []uint32, from int, numbers []uint32) []uint32 {
	for i := from; i < len(column); i++ {
		column[i] = numbers[column[i]]
	}
	return column
}

// unix is a time of OTLP's as the columns hold it.
func unix(ns uint64) int64 { return int64(min(ns, math.MaxInt64)) }

// unixOf is a time as the columns hold it, and as it comes back from a message:
// 0 is unknown.
func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(0, t.UnixNano())
}
