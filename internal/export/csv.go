package export

import (
	"bytes"

	"github.com/rehearse-dev/rehearse/internal/rows"
)

// csvEncoder writes RFC 4180 with lines that end in a line feed, as PostgreSQL's
// COPY … CSV reads and writes it.
type csvEncoder struct {
	out     *sink
	columns []rows.Column
	value   []byte
}

func (e *csvEncoder) begin() error {
	for i, c := range e.columns {
		if i > 0 {
			e.out.buf = append(e.out.buf, ',')
		}
		e.field([]byte(c.Name))
	}
	e.out.buf = append(e.out.buf, '\n')
	return nil
}

func (e *csvEncoder) batch(b *rows.Batch) error {
	for i := range b.N {
		for j := range e.columns {
			if j > 0 {
				e.out.buf = append(e.out.buf, ',')
			}
			v := &b.Columns[j]
			if v.Null[i] {
				continue
			}
			e.value = TextOf(e.value[:0], e.columns[j], v, i)
			e.field(e.value)
		}
		e.out.buf = append(e.out.buf, '\n')
		if err := e.out.spill(); err != nil {
			return err
		}
	}
	return nil
}

func (e *csvEncoder) end() error { return nil }

// field writes a value, in quotes where it needs them: an empty one is told from
// NULL by them, and \. would end PostgreSQL's input.
func (e *csvEncoder) field(s []byte) {
	if len(s) > 0 && !bytes.ContainsAny(s, ",\"\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' && string(s) != `\.` {
		e.out.buf = append(e.out.buf, s...)
		return
	}
	buf := append(e.out.buf, '"')
	for _, c := range s {
		if c == '"' {
			buf = append(buf, '"')
		}
		buf = append(buf, c)
	}
	e.out.buf = append(buf, '"')
}
