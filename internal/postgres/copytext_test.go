package postgres

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/measure"
)

// encode writes rows as the server does. A value "\x00" stands for NULL.
func encode(rows [][]string) []byte {
	escape := strings.NewReplacer("\\", `\\`, "\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`)
	var b bytes.Buffer
	for _, row := range rows {
		for i, v := range row {
			if i > 0 {
				b.WriteByte('\t')
			}
			if v == "\x00" {
				v = `\N`
			} else {
				v = escape.Replace(v)
			}
			b.WriteString(v)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// decode takes rows apart that come in pieces of a size.
func decode(data []byte, columns, piece int) (rows [][]string, err error) {
	c := copyText{columns: columns, each: func(r measure.Row) error {
		row := make([]string, len(r))
		for i, v := range r {
			if row[i] = string(v); v == nil {
				row[i] = "\x00"
			}
		}
		rows = append(rows, row)
		return nil
	}}
	for len(data) > 0 && err == nil {
		n := min(piece, len(data))
		_, err = c.Write(data[:n])
		data = data[n:]
	}
	return rows, err
}

func TestCopyText(t *testing.T) {
	for _, test := range []struct {
		in   string
		want [][]string
	}{
		{"1\t2\n", [][]string{{"1", "2"}}},
		{"\t\n\\N\t\\N\n", [][]string{{"", ""}, {"\x00", "\x00"}}},
		{`a\\b` + "\t" + `\\N` + "\n", [][]string{{`a\b`, `\N`}}},
		{`\b\f\n\r\t\v` + "\t" + `\q\.` + "\n", [][]string{{"\b\f\n\r\t\v", "q."}}},
		{`\101\1018\7` + "\t" + `\x41\x4a1\x4\xg` + "\n", [][]string{{"AA8\x07", "AJ1\x04xg"}}},
		{"one\n", nil}, {"1\t2\t3\n", nil}, // not two
	} {
		got, err := decode([]byte(test.in), 2, len(test.in))
		if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != (test.want == nil) {
			t.Errorf("%q (-want +got), %v:\n%s", test.in, err, diff)
		}
	}
}

func FuzzCopyText(f *testing.F) {
	f.Add("plain", "with\ttab", "\\N", uint8(1))
	f.Add("", "\x00", "\\\\\n", uint8(3))
	f.Fuzz(func(t *testing.T, a, b, c string, piece uint8) {
		want := [][]string{{a, b, c}, {c, a, b}}
		got, err := decode(encode(want), 3, int(piece)+1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		// What no server sends is taken apart the same however it is cut.
		raw := []byte(a + "\t" + b + "\n" + c + "\n")
		whole, wholeErr := decode(raw, 2, len(raw))
		cut, cutErr := decode(raw, 2, int(piece)+1)
		if diff := cmp.Diff(whole, cut); diff != "" || (wholeErr == nil) != (cutErr == nil) {
			t.Errorf("whole and cut, %v and %v:\n%s", wholeErr, cutErr, diff)
		}
	})
}

func TestCopyTextReusesMemory(t *testing.T) {
	data := encode([][]string{{"1", "a\tb", "\x00"}, {"22", "plain", "c\\d"}})
	c := copyText{columns: 3, each: func(measure.Row) error { return nil }}
	if got := testing.AllocsPerRun(100, func() { _, _ = c.Write(data) }); got != 0 {
		t.Errorf("%v allocations for two rows, want none", got)
	}
}
