package export_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/export"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// dataset is tables that are all alike.
type dataset struct {
	schema *schema.Schema
	tables []rows.Table
}

func (d dataset) Schema() *schema.Schema { return d.schema }
func (d dataset) Tables() []rows.Table   { return d.tables }
func (d dataset) Sequences() []rows.Sequence {
	return []rows.Sequence{{Table: "one", Column: "id", Name: map[schema.Engine]string{schema.Postgres: "one_id_seq"}[d.schema.Engine], Last: 70000}}
}

type table struct {
	schema *schema.Table
	rows   int64
	fail   error
}

func (t table) Schema() *schema.Table { return t.schema }
func (t table) Rows() int64           { return t.rows }
func (t table) Columns() (out []rows.Column) {
	for _, c := range t.schema.Columns {
		out = append(out, rows.Column{Name: c.Name, Type: c.Type, Kind: rows.KindOf(c.Type), Scale: c.Type.Scale})
	}
	return out
}

var texts = []string{"plain", "", " ", "it's", `a "quoted" one`, "comma, and\nline", "tab\there", `back\slash`, `\.`, `\N`, "naïve 日本語 🙂", "carriage\rreturn", "NULL", "100%"}

func (t table) Fill(b *rows.Batch, from int64, n int) error {
	if t.fail != nil && from > 0 {
		return t.fail
	}
	columns := t.Columns()
	b.Reset(columns, n)
	for i := range n {
		row := from + int64(i)
		for j, c := range columns {
			v := &b.Columns[j]
			v.Null[i] = j > 0 && (row+int64(j))%7 == 0
			text := ""
			switch c.Kind {
			case rows.Bool:
				v.Ints[i] = row % 2
			case rows.Int:
				v.Ints[i] = row
			case rows.Float:
				v.Floats[i] = []float64{0.1, -1.5e300, 1e-7, 123456789, math.MaxFloat64}[row%5]
			case rows.Decimal:
				v.Ints[i] = []int64{0, 5, -5, 123456, -99999999}[row%5]
			case rows.Date:
				v.Ints[i] = []int64{0, 19000, 18321, 10957}[row%4]
			case rows.Time:
				v.Ints[i] = []int64{0, 86399999999, 45296500000}[row%3]
			case rows.Timestamp:
				v.Ints[i] = []int64{1e15, 1700000000123456, 951827696500000}[row%3]
			case rows.UUID:
				text = fmt.Sprintf("%016d", row)
			case rows.Bytes:
				text = []string{"\x00\xff'\\", "abc", ""}[row%3]
			case rows.Syntax:
				text = "{1,NULL,3}"
			default:
				text = texts[row%int64(len(texts))]
				if c.Type.Kind == schema.JSON {
					text = `{"a": "q\"'\\n"}`
				}
			}
			if v.Ends != nil || c.Kind >= rows.UUID {
				if !v.Null[i] {
					v.Data = append(v.Data, text...)
				}
				v.End()
			}
		}
	}
	return nil
}

func postgres(count int64) dataset {
	return tables(schema.Postgres, count, []schema.Column{
		{Name: "id", NotNull: true, Identity: "always", Type: schema.Type{SQL: "integer", Name: "int4", Kind: schema.Int, Size: 4}},
		{Name: "Big one", Type: schema.Type{SQL: "bigint", Name: "int8", Kind: schema.Int, Size: 8}},
		{Name: "b", Type: schema.Type{SQL: "boolean", Name: "bool", Kind: schema.Bool}},
		{Name: "f", Type: schema.Type{SQL: "double precision", Name: "float8", Kind: schema.Float, Size: 8}},
		{Name: "n", Type: schema.Type{SQL: "numeric(12,3)", Name: "numeric", Kind: schema.Decimal, Precision: 12, Scale: 3}},
		{Name: "s", Type: schema.Type{SQL: "text", Name: "text", Kind: schema.Text}},
		{Name: "d", Type: schema.Type{SQL: "date", Name: "date", Kind: schema.Date}},
		{Name: "t", Type: schema.Type{SQL: "time", Name: "time", Kind: schema.Time}},
		{Name: "ts", Type: schema.Type{SQL: "timestamp", Name: "timestamp", Kind: schema.Timestamp}},
		{Name: "tz", Type: schema.Type{SQL: "timestamptz", Name: "timestamptz", Kind: schema.Instant}},
		{Name: "u", Type: schema.Type{SQL: "uuid", Name: "uuid", Kind: schema.UUID}},
		{Name: "raw", Type: schema.Type{SQL: "bytea", Name: "bytea", Kind: schema.Bytes}},
		{Name: "j", Type: schema.Type{SQL: "jsonb", Name: "jsonb", Kind: schema.JSON}},
		{Name: "arr", Type: schema.Type{SQL: "integer[]", Name: "_int4", Kind: schema.Array}},
	})
}

func mariadb(count int64) dataset {
	return tables(schema.MySQL, count, []schema.Column{
		{Name: "id", NotNull: true, Identity: "auto", Type: schema.Type{SQL: "int", Name: "int", Kind: schema.Int, Size: 4}},
		{Name: "b", Type: schema.Type{SQL: "tinyint(1)", Name: "tinyint", Kind: schema.Bool}},
		{Name: "f", Type: schema.Type{SQL: "double", Name: "double", Kind: schema.Float, Size: 8}},
		{Name: "n", Type: schema.Type{SQL: "decimal(12,3)", Name: "decimal", Kind: schema.Decimal, Precision: 12, Scale: 3}},
		{Name: "s", Type: schema.Type{SQL: "text", Name: "text", Kind: schema.Text}},
		{Name: "d", Type: schema.Type{SQL: "date", Name: "date", Kind: schema.Date}},
		{Name: "ts", Type: schema.Type{SQL: "datetime(6)", Name: "datetime", Kind: schema.Timestamp}},
		{Name: "raw", Type: schema.Type{SQL: "varbinary(20)", Name: "varbinary", Kind: schema.Bytes}},
		{Name: "j", Type: schema.Type{SQL: "json", Name: "json", Kind: schema.JSON}},
	})
}

func tables(engine schema.Engine, count int64, columns []schema.Column) dataset {
	d := dataset{schema: &schema.Schema{Engine: engine}}
	for _, name := range []string{"one", "Two; it's"} {
		t := &schema.Table{Name: name, Columns: columns}
		d.schema.Tables = append(d.schema.Tables, t)
		d.tables = append(d.tables, table{schema: t, rows: count})
	}
	return d
}

const createPostgres = `CREATE TABLE %s (id integer GENERATED ALWAYS AS IDENTITY, "Big one" bigint, b boolean, f double precision, n numeric(12,3), s text, d date, t time, ts timestamp, tz timestamptz, u uuid, raw bytea, j jsonb, arr integer[])`

// lines are what psql or mariadb says of a query.
func lines(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// want are the rows of a table as psql's unaligned output has them.
func want(t *testing.T, of rows.Table) []string {
	t.Helper()
	var b rows.Batch
	if err := of.Fill(&b, 0, int(of.Rows())); err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := range b.N {
		var cells []string
		for j, c := range of.Columns() {
			if b.Columns[j].Null[i] {
				cells = append(cells, "<null>")
			} else {
				cells = append(cells, string(export.TextOf(nil, c, &b.Columns[j], i)))
			}
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return strings.Split(strings.Join(out, "\n"), "\n")
}

func TestPostgresReads(t *testing.T) {
	for _, c := range []struct {
		name   string
		format export.Format
		o      export.Options
	}{{"csv", export.CSV, export.Options{}}, {"inserts", export.SQL, export.Options{}}, {"copy", export.SQL, export.Options{Copy: true}}} {
		t.Run(c.name, func(t *testing.T) {
			ds, dir, url := postgres(1200), t.TempDir(), testdb.Postgres(t)
			report, err := export.Write(context.Background(), dir, c.format, ds, c.o)
			if err != nil {
				t.Fatal(err)
			}
			testdb.SQL(t, url, fmt.Sprintf(createPostgres, "one"), fmt.Sprintf(createPostgres, `"Two; it's"`))
			if c.format == export.SQL {
				testdb.SQL(t, url, "@"+filepath.Join(dir, "all.sql"))
				if got := lines(t, exec.Command("psql", "-XAtqd", url, "-c", "SELECT nextval('one_id_seq')")); got[0] != "70001" {
					t.Errorf("the sequence goes on at %s, want 70001", got[0])
				}
			} else {
				for i, name := range []string{"one", `"Two; it's"`} {
					cmd := exec.Command("psql", "-Xqd", url, "-v", "ON_ERROR_STOP=1", "-c", "COPY "+name+" FROM STDIN (FORMAT csv, HEADER match)")
					if cmd.Stdin, err = os.Open(filepath.Join(dir, report.Files[i].Name)); err != nil {
						t.Fatal(err)
					}
					lines(t, cmd)
				}
			}
			for i, name := range []string{"one", `"Two; it's"`} {
				got := lines(t, exec.Command("psql", "-XAtqd", url, "-P", "null=<null>", "-c", "SET TimeZone = 'UTC'", "-c", "SELECT * FROM "+name+" ORDER BY id"))
				if d := cmp.Diff(want(t, ds.tables[i]), got); d != "" {
					t.Errorf("%s (-want +got):\n%s", name, d)
				}
			}
		})
	}
}

func TestMariaDBReads(t *testing.T) {
	ds, dir, url := mariadb(600), t.TempDir(), testdb.MariaDB(t)
	report, err := export.Write(context.Background(), dir, export.SQL, ds, export.Options{})
	if err != nil {
		t.Fatal(err)
	}
	create := "(id int primary key auto_increment, b tinyint(1), f double, n decimal(12,3), s text, d date, ts datetime(6), raw varbinary(20), j json);"
	testdb.MariaDBSQL(t, url, "CREATE TABLE one "+create+"CREATE TABLE `Two; it's` "+create)
	for _, f := range report.Files[:3] {
		content, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		testdb.MariaDBSQL(t, url, string(content))
	}
	// The rows are compared on the server with rows that take another way there:
	// hexadecimal texts.
	var b rows.Batch
	if err := ds.tables[0].Fill(&b, 0, 600); err != nil {
		t.Fatal(err)
	}
	var statements strings.Builder
	statements.WriteString("CREATE TABLE expected LIKE one; SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n")
	for i := range b.N {
		var cells []string
		for j, c := range ds.tables[0].Columns() {
			if b.Columns[j].Null[i] {
				cells = append(cells, "NULL")
				continue
			}
			cells = append(cells, fmt.Sprintf("CONVERT(x'%x' USING %s)", export.TextOf(nil, c, &b.Columns[j], i), map[bool]string{true: "binary", false: "utf8mb4"}[c.Kind == rows.Bytes]))
		}
		fmt.Fprintf(&statements, "INSERT INTO expected VALUES (%s);\n", strings.Join(cells, ","))
	}
	statements.WriteString("CREATE TABLE verdict (ok int CHECK (ok = 600));\n")
	for _, name := range []string{"one", "`Two; it's`"} {
		statements.WriteString("INSERT INTO verdict SELECT count(*) FROM expected e JOIN " + name + " o ON o.id = e.id AND o.b <=> e.b AND o.f <=> e.f AND o.n <=> e.n AND BINARY o.s <=> BINARY e.s AND o.d <=> e.d AND o.ts <=> e.ts AND o.raw <=> e.raw AND BINARY o.j <=> BINARY e.j;\n")
	}
	testdb.MariaDBSQL(t, url, statements.String())
}

func TestParquetReads(t *testing.T) {
	for _, snappy := range []bool{false, true} {
		ds, dir := postgres(9000), t.TempDir()
		report, err := export.Write(context.Background(), dir, export.Parquet, ds, export.Options{Snappy: snappy})
		if err != nil {
			t.Fatal(err)
		}
		type row struct {
			ID  int32     `parquet:"id"`
			Big *int64    `parquet:"Big one"`
			B   *bool     `parquet:"b"`
			F   *float64  `parquet:"f"`
			N   *int64    `parquet:"n"`
			S   *string   `parquet:"s"`
			D   *int32    `parquet:"d"`
			TS  *int64    `parquet:"ts"`
			U   *[16]byte `parquet:"u"`
			Raw *[]byte   `parquet:"raw"`
		}
		got, err := parquet.ReadFile[row](filepath.Join(dir, report.Files[0].Name))
		if err != nil {
			t.Fatal(err)
		}
		var b rows.Batch
		if err := ds.tables[0].Fill(&b, 0, 9000); err != nil {
			t.Fatal(err)
		}
		if len(got) != 9000 {
			t.Fatalf("%d rows, want 9,000", len(got))
		}
		for i, r := range got {
			v := b.Columns
			if r.ID != int32(v[0].Ints[i]) || !same(r.Big, v[1].Null[i], v[1].Ints[i]) || !same(r.B, v[2].Null[i], v[2].Ints[i] == 1) || !same(r.F, v[3].Null[i], v[3].Floats[i]) || !same(r.N, v[4].Null[i], v[4].Ints[i]) ||
				!same(r.S, v[5].Null[i], string(v[5].Text(i))) || !same(r.D, v[6].Null[i], int32(v[6].Ints[i])) || !same(r.TS, v[8].Null[i], v[8].Ints[i]) || r.U != nil && string(r.U[:]) != string(v[10].Text(i)) || (r.U == nil) != v[10].Null[i] {
				t.Fatalf("row %d is %+v", i, r)
			}
		}
	}
}

func same[T comparable](got *T, null bool, want T) bool {
	if got == nil || null {
		return got == nil && null
	}
	return *got == want
}

func TestSameBytes(t *testing.T) {
	for _, format := range []export.Format{export.CSV, export.SQL, export.Parquet} {
		var first map[string]string
		for _, parallel := range []int{1, 2} {
			dir := t.TempDir()
			if _, err := export.Write(context.Background(), dir, format, postgres(9000), export.Options{Parallel: parallel}); err != nil {
				t.Fatal(err)
			}
			files := content(t, dir)
			if first == nil {
				first = files
			} else if !cmp.Equal(first, files) {
				t.Errorf("%s differs with %d tables at once", format, parallel)
			}
		}
	}
}

func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

func TestNothingStays(t *testing.T) {
	broken := errors.New("no more rows")
	ds := postgres(9000)
	ds.tables[1] = table{schema: ds.schema.Tables[1], rows: 9000, fail: broken}
	dir := t.TempDir()
	if _, err := export.Write(context.Background(), dir, export.CSV, ds, export.Options{}); !errors.Is(err, broken) {
		t.Errorf("the error is %v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(context.Background())
	o := export.Options{Progress: func(int64) { cancel() }}
	if _, err := export.Write(ctx, dir, export.Parquet, postgres(9000), o); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want that it was cancelled", err)
	}
	if left := content(t, dir); len(left) > 0 {
		t.Errorf("%d files were left", len(left))
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir    string
		format export.Format
		o      export.Options
	}{{dir, export.CSV, export.Options{}}, {t.TempDir(), "xml", export.Options{}}, {t.TempDir(), export.CSV, export.Options{Copy: true}}, {filepath.Join(dir, "mine.txt"), export.CSV, export.Options{}}} {
		_, err := export.Write(context.Background(), c.dir, c.format, postgres(1), c.o)
		if e, ok := errors.AsType[*rehearse.Error](err); !ok || e.Kind != rehearse.Invalid || e.Hint == "" {
			t.Errorf("Write of %s to %s with %+v is %v", c.format, c.dir, c.o, err)
		}
	}
	if _, err := export.Write(context.Background(), dir, export.CSV, postgres(1), export.Options{Overwrite: true}); err != nil {
		t.Error(err)
	}
	if got := content(t, dir); got["mine.txt"] != "mine" || len(got) != 3 {
		t.Errorf("the directory holds %d files, want three", len(got))
	}
}
