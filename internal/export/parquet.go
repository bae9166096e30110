package export

import (
	"fmt"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Bounds of a row group, which is what a table that is being written holds in
// memory.
const (
	groupRows  = 128 << 10
	groupBytes = 16 << 20
)

// maxDecimal is how many digits a DECIMAL of 64 bits has.
const maxDecimal = 18

// parquetEncoder writes one row group after the other.
type parquetEncoder struct {
	w       *parquet.GenericWriter[any]
	columns []parquetColumn
	rows    []parquet.Row
	values  []parquet.Value
	// inGroup counts the rows, and size the bytes, of the group that is open.
	inGroup, size int
	lost          int64
}

// parquetColumn is a column and how it is written.
type parquetColumn struct {
	rows.Column
	optional bool
	small    bool // physically 32 bits
}

// ordered is a group whose columns stand in the table's order rather than by name.
type ordered struct {
	parquet.Group
	order []string
}

func (o ordered) Fields() []parquet.Field {
	fields := o.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int { return slices.Index(o.order, a.Name()) - slices.Index(o.order, b.Name()) })
	return fields
}

func newParquet(out *sink, t rows.Table, snappy bool) (*parquetEncoder, error) {
	e := &parquetEncoder{}
	root := ordered{Group: parquet.Group{}}
	for _, c := range t.Columns() {
		pc := parquetColumn{Column: c, optional: true}
		if of, _ := t.Schema().Column(c.Name); of != nil && of.NotNull && !holed(c.Kind) {
			pc.optional = false
		}
		pc.small = c.Kind == rows.Date || c.Kind == rows.Int && c.Type.Size <= 4
		node, err := nodeOf(c)
		if err != nil {
			return nil, err
		}
		if pc.optional {
			node = parquet.Optional(node)
		}
		root.Group[c.Name] = node
		root.order = append(root.order, c.Name)
		e.columns = append(e.columns, pc)
	}
	if len(root.Group) != len(e.columns) || len(e.columns) == 0 {
		return nil, fmt.Errorf("Parquet cannot hold a table of %d columns that have %d names", len(e.columns), len(root.Group))
	}
	codec := compress.Codec(&parquet.Zstd)
	if snappy {
		codec = &parquet.Snappy
	}
	e.w = parquet.NewGenericWriter[any](out, parquet.NewSchema(t.Schema().QName(), root), parquet.Compression(codec),
		parquet.CreatedBy("rehearse", "1", "0"), parquet.DataPageStatistics(true))
	return e, nil
}

// holed are the forms some of whose values Parquet has no form for.
func holed(k rows.Kind) bool { return k == rows.Decimal || k == rows.Date || k == rows.Timestamp }

// nodeOf is a column's type.
func nodeOf(c rows.Column) (parquet.Node, error) {
	switch c.Kind {
	case rows.Bool:
		return parquet.Leaf(parquet.BooleanType), nil
	case rows.Int:
		bits := map[int]int{1: 8, 2: 16, 3: 32, 4: 32}[c.Type.Size]
		if bits == 0 {
			bits = 64
		}
		if c.Type.Unsigned {
			return parquet.Uint(bits), nil
		}
		return parquet.Int(bits), nil
	case rows.Float:
		if c.Type.Size == 4 {
			return parquet.Leaf(parquet.FloatType), nil
		}
		return parquet.Leaf(parquet.DoubleType), nil
	case rows.Decimal:
		precision := c.Type.Precision
		if precision == 0 || precision > maxDecimal {
			precision = maxDecimal
		}
		if c.Scale > precision {
			return nil, fmt.Errorf("column %q: Parquet has no decimals of %d digits behind the point", c.Name, c.Scale)
		}
		return parquet.Decimal(c.Scale, precision, parquet.Int64Type), nil
	case rows.Date:
		return parquet.Date(), nil
	case rows.Time:
		return parquet.TimeAdjusted(parquet.Microsecond, false), nil
	case rows.Timestamp:
		return parquet.TimestampAdjusted(parquet.Microsecond, c.Type.Kind == schema.Instant), nil
	case rows.UUID:
		return parquet.UUID(), nil
	case rows.Bytes:
		return parquet.Leaf(parquet.ByteArrayType), nil
	}
	if c.Type.Kind == schema.JSON {
		return parquet.JSON(), nil
	}
	return parquet.String(), nil
}

func (e *parquetEncoder) begin() error { return nil }

func (e *parquetEncoder) batch(b *rows.Batch) error {
	e.rows, e.values = e.rows[:0], e.values[:0]
	e.values = slices.Grow(e.values, b.N*len(e.columns))
	for i := range b.N {
		from := len(e.values)
		for j := range e.columns {
			e.values = append(e.values, e.value(j, &b.Columns[j], i))
		}
		e.rows = append(e.rows, e.values[from:])
	}
	if _, err := e.w.WriteRows(e.rows); err != nil {
		return err
	}
	for j := range b.Columns {
		e.size += len(b.Columns[j].Data) + 8*b.N
	}
	if e.inGroup += b.N; e.inGroup >= groupRows || e.size >= groupBytes {
		e.inGroup, e.size = 0, 0
		return e.w.Flush()
	}
	return nil
}

func (e *parquetEncoder) value(j int, v *rows.Vector, i int) parquet.Value {
	c := &e.columns[j]
	null := v.Null[i]
	if !null && holed(c.Kind) {
		if n := v.Ints[i]; n == math.MinInt64 || n == math.MaxInt64 && c.Kind != rows.Decimal {
			null = true
			e.lost++
		}
	}
	if null {
		return parquet.NullValue().Level(0, 0, j)
	}
	level := 0
	if c.optional {
		level = 1
	}
	return c.of(v, i).Level(0, level, j)
}

func (c *parquetColumn) of(v *rows.Vector, i int) parquet.Value {
	switch c.Kind {
	case rows.Bool:
		return parquet.BooleanValue(v.Ints[i] != 0)
	case rows.Float:
		if c.Type.Size == 4 {
			return parquet.FloatValue(float32(v.Floats[i]))
		}
		return parquet.DoubleValue(v.Floats[i])
	case rows.UUID:
		return parquet.FixedLenByteArrayValue(v.Text(i))
	case rows.Bytes, rows.Text, rows.Syntax:
		return parquet.ByteArrayValue(v.Text(i))
	}
	if c.small {
		return parquet.Int32Value(int32(v.Ints[i]))
	}
	return parquet.Int64Value(v.Ints[i])
}

func (e *parquetEncoder) end() error { return e.w.Close() }
