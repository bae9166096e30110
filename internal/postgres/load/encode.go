package load

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// encoder turns batches of one table into the bytes of a COPY. It is binary
// where the server has a binary form for every column that is written by hand in
// here, and text otherwise, for the table as a whole, as COPY knows no mixture.
type encoder struct {
	columns []rows.Column
	forms   []form
	binary  bool
}

// form is how a column's values are written in binary.
type form uint8

const (
	formNone form = iota
	formBool
	formInt2
	formInt4
	formInt8
	formOID
	formFloat4
	formFloat8
	formNumeric
	formDate
	formTime
	formTimestamp
	formBytes // texts, UUIDs and bytes alike
	formJSONB
)

func newEncoder(columns []rows.Column) *encoder {
	e := &encoder{columns: columns, forms: make([]form, len(columns)), binary: true}
	for i, c := range columns {
		e.forms[i] = formOf(c)
		if e.forms[i] == formNone {
			e.binary = false
		}
	}
	return e
}

func formOf(c rows.Column) form {
	switch c.Kind {
	case rows.Bool:
		if c.Type.Name == "bool" {
			return formBool
		}
	case rows.Int:
		switch c.Type.Name {
		case "int2":
			return formInt2
		case "int4":
			return formInt4
		case "int8":
			return formInt8
		case "oid":
			return formOID
		}
	case rows.Float:
		switch c.Type.Name {
		case "float4":
			return formFloat4
		case "float8":
			return formFloat8
		}
	case rows.Decimal:
		if c.Type.Name == "numeric" {
			return formNumeric
		}
	case rows.Date:
		if c.Type.Name == "date" {
			return formDate
		}
	case rows.Time:
		if c.Type.Name == "time" {
			return formTime
		}
	case rows.Timestamp:
		switch c.Type.Name {
		case "timestamp", "timestamptz":
			return formTimestamp
		}
	case rows.UUID:
		if c.Type.Name == "uuid" {
			return formBytes
		}
	case rows.Bytes:
		if c.Type.Name == "bytea" {
			return formBytes
		}
	case rows.Text:
		switch c.Type.Name {
		case "text", "varchar", "bpchar", "citext", "name", "json":
			return formBytes
		case "jsonb":
			return formJSONB
		}
		if c.Type.Kind == schema.Enum {
			return formBytes
		}
	}
	return formNone
}

// head is what a COPY begins with.
func (e *encoder) head(dst []byte) []byte {
	if e.binary {
		return append(dst, "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000"...)
	}
	return dst
}

// tail is what a COPY ends with.
func (e *encoder) tail(dst []byte) []byte {
	if e.binary {
		return append(dst, 0xff, 0xff)
	}
	return dst
}

// row appends row i of a batch. An error names the column.
func (e *encoder) row(dst []byte, b *rows.Batch, i int) ([]byte, error) {
	if e.binary {
		return e.binaryRow(dst, b, i)
	}
	return e.textRow(dst, b, i)
}

// unfit is a value that the column's type cannot hold.
func (e *encoder) unfit(column int, value int64) error {
	c := e.columns[column]
	return fmt.Errorf("column %q: %d does not fit the type %s", c.Name, value, c.Type.SQL)
}

// Statement is the COPY command that takes what [Encode] writes for a table.
func Statement(t rows.Table) string {
	return newEncoder(t.Columns()).statement(identifier(t.Schema()), "")
}

func (e *encoder) statement(table, options string) string {
	names := make([]string, len(e.columns))
	for i, c := range e.columns {
		names[i] = pgx.Identifier{c.Name}.Sanitize()
	}
	if e.binary {
		options = strings.TrimPrefix(options+", FORMAT binary", ", ")
	}
	if options != "" {
		options = " WITH (" + options + ")"
	}
	return fmt.Sprintf("COPY %s (%s) FROM STDIN%s", table, strings.Join(names, ", "), options)
}

// identifier is a table's name as SQL writes it, with its schema.
func identifier(t *schema.Table) string {
	if t.Schema == "" {
		return pgx.Identifier{"public", t.Name}.Sanitize()
	}
	return pgx.Identifier{t.Schema, t.Name}.Sanitize()
}

// encoding is how a COPY has rows.
func (e *encoder) encoding() rows.Encoding {
	return rows.Encoding{Head: e.head, Row: e.row, Tail: e.tail}
}

// all is every row of a table.
func all(t rows.Table) rows.Part { return rows.Part{Table: t, To: t.Rows()} }

// Encode writes all rows of a table to w in the form that [Statement] reads: a
// COPY file. It returns how many bytes that were. The same table gives the same
// bytes.
func Encode(ctx context.Context, t rows.Table, w io.Writer) (int64, error) {
	s := all(t).Stream(ctx, newEncoder(t.Columns()).encoding(), rows.NewBuffers(), nil)
	n, err := io.Copy(w, s)
	if failed := s.Close(); failed != nil {
		err = failed
	}
	if err != nil {
		return n, fmt.Errorf("encode table %q: %w", t.Schema().QName(), err)
	}
	return n, nil
}
