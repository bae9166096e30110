package rows_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// numbers is a table of one column, in which row i has i. It cannot make the rows from
// broken on, if that is not 0.
type numbers struct{ rows, broken int64 }

var errBroken = errors.New("a bad rule")

func (t numbers) Schema() *schema.Table  { return &schema.Table{Name: "numbers"} }
func (t numbers) Columns() []rows.Column { return make([]rows.Column, 1) }
func (t numbers) Rows() int64            { return t.rows }

func (t numbers) Fill(b *rows.Batch, from int64, n int) error {
	b.Reset(t.Columns(), n)
	for i := range n {
		b.Columns[0].Ints[i] = from + int64(i)
	}
	if t.broken > 0 && from+int64(n) > t.broken {
		return errBroken
	}
	return nil
}

// lines encodes a row as its number, in a line of a given width.
func lines(width int) rows.Encoding {
	return rows.Encoding{
		Head: func(dst []byte) []byte { return append(dst, "head\n"...) },
		Tail: func(dst []byte) []byte { return append(dst, "tail\n"...) },
		Row: func(dst []byte, b *rows.Batch, i int) ([]byte, error) {
			return fmt.Appendf(dst, "%0*d\n", width, b.Columns[0].Ints[i]), nil
		},
	}
}

// TestStream reads parts of a table, of narrow rows and of some that are wider than a
// buffer, over the same buffers.
func TestStream(t *testing.T) {
	b := rows.NewBuffers()
	for _, c := range []struct {
		from, to int64
		width    int
	}{{0, 0, 1}, {0, 5000, 3}, {4000, 100_000, 10}, {7, 9, 1 << 20}, {0, 40, 40_000}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			var toldRows, toldBytes int64
			s := rows.Part{Table: numbers{rows: 100_000}, From: c.from, To: c.to}.Stream(t.Context(), lines(c.width), b, func(rows, bytes int64) {
				toldRows, toldBytes = toldRows+rows, toldBytes+bytes
			})
			got, err := io.ReadAll(s)
			if err := errors.Join(err, s.Close()); err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			want.WriteString("head\n")
			for i := c.from; i < c.to; i++ {
				fmt.Fprintf(&want, "%0*d\n", c.width, i)
			}
			want.WriteString("tail\n")
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("it gives %d bytes, want %d others", len(got), want.Len())
			}
			around := int64(len("head\ntail\n"))
			if s.Bytes() != int64(want.Len()) || s.Rows() != c.to-c.from || toldRows != s.Rows() || toldBytes != s.Bytes()-around {
				t.Errorf("it counts %d rows and %d bytes, and told of %d and %d", s.Rows(), s.Bytes(), toldRows, toldBytes)
			}
		})
	}
}

// TestStreamEnds closes streams that nobody reads to the end, and one that fails.
func TestStreamEnds(t *testing.T) {
	b := rows.NewBuffers()
	for range 20 {
		s := rows.Part{Table: numbers{rows: 1 << 40}, To: 1 << 40}.Stream(t.Context(), lines(100), b, nil)
		if _, err := io.CopyN(io.Discard, s, 1<<20); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("ended before its end: %v", err)
		}
	}
	s := rows.Part{Table: numbers{rows: 5000, broken: 3000}, To: 5000}.Stream(t.Context(), lines(10), b, nil)
	_, err := io.Copy(io.Discard, s)
	if closed := s.Close(); !errors.Is(err, errBroken) || !errors.Is(closed, errBroken) || !strings.Contains(err.Error(), "make rows ") {
		t.Errorf("a table that cannot be made: Read says %v and Close %v, want %v of which rows", err, closed, errBroken)
	}
	e := lines(10)
	e.Row = func(dst []byte, b *rows.Batch, i int) ([]byte, error) {
		if b.Columns[0].Ints[i] == 1234 {
			return nil, errBroken
		}
		return dst, nil
	}
	s = rows.Part{Table: numbers{rows: 5000}, To: 5000}.Stream(t.Context(), e, b, nil)
	_, err = io.Copy(io.Discard, s)
	if err := errors.Join(err, s.Close()); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "row 1235: ") {
		t.Errorf("a row that does not fit: %v, want %v of row 1235", err, errBroken)
	}
}

func TestBatchesEndWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	err := rows.Part{Table: numbers{rows: 5000}, To: 5000}.Batches(ctx, &rows.Batch{}, func(int) (int, error) {
		if seen++; seen == 10 {
			cancel()
		}
		return 1, nil
	}, nil)
	if !errors.Is(err, context.Canceled) || seen == 5000 {
		t.Errorf("after %d rows: %v, want %v before the last", seen, err, context.Canceled)
	}
}

func TestAppendDecimal(t *testing.T) {
	for _, c := range []struct {
		n     int64
		scale int
		want  string
	}{{0, 0, "0"}, {0, 2, "0.00"}, {5, 2, "0.05"}, {-5, 1, "-0.5"}, {1234, 2, "12.34"}, {-1234, 0, "-1234"}, {1234, 4, "0.1234"}, {-1 << 63, 3, "-9223372036854775.808"}} {
		if got := string(rows.AppendDecimal(nil, c.n, c.scale)); got != c.want {
			t.Errorf("%s with %d digits after the point is %q, want %q", strconv.FormatInt(c.n, 10), c.scale, got, c.want)
		}
	}
}
