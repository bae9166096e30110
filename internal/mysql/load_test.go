package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/mysql"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// dataset is a dataset made of functions.
type dataset struct {
	schema    *schema.Schema
	tables    []rows.Table
	sequences []rows.Sequence
}

func (d dataset) Schema() *schema.Schema     { return d.schema }
func (d dataset) Tables() []rows.Table       { return d.tables }
func (d dataset) Sequences() []rows.Sequence { return d.sequences }

// filled is a table of which put sets row i, at position at of the batch.
type filled struct {
	schema  *schema.Table
	columns []rows.Column
	n       int64
	put     func(b *rows.Batch, at int, i int64) error
}

func (f *filled) Schema() *schema.Table  { return f.schema }
func (f *filled) Columns() []rows.Column { return f.columns }
func (f *filled) Rows() int64            { return f.n }
func (f *filled) Fill(b *rows.Batch, from int64, n int) error {
	b.Reset(f.columns, n)
	for at := range n {
		if err := f.put(b, at, from+int64(at)); err != nil {
			return err
		}
	}
	return nil
}

// fill makes n rows of some columns of a table, or of all that may be written.
func fill(t testing.TB, s *schema.Schema, name string, n int64, put func(b *rows.Batch, at int, i int64) error, columns ...string) *filled {
	t.Helper()
	f := &filled{schema: table(t, s, name), n: n, put: put}
	for _, c := range f.schema.Columns {
		if c.Generated == "" && (len(columns) == 0 || slices.Contains(columns, c.Name)) {
			f.columns = append(f.columns, rows.Column{Name: c.Name, Type: c.Type, Kind: rows.KindOf(c.Type), Scale: c.Type.Scale})
		}
	}
	return f
}

func text(v *rows.Vector, s string) {
	v.Data = append(v.Data, s...)
	v.End()
}

const shopSQL = `
	CREATE TABLE region (id smallint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(40) NOT NULL UNIQUE);
	CREATE TABLE account (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, region_id smallint unsigned NOT NULL, parent_id bigint, email varchar(100) NOT NULL,
		balance decimal(12,2) NOT NULL, note text, size int, doc json, shout varchar(100) AS (upper(email)) STORED,
		UNIQUE KEY account_email (email), KEY by_size (size, balance), KEY by_note (note(10) DESC) COMMENT 'it''s', FULLTEXT KEY words (note),
		CONSTRAINT in_region FOREIGN KEY (region_id) REFERENCES region (id), CONSTRAINT child_of FOREIGN KEY (parent_id) REFERENCES account (id),
		CONSTRAINT small CHECK (size < 10));
	CREATE TABLE log (what varchar(100));
	CREATE TRIGGER on_region AFTER INSERT ON region FOR EACH ROW INSERT INTO log VALUES (concat('region ', NEW.id));
	SET sql_mode = 'ANSI_QUOTES';
	CREATE TRIGGER on_account AFTER INSERT ON account FOR EACH ROW INSERT INTO log VALUES (concat("NEW".email, 'x'));`

// shop gives the tables rows that satisfy everything.
func shop(t testing.TB, s *schema.Schema, accounts int64) *dataset {
	const regions = 20
	return &dataset{schema: s,
		tables: []rows.Table{
			fill(t, s, "region", regions, func(b *rows.Batch, at int, i int64) error {
				b.Columns[0].Ints[at] = i // the first is 0
				text(&b.Columns[1], fmt.Sprint("region ", i))
				return nil
			}),
			fill(t, s, "account", accounts, func(b *rows.Batch, at int, i int64) error {
				c := b.Columns
				c[0].Ints[at] = i + 1
				c[1].Ints[at] = i % regions
				if c[2].Null[at] = i%3 == 0; !c[2].Null[at] {
					c[2].Ints[at] = accounts - i
				}
				text(&c[3], fmt.Sprintf("user%d@example.com", i))
				c[4].Ints[at] = i
				if c[5].Null[at] = i%5 == 0; c[5].Null[at] {
					c[5].End()
				} else {
					text(&c[5], fmt.Sprintf("it's\ta\\ \"note\"\n\x00 \\N %d", i))
				}
				c[6].Ints[at] = i % 10
				text(&c[7], fmt.Sprintf(`{"a": "%d"}`, i))
				return nil
			}),
		},
		sequences: []rows.Sequence{{Table: "region", Column: "id", Last: 19}, {Table: "account", Column: "id", Last: accounts + 1000}},
	}
}

// ask is what a query of one column gives.
func ask(t testing.TB, url, query string) []string {
	t.Helper()
	_, rest, _ := strings.Cut(url, "@")
	address, name, _ := strings.Cut(rest, "/")
	_, port, _ := strings.Cut(address, ":")
	out, err := exec.Command("mariadb", "-u", "root", "-h", "127.0.0.1", "-P", port, "-N", "-B", "-r", name, "-e", query).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", query, err, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

var autoIncrement = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// definitions are all that a load takes away and puts back. Indexes that were made
// again stand behind the others, and AUTO_INCREMENT is the load's to set.
func definitions(t testing.TB, url string) []string {
	t.Helper()
	var out []string
	for _, name := range []string{"region", "account"} {
		for _, line := range ask(t, url, "SHOW CREATE TABLE "+name) {
			out = append(out, strings.TrimSuffix(autoIncrement.ReplaceAllString(line, ""), ","))
		}
	}
	out = append(out, ask(t, url, "SELECT concat_ws(' ', TRIGGER_NAME, ACTION_STATEMENT, SQL_MODE, DEFINER) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()")...)
	out = append(out, ask(t, url, "SHOW TABLES")...)
	slices.Sort(out)
	return out
}

func content(t testing.TB, url string) []string {
	t.Helper()
	return ask(t, url, "SELECT concat(count(*), ' ', coalesce(sum(crc32(concat_ws('|', id, name))), 0)) FROM region UNION ALL "+
		"SELECT concat(count(*), ' ', coalesce(sum(crc32(concat_ws('|', id, region_id, coalesce(parent_id, 'NULL'), email, balance, coalesce(hex(note), 'NULL'), size, doc, shout))), 0)) FROM account")
}

func load(t testing.TB, db *mysql.DB, o mysql.Options, d rows.Dataset) mysql.Report {
	t.Helper()
	r, err := db.Load(t.Context(), o, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Rows are the same over one connection and several, by LOAD DATA and by INSERT, and
// what was taken away is back.
func TestLoad(t *testing.T) {
	const accounts = 1000
	var first []string
	for _, tt := range []struct {
		name    string
		options mysql.Options
		infile  bool
		logged  string
	}{
		{"one connection", mysql.Options{Connections: 1}, true, "0"},
		{"indexes afterwards", mysql.Options{Connections: 3, IndexRows: -1}, true, "0"},
		{"triggers", mysql.Options{FireTriggers: []string{"region"}}, true, "20"},
		{"by INSERT", mysql.Options{IndexRows: -1}, false, "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := testdb.MariaDB(t)
			testdb.MariaDBSQL(t, url, shopSQL)
			if !tt.infile {
				testdb.MariaDBSQL(t, url, "SET GLOBAL local_infile = 0")
				defer testdb.MariaDBSQL(t, url, "SET GLOBAL local_infile = 1")
			}
			db := open(t, url)
			want := definitions(t, url)
			var phases []mysql.Phase
			tt.options.Progress = func(p mysql.Progress) {
				if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
					phases = append(phases, p.Phase)
				}
			}
			r := load(t, db, tt.options, shop(t, db.Schema(), accounts))
			if diff := cmp.Diff(want, definitions(t, url)); diff != "" {
				t.Errorf("definitions (-before +after):\n%s", diff)
			}
			got := content(t, url)
			if first == nil {
				first = got
			}
			if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("rows (-first load +this one):\n%s", diff)
			}
			if r.Rows != accounts+20 || len(r.Tables) != 2 || r.Tables[1].Rows != accounts || r.Bytes == 0 || len(r.Notes) > 0 == tt.infile {
				t.Errorf("got the report %+v", r)
			}
			if diff := cmp.Diff([]mysql.Phase{mysql.PhaseCheck, mysql.PhaseLoad, mysql.PhaseIndexes, mysql.PhaseReferences, mysql.PhaseAnalyze}, phases); diff != "" {
				t.Errorf("phases (-want +got):\n%s", diff)
			}
			note := ask(t, url, "SELECT concat(hex(note), ' ', shout, ' ', doc) FROM account WHERE id = 2")
			if want := fmt.Sprintf("%X USER1@EXAMPLE.COM {\"a\": \"1\"}", "it's\ta\\ \"note\"\n\x00 \\N 1"); note[0] != want {
				t.Errorf("got the row %s, want %s", note[0], want)
			}
			testdb.MariaDBSQL(t, url, "INSERT INTO region (name) VALUES ('next'); INSERT INTO account (region_id, email, balance) VALUES (0, 'next', 0)")
			next := append(ask(t, url, "SELECT max(id) FROM region"), ask(t, url, "SELECT max(id) FROM account")...)
			if diff := cmp.Diff([]string{"20", fmt.Sprint(accounts + 1001)}, next); diff != "" {
				t.Errorf("AUTO_INCREMENT goes on (-want +got):\n%s", diff)
			}
			if got := ask(t, url, "SELECT count(*) FROM log WHERE what LIKE 'region %' AND what <> 'region 20'"); got[0] != tt.logged {
				t.Errorf("triggers have fired %s times, want %s", got[0], tt.logged)
			}
		})
	}
}

// Values of all types come back as they were sent.
func TestLoadTypes(t *testing.T) {
	for _, infile := range []string{"1", "0"} {
		url := testdb.MariaDB(t)
		testdb.MariaDBSQL(t, url, everythingSQL+"SET GLOBAL local_infile = "+infile)
		t.Cleanup(func() { testdb.MariaDBSQL(t, url, "SET GLOBAL local_infile = 1") })
		db := open(t, url)
		columns := []string{"id", "region_id", "price", "ratio", "share", "email", "long_note", "hash", "data", "born", "at", "seen", "clock", "y", "state", "flags", "mask", "uid", "ip", "spot"}
		everything := fill(t, db.Schema(), "everything", 2, func(b *rows.Batch, at int, i int64) error {
			c := b.Columns
			c[0].Ints[at], c[1].Ints[at], c[2].Ints[at], c[3].Floats[at], c[4].Floats[at] = i, 1, 105, 0.25, 1e-300
			text(&c[5], fmt.Sprintf("%d'\t\r\n\\", i))
			text(&c[6], "é")
			text(&c[7], "\x00\t\n\\\xff\xe5\t'456789012345")
			text(&c[8], "\xf0\x9f")
			c[9].Ints[at], c[10].Ints[at], c[11].Ints[at], c[12].Ints[at] = 20454, 1767323045500000, 1767323045000000, 86399999999
			if i == 1 {
				c[9].Ints[at], c[10].Ints[at], c[11].Ints[at], c[12].Ints[at] = rows.NegInfinity, -1, rows.NegInfinity, -3600*1000000*100
			}
			for k, s := range []string{"2026", `a\b`, "a,b", "00101", "0123456789abcdef", "::1", "POINT(1 2)"} {
				text(&c[13+k], s)
			}
			return nil
		}, columns...)
		region := fill(t, db.Schema(), "region", 1, func(b *rows.Batch, at int, i int64) error {
			b.Columns[0].Ints[at] = 1
			text(&b.Columns[1], "x")
			return nil
		})
		load(t, db, mysql.Options{}, dataset{schema: db.Schema(), tables: []rows.Table{region, everything}})
		got := sample(t, db, measure.Query{Table: "everything", Columns: columns})
		const same = "'\t\r\n\\|é|\\x00090a5cffe50927343536373839303132333435|\\xf09f|"
		const after = "|2026|a\\b|a,b|00101|30313233-3435-3637-3839-616263646566|::1|POINT(1 2)"
		want := []string{
			"0|1|1.05|0.25|1e-300|0" + same + "2026-01-01|2026-01-02 03:04:05.500|2026-01-02 03:04:05|23:59:59.999999" + after,
			"1|1|1.05|0.25|1e-300|1" + same + "0000-00-00|1969-12-31 23:59:59.999|0000-00-00 00:00:00|-100:00:00.000000" + after,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with local_infile = %s (-want +got):\n%s", infile, diff)
		}
	}
}

// Rows that break something leave the tables empty and everything as it was.
func TestLoadFails(t *testing.T) {
	const accounts = 400
	broken := errors.New("broken")
	tests := map[string]struct {
		put  func(b *rows.Batch, at int, i int64) error // after the shop's own
		want string
	}{
		"unique":    {func(b *rows.Batch, at int, i int64) error { b.Columns[0].Ints[at] = i % (accounts - 1); return nil }, "break a unique key"},
		"check":     {func(b *rows.Batch, at int, i int64) error { b.Columns[6].Ints[at] = i % 11; return nil }, "break a CHECK"},
		"reference": {func(b *rows.Batch, at int, i int64) error { b.Columns[1].Ints[at] = i % 21; return nil }, `19 of the rows of account break the foreign key "in_region"`},
		"range":     {func(b *rows.Batch, at int, i int64) error { b.Columns[1].Ints[at] = 70000; return nil }, "does not fit"},
		"dataset":   {func(b *rows.Batch, at int, i int64) error { return broken }, "broken"},
	}
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, shopSQL)
	db := open(t, url)
	want := definitions(t, url)
	for _, infile := range []string{"1", "0"} {
		for name, tt := range tests {
			t.Run(name+", local_infile="+infile, func(t *testing.T) {
				testdb.MariaDBSQL(t, url, "SET GLOBAL local_infile = "+infile)
				t.Cleanup(func() { testdb.MariaDBSQL(t, url, "SET GLOBAL local_infile = 1") })
				d := shop(t, db.Schema(), accounts)
				account := d.tables[1].(*filled)
				put := account.put
				account.put = func(b *rows.Batch, at int, i int64) error {
					if err := put(b, at, i); err != nil {
						return err
					}
					return tt.put(b, at, i)
				}
				_, err := db.Load(t.Context(), mysql.Options{IndexRows: -1, Truncate: true}, d)
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "empty again") {
					t.Errorf("got %v, want %q and that all is as it was", err, tt.want)
				}
				if diff := cmp.Diff(want, definitions(t, url)); diff != "" {
					t.Errorf("definitions (-before +after):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"0 0", "0 0"}, content(t, url)); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A server that takes rows in bulk, as unique_checks = 0 lets MariaDB do where there
// is no other key, still sees that a primary key comes twice, or a row breaks a
// CHECK.
func TestLoadOfLonelyKey(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, "CREATE TABLE lonely (id int PRIMARY KEY, v int CHECK (v < 5000))")
	db := open(t, url)
	for _, tt := range []struct {
		id, v func(i int64) int64
		want  string
	}{
		{func(i int64) int64 { return i % 4999 }, func(i int64) int64 { return 0 }, "unique key"},
		{func(i int64) int64 { return 5000 - i }, func(i int64) int64 { return i + 1 }, "CHECK"},
		{func(i int64) int64 { return (i * 7) % 5000 }, func(i int64) int64 { return i }, ""},
	} {
		d := dataset{schema: db.Schema(), tables: []rows.Table{fill(t, db.Schema(), "lonely", 5000, func(b *rows.Batch, at int, i int64) error {
			b.Columns[0].Ints[at], b.Columns[1].Ints[at] = tt.id(i), tt.v(i)
			return nil
		})}}
		_, err := db.Load(t.Context(), mysql.Options{}, d)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	if got := ask(t, url, "SELECT count(*) FROM lonely"); got[0] != "5000" {
		t.Errorf("got %s rows, want 5000", got[0])
	}
}

func TestLoadRefuses(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, shopSQL+"INSERT INTO region (name) VALUES ('old')")
	db := open(t, url)
	d := shop(t, db.Schema(), 100)
	_, err := db.Load(t.Context(), mysql.Options{}, d)
	var e *rehearse.Error
	if !errors.As(err, &e) || e.Kind != rehearse.Invalid || !strings.Contains(e.Error(), "in region") {
		t.Errorf("got %v, want that region has rows", err)
	}
	if got := ask(t, url, "SELECT name FROM region"); !slices.Equal(got, []string{"old"}) {
		t.Errorf("got the regions %v, want the old one alone", got)
	}
	load(t, db, mysql.Options{Truncate: true}, d)
	if got := ask(t, url, "SELECT count(*) FROM region WHERE name = 'old'"); got[0] != "0" {
		t.Error("the table was not emptied")
	}
	testdb.MariaDBSQL(t, url, "DROP TABLE account")
	if _, err := db.Load(t.Context(), mysql.Options{Truncate: true}, d); !errors.As(err, &e) || !strings.Contains(e.Msg, "no table") {
		t.Errorf("got %v, want that there is no table account", err)
	}
}

func TestLoadCancelled(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, shopSQL)
	db := open(t, url)
	want := definitions(t, url)
	d := shop(t, db.Schema(), 30_000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	account := d.tables[1].(*filled)
	put := account.put
	account.put = func(b *rows.Batch, at int, i int64) error {
		if i == 15_000 {
			cancel()
		}
		return put(b, at, i)
	}
	_, err := db.Load(ctx, mysql.Options{IndexRows: -1}, d)
	var e *rehearse.Error
	if !errors.As(err, &e) || e.Kind != rehearse.Interrupted || !strings.Contains(err.Error(), "empty again") {
		t.Errorf("got %v, want that it was interrupted and all is as it was", err)
	}
	if diff := cmp.Diff(want, definitions(t, url)); diff != "" {
		t.Errorf("definitions (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"0 0", "0 0"}, content(t, url)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// What a load that died has left behind is undone.
func TestRepair(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, shopSQL)
	db := open(t, url)
	want := definitions(t, url)
	testdb.MariaDBSQL(t, url, `
		CREATE TABLE rehearse_load (id int PRIMARY KEY, kind varchar(10) NOT NULL, of varchar(64) NOT NULL, name varchar(64) NOT NULL, restore longtext NOT NULL, sqlmode text NOT NULL);
		INSERT INTO rehearse_load VALUES (1, 'table', 'region', '', '', ''), (2, 'table', 'account', '', '', ''),
			(3, 'index', 'account', 'by_size', 'ALTER TABLE account ADD KEY by_size (size, balance)', ''),
			(4, 'index', 'account', 'words', 'this one is still there', ''),
			(5, 'trigger', 'region', 'on_region', 'CREATE DEFINER=root@localhost TRIGGER on_region AFTER INSERT ON region FOR EACH ROW INSERT INTO log VALUES (concat(''region '', NEW.id))',
				'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION');
		ALTER TABLE account DROP KEY by_size; DROP TRIGGER on_region; INSERT INTO region (name) VALUES ('half')`)
	did, err := db.Repair(t.Context())
	if err != nil || !did {
		t.Errorf("got %v, error %v, want that there was something to do", did, err)
	}
	if diff := cmp.Diff(want, definitions(t, url)); diff != "" {
		t.Errorf("definitions (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"0 0", "0 0"}, content(t, url)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if did, err := db.Repair(t.Context()); err != nil || did {
		t.Errorf("a second time got %v, error %v, want nothing to do", did, err)
	}
}
