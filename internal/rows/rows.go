// Package rows is rows on their way from whoever makes them to a database or a
// file: batches of typed columns.
//
// A [Dataset] is what a generator offers; what loads or writes it asks each
// [Table] to fill batches. Values are held in the form from which both a binary
// COPY and a text can be made without an allocation per value.
package rows

import (
	"math"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Kind is the form in which a column's values are held.
type Kind uint8

// The forms.
const (
	Bool      Kind = iota // Ints, 0 or 1
	Int                   // Ints
	Float                 // Floats
	Decimal               // Ints, the number times 10^Scale; NaN is [NaN]
	Date                  // Ints, days since 1970-01-01; [Infinity] and [NegInfinity] too
	Time                  // Ints, µs since midnight
	Timestamp             // Ints, µs since 1970-01-01 00:00 UTC; infinities too
	UUID                  // Texts, 16 bytes
	Bytes                 // Texts, as they are
	Text                  // Texts, in UTF-8: a text, a JSON document, an enum's label
	Syntax                // Texts, in the server's own syntax for the type: arrays, ranges, intervals, addresses
)

// Values of Ints that are no numbers.
const (
	Infinity    = math.MaxInt64
	NegInfinity = math.MinInt64
	NaN         = math.MinInt64
)

// Column describes one column of a batch.
type Column struct {
	Name  string
	Type  schema.Type
	Kind  Kind
	Scale int // of decimals
}

// Dataset is all rows of a database. Its tables stand in an order in which each
// comes behind those that it refers to, circles apart.
type Dataset interface {
	Schema() *schema.Schema
	Tables() []Table
	// Sequences are the values at which the sequences of columns go on.
	Sequences() []Sequence
}

// Table is the rows of one table.
type Table interface {
	Schema() *schema.Table
	// Columns are those that are written, in the table's order: generated columns
	// are not among them.
	Columns() []Column
	Rows() int64
	// Fill replaces the content of b with rows from to from+n. The same rows come
	// out whenever and from wherever it is called. Calls at the same time are
	// safe with batches of their own.
	Fill(b *Batch, from int64, n int) error
}

// Sequence is where a column's sequence stands after a load.
type Sequence struct {
	Table, Column string
	// Name is the sequence as SQL writes it; empty for AUTO_INCREMENT.
	Name string
	Last int64
}

// Batch is some rows of one table, column by column. Its memory is used again by
// the next Fill.
type Batch struct {
	N       int
	Columns []Vector
}

// Vector is one column of a batch.
type Vector struct {
	// Null has a true for each row that is NULL.
	Null   []bool
	Ints   []int64
	Floats []float64
	// Row i of Texts is Data[Ends[i-1]:Ends[i]], that of a NULL being empty.
	Data []byte
	Ends []int32
}

// Reset makes the batch one of n rows for the columns, with no NULL, and with
// Ints and Floats to be set by index and texts to be appended in order.
func (b *Batch) Reset(columns []Column, n int) {
	b.N = n
	for len(b.Columns) < len(columns) {
		b.Columns = append(b.Columns, Vector{})
	}
	b.Columns = b.Columns[:len(columns)]
	for i, c := range columns {
		v := &b.Columns[i]
		v.Null = grow(v.Null, n)
		clear(v.Null)
		switch c.Kind {
		case Float:
			v.Floats = grow(v.Floats, n)
		case UUID, Bytes, Text, Syntax:
			v.Data, v.Ends = v.Data[:0], v.Ends[:0]
		default:
			v.Ints = grow(v.Ints, n)
		}
	}
}

// End ends the text of the next row, which is what was appended to Data since
// the last End.
func (v *Vector) End() { v.Ends = append(v.Ends, int32(len(v.Data))) }

// Text is the text of a row.
func (v *Vector) Text(i int) []byte {
	var from int32
	if i > 0 {
		from = v.Ends[i-1]
	}
	return v.Data[from:v.Ends[i]]
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// KindOf is the form in which values of a type are held.
func KindOf(t schema.Type) Kind {
	switch t.Kind {
	case schema.Bool:
		return Bool
	case schema.Int:
		return Int
	case schema.Float:
		return Float
	case schema.Decimal:
		return Decimal
	case schema.Date:
		return Date
	case schema.Time:
		return Time
	case schema.Timestamp, schema.Instant:
		return Timestamp
	case schema.UUID:
		return UUID
	case schema.Bytes:
		return Bytes
	case schema.Text, schema.JSON, schema.Enum:
		return Text
	}
	return Syntax
}
