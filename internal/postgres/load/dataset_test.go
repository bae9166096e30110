package load_test

import (
	"context"
	"encoding/binary"
	"os"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// dataset is a dataset made of functions.
type dataset struct {
	tables    []rows.Table
	sequences []rows.Sequence
}

func (d dataset) Schema() *schema.Schema     { return &schema.Schema{Engine: schema.Postgres} }
func (d dataset) Tables() []rows.Table       { return d.tables }
func (d dataset) Sequences() []rows.Sequence { return d.sequences }

// table is a table of which put sets row i, at position at of the batch.
type table struct {
	schema  schema.Table
	columns []rows.Column
	n       int64
	put     func(b *rows.Batch, at int, i int64)
	// fail, if not nil, is asked before every batch.
	fail func(from int64) error
}

func (t *table) Schema() *schema.Table  { return &t.schema }
func (t *table) Columns() []rows.Column { return t.columns }
func (t *table) Rows() int64            { return t.n }
func (t *table) Fill(b *rows.Batch, from int64, n int) error {
	if t.fail != nil {
		if err := t.fail(from); err != nil {
			return err
		}
	}
	b.Reset(t.columns, n)
	for at := range n {
		t.put(b, at, from+int64(at))
	}
	return nil
}

var kinds = map[string]schema.Kind{"bool": schema.Bool, "int2": schema.Int, "int4": schema.Int, "int8": schema.Int, "float4": schema.Float, "float8": schema.Float,
	"numeric": schema.Decimal, "text": schema.Text, "varchar": schema.Text, "bpchar": schema.Text, "citext": schema.Text, "bytea": schema.Bytes, "date": schema.Date,
	"time": schema.Time, "timestamp": schema.Timestamp, "timestamptz": schema.Instant, "uuid": schema.UUID, "json": schema.JSON, "jsonb": schema.JSON}

// col is a column of one of the types above, or of one whose values are text in
// the server's syntax.
func col(name, typ string) rows.Column {
	k, ok := kinds[typ]
	if !ok {
		k = schema.Other
	}
	t := schema.Type{SQL: typ, Name: typ, Kind: k}
	switch typ {
	case "float4":
		t.Size = 4
	case "float8":
		t.Size = 8
	}
	return rows.Column{Name: name, Type: t, Kind: rows.KindOf(t)}
}

func decimal(name string, scale int) rows.Column {
	c := col(name, "numeric")
	c.Scale = scale
	return c
}

func text(v *rows.Vector, s string) {
	v.Data = append(v.Data, s...)
	v.End()
}

func mix(seed, i uint64) uint64 {
	z := seed*0x9e3779b97f4a7c15 + i*0xbf58476d1ce4e5b9
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// ten is the table of ten columns that loading is measured with.
const tenSQL = `CREATE TABLE ten (id bigint NOT NULL, account_id bigint NOT NULL, email text NOT NULL, status text NOT NULL, amount numeric(12,2) NOT NULL,
	created_at timestamptz NOT NULL, active boolean NOT NULL, ratio double precision, uid uuid NOT NULL, payload jsonb)`

var statuses = []string{"active", "pending", "cancelled", "refunded", "legacy"}

func ten(n int64) *table {
	return &table{
		schema: schema.Table{Name: "ten"}, n: n,
		columns: []rows.Column{col("id", "int8"), col("account_id", "int8"), col("email", "text"), col("status", "text"), decimal("amount", 2),
			col("created_at", "timestamptz"), col("active", "bool"), col("ratio", "float8"), col("uid", "uuid"), col("payload", "jsonb")},
		put: func(b *rows.Batch, at int, i int64) {
			c := b.Columns
			x, y := mix(1, uint64(i)), mix(2, uint64(i))
			c[0].Ints[at] = i + 1
			c[1].Ints[at] = int64(x % 100000)
			c[2].Data = append(strconv.AppendInt(append(c[2].Data, "user"...), i+1, 10), "@example.com"...)
			c[2].End()
			text(&c[3], statuses[(x>>20)%5])
			c[4].Ints[at] = int64((x >> 24) % 10000000)
			c[5].Ints[at] = 1646684800000000 + int64(y%(86400*1000000*365))
			c[6].Ints[at] = int64(y & 1)
			c[7].Floats[at] = float64(y>>11) / (1 << 53)
			c[8].Data = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(c[8].Data, x), y)
			c[8].End()
			c[9].Data = append(strconv.AppendInt(append(c[9].Data, `{"k": `...), int64(x%1000), 10), `, "src": "web"}`...)
			c[9].End()
		},
	}
}

func connector(t testing.TB, url string) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, url) }
}

func open(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func query[T any](t testing.TB, c *pgx.Conn, sql string, args ...any) []T {
	t.Helper()
	found, err := c.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	out, err := pgx.CollectRows(found, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}
