package docker_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/docker"
	"github.com/rehearse-dev/rehearse/internal/driver/drivertest"
	"github.com/rehearse-dev/rehearse/internal/recipe"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// stock is a database service and what its dataset is made of.
type stock struct {
	driver  *docker.Driver
	cache   string
	label   string
	service rehearse.Service
	small   bool // its data directory
	filled  int
	key     string
	fill    func(ctx context.Context, into driver.Filling) error
	connect func(p *place, user, password string) (*sql.DB, error)
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	at := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return at
}

// open makes an environment, and prepares the database.
func (s *stock) open(t *testing.T, id string) (*place, error) {
	t.Helper()
	sp, j, said := spec(t, id, s.service)
	sp.Fill = func(ctx context.Context, _ rehearse.Service, into driver.Filling) error {
		s.filled++
		return s.fill(ctx, into)
	}
	sp.FillKey = func(rehearse.Service) ([]string, error) { return []string{s.key}, nil }
	e, err := s.driver.Open(t.Context(), sp)
	if err != nil {
		t.Fatal(hinted(err))
	}
	p := &place{Environment: e, t: t, id: sp.ID, label: s.label, journal: j, said: said}
	t.Cleanup(func() { p.close() })
	return p, e.Prepare(t.Context(), "db")
}

// close ends an environment, of which nothing is left.
func (p *place) close() {
	p.t.Helper()
	if err := p.Close(context.Background()); err != nil {
		p.t.Error(err)
	}
	if left := p.journal.left(); len(left) > 0 {
		p.t.Errorf("by the journal there is still %v", left)
	}
}

// built says whether a place has made its data rather than found it.
func (p *place) built() bool { return strings.Contains(p.said.String(), "making its data directory") }

// serve starts the database and waits until it answers.
func (p *place) serve(s rehearse.Service) driver.Process {
	p.t.Helper()
	out := &drivertest.Log{}
	proc, err := p.Start(p.t.Context(), "db", driver.Output{Stdout: out, Stderr: out})
	if err != nil {
		p.t.Fatal(hinted(err))
	}
	r, _ := recipe.ByName(s.Recipe)
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	for {
		err := r.Query(ctx, s, func(ctx context.Context, port int) (net.Conn, error) { return p.Dial(ctx, "db", port) })
		if err == nil {
			return proc
		}
		select {
		case <-proc.Done():
			p.t.Fatalf("it ended: %s\n%s", proc.Exit().Reason, out)
		case <-ctx.Done():
			p.t.Fatalf("it never answered: %v\n%s", err, out)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// words are what the database's table holds.
func (s *stock) words(t *testing.T, p *place) string {
	t.Helper()
	db, err := s.connect(p, "app", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT b FROM t ORDER BY a")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var b string
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
	return strings.Join(all, ",")
}

func (s *stock) exec(t *testing.T, p *place, statement string) {
	t.Helper()
	db, err := s.connect(p, "app", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// lives has two environments start from one golden, and the second be reset.
func (s *stock) lives(t *testing.T, want string, scripts string) {
	t.Helper()
	for i, id := range []string{"first", "second"} {
		p, err := s.open(t, s.label+"-"+id)
		if err != nil {
			t.Fatal(hinted(err))
		}
		if p.built() != (i == 0) || s.filled != 1 {
			t.Errorf("the %s environment made its data: %v; it was filled %d times", id, p.built(), s.filled)
		}
		if got := p.fact("data.clone.db"); got != "overlay" && s.small || got == "" {
			t.Errorf("its data is a copy by %q, want an overlay of what is small", got)
		}
		proc := p.serve(s.service)
		if got := s.words(t, p); got != want {
			t.Errorf("the %s has %q, want %q", id, got, want)
		}
		for _, wrong := range [][2]string{{"app", "wrong"}, {"nobody", "secret"}} {
			if db, err := s.connect(p, wrong[0], wrong[1]); err == nil {
				db.Close()
				t.Errorf("%v may log in", wrong)
			}
		}
		s.exec(t, p, "DELETE FROM t")
		if i == 1 {
			can := p.Environment.(driver.Resetter)
			if err := can.Reset(t.Context(), "db"); err == nil {
				t.Error("a running service was reset")
			}
			r, _ := recipe.ByName(s.service.Recipe)
			if err := proc.Signal(driver.Signal(r.StopSignal)); err != nil {
				t.Fatal(err)
			}
			if exit := p.ended(proc); exit.Code != 0 {
				t.Errorf("the database stopped with %+v", exit)
			}
			if err := can.Reset(t.Context(), "db"); err != nil {
				t.Fatal(hinted(err))
			}
			p.serve(s.service)
			if got := s.words(t, p); got != want {
				t.Errorf("after a reset it has %q, want %q", got, want)
			}
		}
		p.close()
	}
	if got, err := os.ReadDir(scripts); err != nil || len(got) != 2 {
		t.Errorf("the directory of scripts holds %v, %v; want what a person put there", got, err)
	}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	engine := testdocker.Start(t)
	s := &stock{label: "postgres", small: true, cache: t.TempDir()}
	s.driver = newDriverIn(t, s.label, s.cache)
	engine.As(t, engine.Postgres(t), "postgres:15")
	write(t, dir, "init/1.sql", "CREATE TABLE t (a int, b text);\nINSERT INTO t VALUES (1, 'sql');\n")
	write(t, dir, "init/2.sh", "psql -v ON_ERROR_STOP=1 -U \"$POSTGRES_USER\" -d \"$POSTGRES_DB\" -c \"INSERT INTO t VALUES (2, '$WORD')\"\n")
	seed := write(t, dir, "seed.sql", "INSERT INTO t VALUES (3, 'seed');\n")
	s.service = rehearse.Service{
		Name: "db", Image: "postgres:15", Recipe: "postgres", Ports: []rehearse.Port{{Number: 5432}},
		Env: map[string]string{"POSTGRES_PASSWORD": "secret", "POSTGRES_USER": "app", "POSTGRES_DB": "shop", "WORD": "shell"},
		Mounts: []rehearse.Mount{
			{Type: "bind", Source: filepath.Join(dir, "init"), Target: "/docker-entrypoint-initdb.d", ReadOnly: true},
			{Type: "volume", Source: "db", Target: "/var/lib/postgresql/data"},
		},
		SQL: []string{seed},
		Data: &rehearse.DataSpec{
			Name: "shop", Profile: filepath.Join(dir, "shop.yaml"), Scale: 1,
			Before: []string{write(t, dir, "before.sql", "INSERT INTO t VALUES (4, 'before');")},
			After:  []string{write(t, dir, "after.sql", "INSERT INTO t VALUES (6, 'after');")},
		},
		Container: &rehearse.Container{ShmSize: 64 << 20},
	}
	s.connect = func(p *place, user, password string) (*sql.DB, error) {
		c, err := postgresAt(t.Context(), user, password, func(ctx context.Context) (net.Conn, error) { return p.Dial(ctx, "db", 5432) })
		if err != nil {
			return nil, err
		}
		return c, c.PingContext(t.Context())
	}
	s.fill = func(ctx context.Context, into driver.Filling) error {
		if into.Engine != "postgres" || into.User != "app" || into.Password != "secret" || into.Database != "shop" {
			return fmt.Errorf("it is to fill %+v", into)
		}
		db, err := postgresAt(ctx, into.User, into.Password, into.Dial)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.ExecContext(ctx, "INSERT INTO t VALUES (5, 'filled')")
		return err
	}
	s.lives(t, "sql,shell,seed,before,filled,after", filepath.Join(dir, "init"))

	// A change of anything makes another golden; what fails says how.
	s.service.Env["WORD"] = "other"
	write(t, dir, "after.sql", "SELECT 1; SELECT no_such_column FROM t;")
	p, err := s.open(t, "postgres-after")
	if known, ok := errors.AsType[*rehearse.Error](err); !ok || !strings.Contains(known.Hint, "no_such_column") || !strings.Contains(err.Error(), "after.sql") {
		t.Errorf("a file after the rows fails: %s", hinted(err))
	}
	p.close()
	if s.filled != 2 {
		t.Errorf("another environment was filled %d times in all, want 2", s.filled)
	}
	write(t, dir, "init/2.sh", "echo this is wrong; exit 3\n")
	p, err = s.open(t, "postgres-init")
	if known, ok := errors.AsType[*rehearse.Error](err); !ok || !strings.Contains(known.Hint, "this is wrong") || !strings.Contains(err.Error(), "exit 3") {
		t.Errorf("a script of the image's fails: %s", hinted(err))
	}
	p.close()
	nothingLeft(t, s.label)
	if goldens, err := filepath.Glob(filepath.Join(s.cache, "volumes", "postgres-*.json")); err != nil || len(goldens) > 1 {
		t.Errorf("goldens are %v, %v; want the one that was finished", goldens, err)
	}
}

func postgresAt(ctx context.Context, user, password string, dial func(context.Context) (net.Conn, error)) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig("host=db dbname=shop sslmode=disable")
	if err != nil {
		return nil, err
	}
	cfg.User, cfg.Password = user, password
	cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	return stdlib.OpenDB(*cfg), nil
}

func TestMariaDB(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	engine := testdocker.Start(t)
	s := &stock{label: "mariadb", cache: t.TempDir()}
	s.driver = newDriverIn(t, s.label, s.cache)
	engine.As(t, engine.MariaDB(t), "mariadb:10.11")
	write(t, dir, "init/1.sql", "CREATE TABLE t (a INT, b TEXT);\nINSERT INTO t VALUES (1, 'sql');\n")
	write(t, dir, "init/2.sh", "echo \"INSERT INTO t VALUES (2, '$WORD')\" | mariadb -uroot -p\"$MARIADB_ROOT_PASSWORD\" \"$MARIADB_DATABASE\"\n")
	s.service = rehearse.Service{
		Name: "db", Image: "mariadb:10.11", Recipe: "mariadb", Ports: []rehearse.Port{{Number: 3306}},
		Env: map[string]string{"MARIADB_ROOT_PASSWORD": "it's", "MARIADB_DATABASE": "shop", "MARIADB_USER": "app", "MARIADB_PASSWORD": "secret", "WORD": "shell"},
		Mounts: []rehearse.Mount{
			{Type: "bind", Source: filepath.Join(dir, "init"), Target: "/docker-entrypoint-initdb.d"},
			{Type: "volume", Source: "db", Target: "/var/lib/mysql"},
		},
		SQL: []string{write(t, dir, "seed.sql", "INSERT INTO t VALUES (3, 'seed');\n")},
		Data: &rehearse.DataSpec{
			Name: "shop", Profile: filepath.Join(dir, "shop.yaml"), Scale: 1,
			After: []string{write(t, dir, "after.sql", "INSERT INTO t VALUES (6, 'after');")},
		},
		Container: &rehearse.Container{},
	}
	at := func(user, password string, dial func(context.Context) (net.Conn, error)) (*sql.DB, error) {
		cfg := mysql.NewConfig()
		cfg.User, cfg.Passwd, cfg.DBName, cfg.Net, cfg.Addr = user, password, "shop", "tcp", "db:3306"
		cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
		cfg.Logger = &mysql.NopLogger{}
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(connector), nil
	}
	s.connect = func(p *place, user, password string) (*sql.DB, error) {
		db, err := at(user, password, func(ctx context.Context) (net.Conn, error) { return p.Dial(ctx, "db", 3306) })
		if err != nil {
			return nil, err
		}
		return db, db.PingContext(t.Context())
	}
	s.fill = func(ctx context.Context, into driver.Filling) error {
		if into.Engine != "mariadb" || into.User != "root" || into.Password != "it's" || into.Database != "shop" {
			return fmt.Errorf("it is to fill %+v", into)
		}
		db, err := at(into.User, into.Password, into.Dial)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.ExecContext(ctx, "INSERT INTO t VALUES (5, 'filled')")
		return err
	}
	s.lives(t, "sql,shell,seed,filled,after", filepath.Join(dir, "init"))
	nothingLeft(t, s.label)
}
