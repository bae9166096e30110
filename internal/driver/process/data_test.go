package process_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/drivertest"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// journal keeps what exists by its word.
type journal struct {
	mu     sync.Mutex
	exists map[driver.Remnant]bool
}

func (j *journal) Intend(r driver.Remnant) error { return j.Confirm(r, true) }

func (j *journal) Confirm(r driver.Remnant, exists bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.exists == nil {
		j.exists = map[driver.Remnant]bool{}
	}
	j.exists[r] = exists
	return nil
}

// clones are those that exist by the journal's word.
func (j *journal) clones() []driver.Remnant {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []driver.Remnant
	for r, exists := range j.exists {
		if exists && r.Kind == "clone" {
			out = append(out, r)
		}
	}
	return out
}

// stocked is a database service with a dataset that Fill generates. filled counts
// how often.
type stocked struct {
	options process.Options
	service rehearse.Service
	journal *journal
	filled  int
	key     string
	fill    func(ctx context.Context, into driver.Filling) error
}

func (s *stocked) open(t *testing.T, id string) running {
	t.Helper()
	r, ok := recipe.For(s.service.Image)
	if !ok {
		t.Fatalf("there is no recipe for %s", s.service.Image)
	}
	s.service.Recipe = r.Name
	e, err := process.New(s.options).Open(t.Context(), driver.Spec{
		ID: rehearse.EnvironmentID(id), Plan: &rehearse.Plan{Project: "data", Dir: openDir(t), Services: []rehearse.Service{s.service}},
		Dir: openDir(t), Journal: s.journal, Log: io.Discard,
		Fill: func(ctx context.Context, _ rehearse.Service, into driver.Filling) error {
			s.filled++
			return s.fill(ctx, into)
		},
		FillKey: func(rehearse.Service) ([]string, error) { return []string{s.key}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := e.Prepare(t.Context(), s.service.Name); err != nil {
		t.Fatal(err)
	}
	return running{Environment: e, service: s.service, out: &drivertest.Log{}}
}

// start starts the service and waits until it answers.
func (r running) start(t *testing.T) driver.Process {
	t.Helper()
	p, err := r.Start(t.Context(), r.service.Name, driver.Output{Stdout: r.out, Stderr: r.out})
	if err != nil {
		t.Fatal(err)
	}
	known, _ := recipe.ByName(r.service.Recipe)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := known.Query(ctx, r.service, r.dial)
		if err == nil {
			return p
		}
		select {
		case <-p.Done():
			t.Fatalf("it ended: %s\n%s", p.Exit().Reason, r.out)
		case <-ctx.Done():
			t.Fatalf("it never answered: %v\n%s", err, r.out)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// reset stops the service, resets it and starts it again.
func (r running) reset(t *testing.T, p driver.Process) driver.Process {
	t.Helper()
	can := r.Environment.(driver.Resetter)
	if err := can.Reset(t.Context(), r.service.Name); err == nil {
		t.Error("a running service was reset")
	}
	known, _ := recipe.ByName(r.service.Recipe)
	if err := p.Signal(driver.Signal(known.StopSignal)); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if err := can.Reset(t.Context(), r.service.Name); err != nil {
		t.Fatal(err)
	}
	return r.start(t)
}

// postgresAt connects as the image's superuser.
func postgresAt(ctx context.Context, dial func(context.Context) (net.Conn, error)) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig("host=db user=postgres password=secret dbname=postgres sslmode=disable")
	if err != nil {
		return nil, err
	}
	cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	return pgx.ConnectConfig(ctx, cfg)
}

func postgresExec(ctx context.Context, dial func(context.Context) (net.Conn, error), statement string) error {
	c, err := postgresAt(ctx, dial)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, statement)
	return errors.Join(err, c.Close(ctx))
}

// query asks a started PostgreSQL for one text.
func (r running) query(t *testing.T, statement string) string {
	t.Helper()
	c, err := postgresAt(t.Context(), func(ctx context.Context) (net.Conn, error) { return r.dial(ctx, 5432) })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var out string
	if err := c.QueryRow(t.Context(), statement).Scan(&out); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return out
}

// shop is PostgreSQL with a dataset of about so many megabytes.
func shop(t *testing.T, megabytes int) *stocked {
	t.Helper()
	needs(t, "postgresql", "initdb")
	dir := openDir(t)
	s := &stocked{options: options(t), journal: &journal{}, key: "first"}
	s.service = rehearse.Service{
		Name: "db", Image: "postgres", Env: map[string]string{"POSTGRES_PASSWORD": "secret"},
		Ports: []rehearse.Port{{Number: 5432}},
		Data: &rehearse.DataSpec{
			Name: "shop", Profile: filepath.Join(dir, "shop.yaml"), Scale: 1, Seed: 1,
			Before: []string{writeFile(t, dir, "schema.sql", "CREATE TABLE item (id bigint, text text);")},
			After:  []string{writeFile(t, dir, "index.sql", "CREATE INDEX item_id ON item (id);")},
		},
	}
	s.fill = func(ctx context.Context, into driver.Filling) error {
		if want := (driver.Filling{Engine: "postgres", User: "postgres", Password: "secret", Database: "postgres"}); into.Engine != want.Engine ||
			into.User != want.User || into.Password != want.Password || into.Database != want.Database {
			return fmt.Errorf("it is to fill %+v, want %+v", into, want)
		}
		return postgresExec(ctx, into.Dial, fmt.Sprintf("INSERT INTO item SELECT i, repeat(chr(97 + i %% 26), 970) FROM generate_series(1, %d) i", megabytes*1000))
	}
	return s
}

// TestDataset fills a database once, and gives each environment the same, in
// each size and tier.
func TestDataset(t *testing.T) {
	for _, test := range []struct {
		tier      string
		megabytes int
	}{
		{process.TierNamespaces, 1},
		{process.TierNamespaces, 70},
		{process.TierPorts, 70},
	} {
		t.Run(fmt.Sprintf("%s, %d MB", test.tier, test.megabytes), func(t *testing.T) {
			s := shop(t, test.megabytes)
			s.options.Tier = test.tier
			rows := fmt.Sprint(test.megabytes * 1000)
			const count, settled = "SELECT count(*)::text FROM item", "SELECT (reltuples || ' ' || relallvisible > '')::text || ' ' || (relallvisible > 0)::text FROM pg_class WHERE relname = 'item'"
			const removeSome = "WITH gone AS (DELETE FROM item WHERE id <= 10 RETURNING 1) SELECT count(*)::text FROM gone"
			for i := range 2 {
				r := s.open(t, fmt.Sprint("e", i))
				p := r.start(t)
				if got := r.query(t, count); got != rows {
					t.Errorf("environment %d has %s rows, want %s", i, got, rows)
				}
				if got := r.query(t, settled); got != "true true" {
					t.Errorf("environment %d: statistics and visibility are %q, want them to be there", i, got)
				}
				if got := r.query(t, "SELECT count(*)::text FROM pg_indexes WHERE indexname = 'item_id'"); got != "1" {
					t.Errorf("environment %d: the files after the generation did not run", i)
				}
				if got := r.query(t, "SHOW wal_level"); got != "replica" {
					t.Errorf("the service runs with wal_level %s, that of loading", got)
				}
				fact, ok := r.fact("data.clone.db")
				if !ok || (fact.Value == "overlay") != (test.megabytes == 1) || !strings.Contains(fact.Note, " MB in ") {
					t.Errorf("fact data.clone.db: %+v, want an overlay exactly for what is small, with size and time", fact)
				}
				// What one writes, the next does not see.
				r.query(t, removeSome)
				r.reset(t, p)
				if got := r.query(t, count); got != rows {
					t.Errorf("after a reset environment %d has %s rows, want %s", i, got, rows)
				}
				r.query(t, removeSome)
				s.sameClones(t)
				if err := r.Close(t.Context()); err != nil {
					t.Error(err)
				}
				s.sameClones(t)
				if left := s.journal.clones(); len(left) > 0 {
					t.Errorf("after Close the journal has %v", left)
				}
			}
			if s.filled != 1 {
				t.Errorf("it was filled %d times for two environments, want once", s.filled)
			}
		})
	}
}

// sameClones compares what the driver finds with what the journal knows.
func (s *stocked) sameClones(t *testing.T) {
	t.Helper()
	found, err := process.New(s.options).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var clones []driver.Remnant
	for _, r := range found {
		if r.Kind == "clone" {
			clones = append(clones, r)
		}
	}
	if diff := cmp.Diff(s.journal.clones(), clones); diff != "" {
		t.Errorf("clones (-journal +found):\n%s", diff)
	}
}

// TestDatasetKey has everything that a dataset depends on make another golden.
func TestDatasetKey(t *testing.T) {
	s := shop(t, 1)
	changes := []struct {
		what string
		do   func()
	}{
		{"nothing", func() {}},
		{"the generator's key", func() { s.key = "second" }},
		{"the scale", func() { s.service.Data.Scale = 2 }},
		{"a file before", func() {
			s.service.Data.Before = []string{writeFile(t, openDir(t), "schema.sql", "CREATE TABLE item (id bigint, text text); -- new")}
		}},
		{"a file that moves", func() {
			s.service.Data.Before, s.service.Data.After = append(s.service.Data.Before, s.service.Data.After...), nil
		}},
	}
	for i, change := range changes {
		change.do()
		if err := s.open(t, fmt.Sprint("e", i)).Close(t.Context()); err != nil {
			t.Error(err)
		}
		if s.filled != i+1 {
			t.Errorf("after a change of %s it was filled %d times, want %d", change.what, s.filled, i+1)
		}
	}
}

func TestDatasetFails(t *testing.T) {
	s := shop(t, 1)
	broken := errors.New("the generator has no idea")
	s.fill = func(context.Context, driver.Filling) error { return broken }
	e, err := process.New(s.options).Open(t.Context(), driver.Spec{
		ID: "e", Plan: &rehearse.Plan{Dir: openDir(t), Services: []rehearse.Service{func() rehearse.Service { s.service.Recipe = "postgres"; return s.service }()}},
		Dir: openDir(t), Journal: s.journal, Log: io.Discard,
		Fill:    func(ctx context.Context, _ rehearse.Service, into driver.Filling) error { return s.fill(ctx, into) },
		FillKey: func(rehearse.Service) ([]string, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	if err := e.Prepare(t.Context(), "db"); !errors.Is(err, broken) {
		t.Errorf("Prepare: %v, want the generator's error", err)
	}
	if left, err := filepath.Glob(filepath.Join(s.options.Cache, "templates", "postgres-*")); err != nil || len(left) != 1 || !strings.HasSuffix(left[0], ".lock") {
		t.Errorf("after a failed build there is %v (%v), want the lock alone", left, err)
	}
}

func TestDatasetMariaDB(t *testing.T) {
	needs(t, "mariadb-server", "mariadbd")
	dir := openDir(t)
	s := &stocked{options: options(t), journal: &journal{}}
	s.service = rehearse.Service{
		Name: "db", Image: "mariadb", Env: map[string]string{"MARIADB_ROOT_PASSWORD": "secret", "MARIADB_DATABASE": "shop"},
		Ports: []rehearse.Port{{Number: 3306}},
		Data: &rehearse.DataSpec{
			Name: "shop", Profile: filepath.Join(dir, "shop.yaml"),
			Before: []string{writeFile(t, dir, "schema.sql", "CREATE TABLE item (id bigint);")},
			After:  []string{writeFile(t, dir, "index.sql", "CREATE INDEX item_id ON item (id);")},
		},
	}
	at := func(dial func(context.Context) (net.Conn, error)) *sql.DB {
		cfg := mysql.NewConfig()
		cfg.User, cfg.Passwd, cfg.DBName, cfg.Net, cfg.Addr = "root", "secret", "shop", "tcp", "127.0.0.1:3306"
		cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return sql.OpenDB(connector)
	}
	s.fill = func(ctx context.Context, into driver.Filling) error {
		if into.Engine != "mariadb" && into.Engine != "mysql" || into.User != "root" || into.Password != "secret" || into.Database != "shop" {
			return fmt.Errorf("it is to fill %+v, want shop as root", into)
		}
		db := at(into.Dial)
		defer db.Close()
		_, err := db.ExecContext(ctx, "INSERT INTO item VALUES (1), (2), (3)")
		return err
	}
	r := s.open(t, "e")
	p := r.start(t)
	for _, when := range []string{"at first", "after a reset"} {
		db := at(func(ctx context.Context) (net.Conn, error) { return r.dial(ctx, 3306) })
		var rows, indexes int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM item").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM information_schema.statistics WHERE index_name = 'item_id'").Scan(&indexes); err != nil {
			t.Fatal(err)
		}
		if rows != 3 || indexes != 1 {
			t.Errorf("%s it has %d rows and %d indexes, want 3 and 1", when, rows, indexes)
		}
		if _, err := db.ExecContext(t.Context(), "DELETE FROM item"); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if when == "at first" {
			p = r.reset(t, p)
		}
	}
	if s.filled != 1 {
		t.Errorf("it was filled %d times, want once", s.filled)
	}
}

// holdVariable asks this test binary to hold an environment with a clone, in the
// cache that it names.
const holdVariable = "REHEARSE_TEST_HOLD_CACHE"

// heldService has a large golden from files alone, so that both processes can
// make it.
func heldService(cache string) rehearse.Service {
	return rehearse.Service{
		Name: "db", Image: "postgres", Recipe: "postgres", Env: map[string]string{"POSTGRES_PASSWORD": "secret"},
		Ports: []rehearse.Port{{Number: 5432}}, SQL: []string{filepath.Join(cache, "large.sql")},
	}
}

func hold(cache string) {
	ctx := context.Background()
	e, err := process.New(process.Options{Cache: cache, Label: "held", Env: os.Environ()}).Open(ctx, driver.Spec{
		ID: "killed", Plan: &rehearse.Plan{Dir: cache, Services: []rehearse.Service{heldService(cache)}}, Dir: filepath.Join(cache, "place"),
		Journal: &journal{}, Log: io.Discard,
	})
	if err == nil {
		err = e.Prepare(ctx, "db")
	}
	if err == nil {
		_, err = e.Start(ctx, "db", driver.Output{})
	}
	fmt.Println("held", err)
	select {}
}

func TestCloneAfterAKill(t *testing.T) {
	needs(t, "postgresql", "initdb")
	cache := openDir(t)
	writeFile(t, cache, "large.sql", "CREATE TABLE large AS SELECT repeat('x', 970) FROM generate_series(1, 70000);")
	writeFile(t, cache, "place/x", "")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), holdVariable+"="+cache)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	if lines.Text() != "held <nil>" {
		t.Errorf("the other process says %q", lines.Text())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	d := process.New(process.Options{Cache: cache, Label: "held"})
	other := process.New(process.Options{Cache: cache, Label: "other"})
	clones := func(d *process.Driver) []driver.Remnant {
		t.Helper()
		all, err := d.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var out []driver.Remnant
		for _, r := range all {
			if r.Kind == "clone" {
				out = append(out, r)
			}
		}
		return out
	}
	found := clones(d)
	if len(found) != 1 || found[0].Environment != "killed" {
		t.Fatalf("found %v, want the clone of the killed environment", found)
	}
	if foreign := clones(other); len(foreign) > 0 {
		t.Errorf("another state directory's driver finds %v", foreign)
	}
	if err := other.Remove(t.Context(), found[0]); err != nil || len(clones(d)) != 1 {
		t.Errorf("another state directory's driver removed it, or failed: %v", err)
	}
	for range 2 {
		if err := d.Remove(t.Context(), found[0]); err != nil {
			t.Fatal(err)
		}
	}
	if left := clones(d); len(left) > 0 {
		t.Errorf("after Remove there is %v", left)
	}
}
