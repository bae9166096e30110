package load

import (
	"math/big"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// A row costs no allocation, in either format.
func TestRowAllocations(t *testing.T) {
	column := func(kind schema.Kind, name string) rows.Column {
		typ := schema.Type{SQL: name, Name: name, Kind: kind, Size: 8}
		return rows.Column{Name: name, Type: typ, Kind: rows.KindOf(typ), Scale: 2}
	}
	columns := []rows.Column{column(schema.Bool, "bool"), column(schema.Int, "int2"), column(schema.Int, "int4"), column(schema.Int, "int8"),
		column(schema.Float, "float8"), column(schema.Decimal, "numeric"), column(schema.Date, "date"), column(schema.Time, "time"),
		column(schema.Timestamp, "timestamp"), column(schema.Instant, "timestamptz"), column(schema.UUID, "uuid"), column(schema.Bytes, "bytea"),
		column(schema.Text, "text"), column(schema.JSON, "jsonb")}
	var b rows.Batch
	b.Reset(columns, 2)
	for i := range columns {
		for at := range 2 {
			switch v := &b.Columns[i]; columns[i].Kind {
			case rows.Float:
				v.Floats[at] = 1.25
			case rows.UUID, rows.Bytes, rows.Text:
				v.Data = append(v.Data, "0123456789abcdef"...)
				v.End()
			default:
				v.Ints[at] = int64(12345 + at)
			}
		}
	}
	for _, c := range columns {
		if c.Kind == rows.Bool {
			b.Columns[0].Ints[0] = 1
		}
	}
	for _, name := range []string{"binary", "text"} {
		e := newEncoder(columns)
		e.binary = name == "binary"
		var dst []byte
		var err error
		got := testing.AllocsPerRun(100, func() {
			dst = dst[:0]
			for i := range 2 {
				if dst, err = e.row(dst, &b, i); err != nil {
					t.Fatal(err)
				}
			}
		})
		if got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

// pgx reads a numeric as it was written, whatever number and scale.
func FuzzNumeric(f *testing.F) {
	for _, n := range []int64{0, 1, -1, 9999, 10000, 123456789, 1<<63 - 1, -1 << 63} {
		for _, scale := range []uint8{0, 1, 2, 4, 5, 19, 30} {
			f.Add(n, scale)
		}
	}
	m := pgtype.NewMap()
	f.Fuzz(func(t *testing.T, n int64, scale uint8) {
		b := appendNumeric(nil, n, int(scale))
		if got := int(be.Uint32(b)); got != len(b)-4 {
			t.Fatalf("length %d of %d", got, len(b)-4)
		}
		var got pgtype.Numeric
		if err := m.Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, b[4:], &got); err != nil {
			t.Fatal(err)
		}
		if n == rows.NaN {
			if !got.NaN {
				t.Errorf("got %v, want NaN", got)
			}
			return
		}
		want := new(big.Rat).SetFrac(big.NewInt(n), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		value := new(big.Rat).SetInt(got.Int)
		power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(got.Exp, -got.Exp))), nil))
		if got.Exp < 0 {
			power.Inv(power)
		}
		if value.Mul(value, power).Cmp(want) != 0 {
			t.Errorf("got %v, want %v", value, want)
		}
		// The text is the same number with exactly as many digits as the scale says.
		text := string(appendDecimal(nil, n, int(scale)))
		read, ok := new(big.Rat).SetString(text)
		if !ok || read.Cmp(want) != 0 {
			t.Errorf("text %q is not %v", text, want)
		}
		if _, fraction, _ := strings.Cut(text, "."); len(fraction) != int(scale) {
			t.Errorf("text %q has not %d digits behind the point", text, scale)
		}
	})
}
