package export

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Settings under which a file means what it says, whoever runs it.
const (
	postgresSettings = "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\nSET DateStyle = 'ISO, YMD';\nSET IntervalStyle = 'postgres';\nSET TimeZone = 'UTC';\n"
	mysqlSettings    = "SET NAMES utf8mb4;\nSET time_zone = '+00:00';\nSET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\nSET foreign_key_checks = 0;\nSET unique_checks = 0;\n"
)

// quoteName is a name as the engine writes it.
func quoteName(name string, mysql bool) string {
	if mysql {
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func tableName(t *schema.Table, mysql bool) string {
	if t.Schema == "" {
		return quoteName(t.Name, mysql)
	}
	return quoteName(t.Schema, mysql) + "." + quoteName(t.Name, mysql)
}

// target is "table (columns)".
func target(t rows.Table, mysql bool) string {
	var names []string
	for _, c := range t.Columns() {
		names = append(names, quoteName(c.Name, mysql))
	}
	return tableName(t.Schema(), mysql) + " (" + strings.Join(names, ", ") + ")"
}

// Bounds of one INSERT. MySQL takes statements of 16 MB at most by default.
const (
	insertRows  = 500
	insertBytes = 512 << 10
)

// insertEncoder writes INSERTs of many rows.
type insertEncoder struct {
	out   *sink
	table rows.Table
	mysql bool

	head        string
	columns     []rows.Column
	rows, bytes int // of the statement that is open
	value       []byte
}

func (e *insertEncoder) begin() error {
	e.columns = e.table.Columns()
	e.head = "INSERT INTO " + target(e.table, e.mysql)
	for _, c := range e.table.Schema().Columns {
		if c.Identity == "always" {
			e.head += " OVERRIDING SYSTEM VALUE"
			break
		}
	}
	e.head += " VALUES\n"
	e.out.buf = append(e.out.buf, settings(e.mysql)...)
	return nil
}

func settings(mysql bool) string {
	if mysql {
		return mysqlSettings
	}
	return postgresSettings
}

func (e *insertEncoder) batch(b *rows.Batch) error {
	for i := range b.N {
		from := len(e.out.buf)
		switch {
		case e.rows == 0:
			e.out.buf = append(e.out.buf, e.head...)
		default:
			e.out.buf = append(e.out.buf, ",\n"...)
		}
		for j := range e.columns {
			e.out.buf = append(e.out.buf, "(,"[min(j, 1)])
			e.literal(e.columns[j], &b.Columns[j], i)
		}
		if len(e.columns) == 0 {
			e.out.buf = append(e.out.buf, '(')
		}
		e.out.buf = append(e.out.buf, ')')
		e.rows++
		e.bytes += len(e.out.buf) - from
		if e.rows == insertRows || e.bytes >= insertBytes {
			e.close()
		}
		if err := e.out.spill(); err != nil {
			return err
		}
	}
	return nil
}

func (e *insertEncoder) close() {
	if e.rows > 0 {
		e.out.buf = append(e.out.buf, ";\n"...)
	}
	e.rows, e.bytes = 0, 0
}

func (e *insertEncoder) end() error {
	e.close()
	return nil
}

func (e *insertEncoder) literal(c rows.Column, v *rows.Vector, i int) {
	switch {
	case v.Null[i]:
		e.out.buf = append(e.out.buf, "NULL"...)
		return
	case bare(c, v, i):
		e.out.buf = TextOf(e.out.buf, c, v, i)
		return
	case e.mysql && c.Kind == rows.Bytes:
		e.out.buf = append(hex.AppendEncode(append(e.out.buf, "x'"...), v.Text(i)), '\'')
		return
	case e.mysql && c.Type.Kind == schema.Bits:
		e.out.buf = append(append(append(e.out.buf, "b'"...), v.Text(i)...), '\'')
		return
	}
	e.value = TextOf(e.value[:0], c, v, i)
	buf := append(e.out.buf, '\'')
	for _, ch := range e.value {
		switch {
		case ch == '\'':
			buf = append(buf, '\'')
		case !e.mysql:
		case ch == '\\':
			buf = append(buf, '\\')
		case ch == 0:
			buf, ch = append(buf, '\\'), '0'
		}
		buf = append(buf, ch)
	}
	e.out.buf = append(buf, '\'')
}

// copyEncoder writes COPY … FROM stdin in PostgreSQL's text format, for psql.
type copyEncoder struct {
	out   *sink
	table rows.Table
	value []byte
}

func (e *copyEncoder) begin() error {
	e.out.buf = append(e.out.buf, postgresSettings+"COPY "+target(e.table, false)+" FROM stdin;\n"...)
	return nil
}

func (e *copyEncoder) batch(b *rows.Batch) error {
	columns := e.table.Columns()
	for i := range b.N {
		for j, c := range columns {
			if j > 0 {
				e.out.buf = append(e.out.buf, '\t')
			}
			v := &b.Columns[j]
			if v.Null[i] {
				e.out.buf = append(e.out.buf, `\N`...)
				continue
			}
			e.value = TextOf(e.value[:0], c, v, i)
			e.out.buf = appendCopy(e.out.buf, e.value)
		}
		e.out.buf = append(e.out.buf, '\n')
		if err := e.out.spill(); err != nil {
			return err
		}
	}
	return nil
}

func appendCopy(dst, s []byte) []byte {
	for _, c := range s {
		switch c {
		case '\\':
			dst = append(dst, `\\`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func (e *copyEncoder) end() error {
	e.out.buf = append(e.out.buf, "\\.\n"...)
	return nil
}

// companions writes what sets sequences, and what runs all files in order.
func (w *writer) companions(report *Report) error {
	mysql := w.ds.Schema().Engine == schema.MySQL
	tables := report.Files
	var b strings.Builder
	for _, s := range w.ds.Sequences() {
		switch {
		case mysql:
			t, ok := w.ds.Schema().Table(s.Table)
			if ok {
				fmt.Fprintf(&b, "ALTER TABLE %s AUTO_INCREMENT = %d;\n", tableName(t, true), max(s.Last, 0)+1)
			}
		case s.Name != "" && s.Last > 0:
			fmt.Fprintf(&b, "SELECT pg_catalog.setval('%s', %d, true);\n", strings.ReplaceAll(s.Name, "'", "''"), s.Last)
		case s.Name != "":
			fmt.Fprintf(&b, "SELECT pg_catalog.setval('%s', 1, false);\n", strings.ReplaceAll(s.Name, "'", "''"))
		}
	}
	if err := w.companion(report, "sequences.sql", b.String()); err != nil {
		return err
	}
	b.Reset()
	include := `\ir `
	if mysql {
		b.WriteString("-- Run in this directory: mariadb DATABASE < all.sql\n" + mysqlSettings)
		include = "source "
	} else {
		b.WriteString("-- Run by: psql -v ON_ERROR_STOP=1 -f all.sql DATABASE\n" + postgresSettings)
		if _, cyclic := w.ds.Schema().Order(); len(cyclic) > 0 {
			b.WriteString("-- Tables refer to one another in circles, so references are not checked while rows come in. This takes a superuser.\nSET session_replication_role = replica;\n")
		}
		b.WriteString("BEGIN;\n")
	}
	for _, f := range tables {
		b.WriteString(include + includable(f.Name, mysql) + "\n")
	}
	b.WriteString(include + "sequences.sql\n")
	if !mysql {
		b.WriteString("COMMIT;\n")
	}
	return w.companion(report, "all.sql", b.String())
}

// includable is a file's name as psql reads it behind \ir; MySQL's client takes the
// rest of the line.
func includable(name string, mysql bool) string {
	if mysql {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", "''") + "'"
}
