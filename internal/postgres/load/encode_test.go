package load_test

import (
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// values is one column with its values and how the server prints them.
type values struct {
	column rows.Column
	ints   []int64
	floats []float64
	texts  []string
	want   []string
}

const dayMicros = 86400 * 1_000_000

func allValues() []values {
	enum := rows.Column{Name: "c", Type: schema.Type{SQL: "mood", Name: "mood", Kind: schema.Enum}, Kind: rows.Text}
	return []values{
		{column: col("c", "bool"), ints: []int64{0, 1}, want: []string{"false", "true"}},
		{column: col("c", "int2"), ints: []int64{0, -1, math.MaxInt16, math.MinInt16}, want: []string{"0", "-1", "32767", "-32768"}},
		{column: col("c", "int4"), ints: []int64{0, -1, math.MaxInt32, math.MinInt32}, want: []string{"0", "-1", "2147483647", "-2147483648"}},
		{column: col("c", "int8"), ints: []int64{0, -1, math.MaxInt64, math.MinInt64}, want: []string{"0", "-1", "9223372036854775807", "-9223372036854775808"}},
		{column: col("c", "float4"), floats: []float64{0, 1.5, -0.1, 3.4028235e38, math.NaN(), math.Inf(1), math.Inf(-1)}, want: []string{"0", "1.5", "-0.1", "3.4028235e+38", "NaN", "Infinity", "-Infinity"}},
		{column: col("c", "float8"), floats: []float64{0, math.Copysign(0, -1), 1.5, -0.1, math.MaxFloat64, math.SmallestNonzeroFloat64, math.NaN(), math.Inf(1), math.Inf(-1)},
			want: []string{"0", "-0", "1.5", "-0.1", "1.7976931348623157e+308", "5e-324", "NaN", "Infinity", "-Infinity"}},
		{column: decimal("c", 0), ints: []int64{0, 1, 10000, -10001, 100000000, math.MaxInt64, -math.MaxInt64, rows.NaN}, want: []string{"0", "1", "10000", "-10001", "100000000", "9223372036854775807", "-9223372036854775807", "NaN"}},
		{column: decimal("c", 2), ints: []int64{0, 1, -1, 99, 100, 123456, 1000000, math.MaxInt64}, want: []string{"0.00", "0.01", "-0.01", "0.99", "1.00", "1234.56", "10000.00", "92233720368547758.07"}},
		{column: decimal("c", 5), ints: []int64{1, 12345, 100000, 1234567890}, want: []string{"0.00001", "0.12345", "1.00000", "12345.67890"}},
		{column: decimal("c", 25), ints: []int64{0, 7, math.MaxInt64}, want: []string{"0.0000000000000000000000000", "0.0000000000000000000000007", "0.0000009223372036854775807"}},
		{column: col("c", "text"), texts: []string{"", "plain", "tab\tand\nnewline\rand\\", `\N`, "😀 é ß", "\x01\x7f", "NULL"}, want: []string{"", "plain", "tab\tand\nnewline\rand\\", `\N`, "😀 é ß", "\x01\x7f", "NULL"}},
		{column: col("c", "varchar"), texts: []string{"", "😀"}, want: []string{"", "😀"}},
		{column: col("c", "citext"), texts: []string{"", "MiXed"}, want: []string{"", "MiXed"}},
		{column: enum, texts: []string{"sad", "very happy"}, want: []string{"sad", "very happy"}},
		{column: col("c", "json"), texts: []string{`{"a": 1, "a": 2}`, `"\u00e9"`, "null"}, want: []string{`{"a": 1, "a": 2}`, `"\u00e9"`, "null"}},
		{column: col("c", "jsonb"), texts: []string{`{"b":1,"a":[true,"\\"]}`, "7"}, want: []string{`{"a": [true, "\\"], "b": 1}`, "7"}},
		{column: col("c", "bytea"), texts: []string{"", "\x00\xff\\", "abc"}, want: []string{`\x`, `\x00ff5c`, `\x616263`}},
		{column: col("c", "uuid"), texts: []string{"0123456789abcdef", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}, want: []string{"30313233-3435-3637-3839-616263646566", "00000000-0000-0000-0000-000000000000"}},
		{column: col("c", "date"), ints: []int64{0, -1, 10957, -719162, 2932896, -719528, -719893, 11016, rows.Infinity, rows.NegInfinity},
			want: []string{"1970-01-01", "1969-12-31", "2000-01-01", "0001-01-01", "9999-12-31", "0001-01-01 BC", "0002-01-01 BC", "2000-02-29", "infinity", "-infinity"}},
		{column: col("c", "time"), ints: []int64{0, 1, dayMicros - 1, dayMicros, 3_661_500_000}, want: []string{"00:00:00", "00:00:00.000001", "23:59:59.999999", "24:00:00", "01:01:01.5"}},
		{column: col("c", "timestamp"), ints: []int64{0, -1, -719162 * dayMicros, 2932897*dayMicros - 1, -719528 * dayMicros, 100_000 * 366 * dayMicros, rows.Infinity, rows.NegInfinity},
			want: []string{"1970-01-01 00:00:00", "1969-12-31 23:59:59.999999", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "0001-01-01 00:00:00 BC", "102177-05-25 00:00:00", "infinity", "-infinity"}},
		{column: col("c", "timestamptz"), ints: []int64{0, -719162 * dayMicros, 2932897*dayMicros - 1, rows.Infinity, rows.NegInfinity},
			want: []string{"1970-01-01 00:00:00+00", "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "infinity", "-infinity"}},
	}
}

func (v values) len() int { return max(len(v.ints), len(v.floats), len(v.texts)) }

// table has the values and then a NULL, in a column of its own and, where text
// is wanted, beside one that has no binary form.
func (v values) table(asText bool) *table {
	t := &table{schema: schema.Table{Name: "v"}, columns: []rows.Column{v.column}, n: int64(v.len() + 1)}
	if asText {
		t.columns = append(t.columns, col("other", "interval"))
	}
	t.put = func(b *rows.Batch, at int, i int64) {
		c := &b.Columns[0]
		switch {
		case int(i) == v.len():
			c.Null[at] = true
			if v.texts != nil {
				c.End()
			}
		case v.ints != nil:
			c.Ints[at] = v.ints[i]
		case v.floats != nil:
			c.Floats[at] = v.floats[i]
		default:
			text(c, v.texts[i])
		}
		if asText {
			text(&b.Columns[1], "1 mon 2 days 03:04:05")
		}
	}
	return t
}

// Every type comes back from a real server as it was sent, in both formats.
func TestTypes(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "CREATE EXTENSION citext", "CREATE TYPE mood AS ENUM ('sad', 'very happy')")
	c := open(t, url)
	if _, err := c.Exec(t.Context(), "SET TimeZone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	for _, v := range allValues() {
		for _, asText := range []bool{false, true} {
			name := v.column.Type.SQL + "/binary"
			if asText {
				name = v.column.Type.SQL + "/text"
			}
			t.Run(name, func(t *testing.T) {
				from := v.table(asText)
				if _, err := c.Exec(t.Context(), "DROP TABLE IF EXISTS v; CREATE TABLE v (at serial, c "+v.column.Type.SQL+", other interval)"); err != nil {
					t.Fatal(err)
				}
				var file bytes.Buffer
				if _, err := load.Encode(t.Context(), from, &file); err != nil {
					t.Fatal(err)
				}
				if got := bytes.HasPrefix(file.Bytes(), []byte("PGCOPY\n")); got == asText {
					t.Errorf("binary: %v", got)
				}
				if _, err := c.PgConn().CopyFrom(t.Context(), &file, load.Statement(from)); err != nil {
					t.Fatal(err)
				}
				got := query[*string](t, c, "SELECT c::text FROM v ORDER BY at")
				var want []*string
				for _, w := range v.want {
					want = append(want, &w)
				}
				if diff := cmp.Diff(append(want, nil), got); diff != "" {
					t.Errorf("want -, got +:\n%s", diff)
				}
			})
		}
	}
}

// What a type cannot hold is an error that names column and row, and never
// another value.
func TestUnfit(t *testing.T) {
	for _, v := range []values{
		{column: col("c", "int2"), ints: []int64{1, 32768}},
		{column: col("c", "int4"), ints: []int64{1, math.MinInt32 - 1}},
		{column: col("c", "date"), ints: []int64{1, math.MaxInt32 + epochDays}},
		{column: col("c", "time"), ints: []int64{1, dayMicros + 1}},
		{column: col("c", "timestamp"), ints: []int64{1, math.MinInt64 + 1}},
	} {
		_, err := load.Encode(t.Context(), v.table(false), io.Discard)
		if err == nil {
			t.Errorf("%s: no error for %d", v.column.Type.SQL, v.ints[1])
			continue
		}
		if got := err.Error(); !bytes.Contains([]byte(got), []byte(`table "v": row 2: column "c"`)) {
			t.Errorf("%s: %s", v.column.Type.SQL, got)
		}
	}
}

const epochDays = 10957

// The same rows give the same bytes.
func TestEncodeDeterministic(t *testing.T) {
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		if n, err := load.Encode(t.Context(), ten(30_000), w); err != nil || n != int64(w.Len()) {
			t.Fatalf("%d bytes of %d, %v", n, w.Len(), err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two encodings of the same rows differ")
	}
}
