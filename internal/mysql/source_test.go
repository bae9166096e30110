package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/mysql"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

const oneRow = `
	INSERT INTO region VALUES (1, 'north'), (2, 'south');
	SET sql_mode = '';
	INSERT INTO everything (id, region_id, email, price, ratio, code, hash, data, doc, born, at, seen, clock, y, state, flags, mask, uid, ip, spot, size) VALUES
		(7, 1, 'a\tb\\', 1.50, 0.25, 'x', x'00ff', '', '{"a": 1}', '0000-00-00', '2026-01-02 03:04:05.5', '2026-01-02 03:04:05', '-01:02:03', 2026, 'a\\b', 'a,b', b'101',
			'123e4567-e89b-12d3-a456-426655440000', '::1', point(1, 2), 3);
	SET time_zone = '+05:00';
	INSERT INTO everything (id, region_id, parent_id, email, seen) VALUES (8, 2, 7, 'b', '2026-01-02 05:00:00');`

// sample reads rows, NULL being "NULL".
func sample(t testing.TB, db *mysql.DB, q measure.Query) []string {
	t.Helper()
	var out []string
	err := db.Sample(t.Context(), q, func(r measure.Row) error {
		values := make([]string, len(r))
		for i, v := range r {
			if values[i] = string(v); v == nil {
				values[i] = "NULL"
			}
		}
		out = append(out, strings.Join(values, "|"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSample(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, everythingSQL+oneRow)
	db := open(t, url)

	got := sample(t, db, measure.Query{Table: "everything", Columns: []string{"id", "email", "price", "ratio", "hash", "data", "doc", "born", "at", "seen", "clock", "y", "state", "flags", "mask", "uid", "ip", "spot", "twice"}})
	want := []string{
		"7|a\tb\\|1.50|0.25|\\x00ff000000000000000000000000000000000000|\\x|{\"a\": 1}|0000-00-00|2026-01-02 03:04:05.500|2026-01-02 03:04:05|-01:02:03.000000|2026|a\\b|a,b|00101|123e4567-e89b-12d3-a456-426655440000|::1|POINT(1 2)|6",
	}
	if diff := cmp.Diff(want, got[:1]); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}

	everything := table(t, db.Schema(), "everything")
	child, in := everything.ForeignKeys[0], everything.ForeignKeys[1]
	got = sample(t, db, measure.Query{
		Table: "everything", Columns: []string{"id", "seen"},
		Parents:  []measure.ParentColumns{{Reference: child, Columns: []string{"email"}}, {Reference: in, Columns: []string{"name"}}},
		Children: []measure.ChildCount{{Table: "everything", Reference: child}},
	})
	slices.Sort(got)
	want = []string{"7|2026-01-02 03:04:05|NULL|NULL|t|north!|1", "8|2026-01-02 00:00:00|t|a\tb\\|t|south!|0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with parents and children (-want +got):\n%s", diff)
	}

	stop := errors.New("stop")
	if err := db.Sample(t.Context(), measure.Query{Table: "region", Columns: []string{"id"}}, func(measure.Row) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of each", err)
	}
	if got := sample(t, db, measure.Query{Table: "region", Columns: []string{"id"}}); len(got) != 2 {
		t.Errorf("got %d rows after a reading that was ended, want 2", len(got))
	}
}

// A sample is of one snapshot, and holds no lock that an ALTER TABLE would wait for.
func TestSampleLeavesTablesAlone(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); CREATE TABLE b (id int PRIMARY KEY)")
	db := open(t, url)
	sample(t, db, measure.Query{Table: "a", Columns: []string{"id"}})
	testdb.MariaDBSQL(t, url, "INSERT INTO b VALUES (1)")
	if got := sample(t, db, measure.Query{Table: "b", Columns: []string{"id"}}); len(got) != 0 {
		t.Errorf("got %d rows that are younger than the snapshot", len(got))
	}
	testdb.MariaDBSQL(t, url, "SET lock_wait_timeout = 1; ALTER TABLE a ADD COLUMN x int")
}

// Both ways of sampling a big table give about as many rows as were asked for, from
// all over the table, and the same again.
func TestSampleOfBigTable(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, "CREATE TABLE big (id int PRIMARY KEY, parent int); INSERT INTO big SELECT seq, seq DIV 10 FROM seq_1_to_20000")
	db := open(t, url)
	for _, estimate := range []int64{20_000, 10_000_000} {
		q := measure.Query{Table: "big", Columns: []string{"id"}, Limit: 1000, Rows: estimate, Seed: 3,
			Children: []measure.ChildCount{{Table: "big", Reference: schema.ForeignKey{Columns: []string{"parent"}, Table: "big", To: []string{"id"}}}}}
		got := sample(t, db, q)
		if len(got) < 800 || len(got) > 1000 {
			t.Errorf("of %d rows got %d, want about 1000", estimate, len(got))
		}
		tenths := map[int]int{}
		for _, r := range got {
			var id, n int
			if _, err := fmt.Sscanf(r, "%d|%d", &id, &n); err != nil {
				t.Fatal(err)
			}
			tenths[(id-1)/2000]++
		}
		for i := range 10 {
			if tenths[i] < 50 {
				t.Errorf("of %d rows got %d of the table's part %d, want about 100", estimate, tenths[i], i)
			}
		}
		if diff := cmp.Diff(got, sample(t, db, q)); diff != "" {
			t.Errorf("of %d rows a second sample differs:\n%s", estimate, diff)
		}
	}
}

func TestCancelledSample(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, "CREATE TABLE a (id int); INSERT INTO a SELECT seq FROM seq_1_to_100000")
	db := open(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := db.Sample(ctx, measure.Query{Table: "a", Columns: []string{"id"}}, func(measure.Row) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	if got := sample(t, db, measure.Query{Table: "a", Columns: []string{"id"}}); len(got) != 100_000 {
		t.Errorf("got %d rows after a cancelled reading, want all", len(got))
	}
}

func TestStatistics(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, `CREATE TABLE a (id int AUTO_INCREMENT PRIMARY KEY, kind int, note varchar(50), KEY kinds (kind));
		INSERT INTO a SELECT seq, seq % 7, IF(seq % 4, 'some text', NULL) FROM seq_1_to_5000; ANALYZE TABLE a PERSISTENT FOR ALL;`)
	db := open(t, url)
	all, err := db.Statistics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := all["a"]
	if a.Rows < 4000 || a.Rows > 6000 || a.Pages == 0 || a.Analyzed.IsZero() {
		t.Errorf("got %d rows on %d pages analyzed at %v, want about 5000", a.Rows, a.Pages, a.Analyzed)
	}
	if len(a.Indexes) != 2 || a.Indexes[1].Name != "kinds" || a.Indexes[1].Pages == 0 {
		t.Errorf("got the indexes %v, want PRIMARY and kinds", a.Indexes)
	}
	if got := a.Columns["id"].Sequence; got < 5000 {
		t.Errorf("got the sequence %d, want 5000 or more", got)
	}
	if got := a.Columns["kind"].Distinct; got < 6 || got > 8 {
		t.Errorf("got %v different kinds, want 7", got)
	}
	if got := a.Columns["note"].Null; got != 0.25 {
		t.Errorf("got %v of note NULL, want a quarter", got)
	}
}

func TestInfo(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, everythingSQL)
	info, err := open(t, url).Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(info.CanWrite) == 0 || len(info.Denied) != 0 || info.Encoding != "utf8mb4" || info.Now.IsZero() {
		t.Errorf("root: got %+v", info)
	}
	// The statements make a user who may read and no more.
	statements := strings.ReplaceAll(strings.Join(info.ReadOnlyGrants, ";\n"), "'%'", "'127.0.0.1'")
	testdb.MariaDBSQL(t, url, "CREATE USER IF NOT EXISTS 'few'@'127.0.0.1'; GRANT SELECT ON region TO 'few'@'127.0.0.1'; GRANT SELECT (id), UPDATE (note) ON everything TO 'few'@'127.0.0.1';\n"+statements)
	reader, err := mysql.Open(t.Context(), strings.Replace(url, "root@", "rehearse_reader:choose-one@", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if info, err = reader.Info(t.Context()); err != nil || len(info.CanWrite)+len(info.Denied) != 0 {
		t.Errorf("reader: got that it may write %v and not read %v, error %v", info.CanWrite, info.Denied, err)
	}
	if _, err := reader.Catalog(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := reader.Statistics(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := reader.Statements(t.Context(), 10); err != nil {
		t.Error(err)
	}
	few, err := mysql.Open(t.Context(), strings.Replace(url, "root@", "few@", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer few.Close()
	info, err = few.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"everything"}, {"everything"}}, [][]string{info.CanWrite, info.Denied}); diff != "" {
		t.Errorf("few: may write, may not read (-want +got):\n%s", diff)
	}
	if all, err := few.Statistics(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("without a catalogue got %d tables, error %v", len(all), err)
	}
}

func TestOpenErrors(t *testing.T) {
	url := testdb.MariaDB(t)
	at := strings.LastIndex(url, "/")
	tests := map[string]struct {
		url  string
		kind rehearse.Kind
		hint string
	}{
		"another scheme": {"postgres://a:secret@h/d", rehearse.Invalid, "mysql://USER"},
		"no database":    {"mysql://a:secret@h", rehearse.Invalid, "database's name"},
		"slash":          {"mysql://a:sec/ret@h:1/d", rehearse.Invalid, "percent-encoded"},
		"option":         {url + "?secret=1", rehearse.Invalid, "tls and socket"},
		"no server":      {"mysql://a:secret@127.0.0.1:1/d", rehearse.Unavailable, "listens there"},
		"password":       {strings.Replace(url, "root@", "root:secret@", 1), rehearse.Unavailable, "Check the password"},
		"unknown":        {url[:at] + "/nowhere", rehearse.Unavailable, "SHOW DATABASES"},
		"no TLS":         {url + "?tls=true", rehearse.Unavailable, "tls=false"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := mysql.Open(t.Context(), tt.url)
			var e *rehearse.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an error with a hint", err)
			}
			if e.Kind != tt.kind || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("got kind %v and the hint %q, want %v and %q", e.Kind, e.Hint, tt.kind, tt.hint)
			}
			if s := e.Error(); strings.Contains(s, "sec/ret") || strings.Contains(s, ":secret") {
				t.Errorf("the password shows in %q", s)
			}
		})
	}
}

// A profile is taken of a schema that nobody here wrote, as of a PostgreSQL's.
func TestProfile(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, everythingSQL+oneRow+`
		INSERT INTO everything (region_id, parent_id, email, price, size, born, state, hash) SELECT 1 + seq % 2, 7, concat('mail', seq, '@example.com'), seq / 100, seq % 9,
			'2000-01-01' + INTERVAL seq DAY, IF(seq % 3, 'new', 'it''s'), unhex(sha1(seq)) FROM seq_1_to_500; ANALYZE TABLE everything, region;`)
	d, err := measure.Profile(t.Context(), open(t, url), measure.Options{AllowWrite: true})
	if err != nil {
		t.Fatal(err)
	}
	everything, ok := d.Table("everything")
	if !ok || everything.Rows < 400 {
		t.Fatalf("got %+v, want the table everything with 502 rows", everything)
	}
	state, _ := everything.Column("state")
	if len(state.Values) < 2 || state.Values[0].Value != "new" {
		t.Errorf("got the states %v, want new and it's", state.Values)
	}
	if id, _ := everything.Column("id"); id.Sequence < 500 {
		t.Errorf("got the sequence %d, want 500 or more", id.Sequence)
	}
	if born, _ := everything.Column("born"); born.Times == nil {
		t.Error("the column born has no distribution of times")
	}
	if _, ok := everything.Reference([]string{"region_id"}); !ok {
		t.Error("the reference to region is not measured")
	}
}

// A snapshot is not held on to: the server could not clean up.
func TestOldSnapshotIsGivenUp(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, "CREATE TABLE a (id int)")
	db := open(t, url)
	q := measure.Query{Table: "a", Columns: []string{"id"}}
	for _, step := range []struct {
		age  time.Duration
		want int
	}{{0, 0}, {4 * time.Minute, 0}, {2 * time.Minute, 2}} {
		db.Age(step.age)
		if got := len(sample(t, db, q)); got != step.want {
			t.Errorf("%v later: got %d rows, want %d", step.age, got, step.want)
		}
		testdb.MariaDBSQL(t, url, "INSERT INTO a VALUES (1)")
	}
}
