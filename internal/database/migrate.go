package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/migration"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// Migrator gives a function that runs the migrations of a service's dataset and
// watches them. It tells talk what it found. That a migration fails stands in the
// result; an error says that it could not be tried.
func Migrator(talk io.Writer) func(ctx context.Context, s rehearse.Service, at driver.Filling) (rehearse.MigrationResult, error) {
	return func(ctx context.Context, s rehearse.Service, at driver.Filling) (rehearse.MigrationResult, error) {
		r, err := migrate(ctx, s, at)
		if err != nil {
			return r, err
		}
		say := func(format string, args ...any) {
			fmt.Fprintf(talk, "%s: migrations: %s\n", s.Name, fmt.Sprintf(format, args...))
		}
		for _, f := range r.Findings {
			say("%s: %s", f.Severity, f.What)
		}
		for _, n := range append([]string{r.Unwatched}, r.Notes...) {
			if n != "" {
				say("%s", n)
			}
		}
		if r.Failed == "" {
			say("%d run in %v", len(r.Files), rehearse.Round(time.Duration(r.Elapsed)))
		}
		return r, nil
	}
}

func migrate(ctx context.Context, s rehearse.Service, at driver.Filling) (rehearse.MigrationResult, error) {
	r := rehearse.MigrationResult{Service: s.Name, Dataset: s.Data.Name}
	files, err := readMigrations(s.Data.Migrations, at.Engine)
	if err != nil {
		return r, err
	}
	run := func(ctx context.Context) error {
		for _, f := range files {
			r.Files = append(r.Files, f.path)
			if err := f.run(ctx, at); err != nil {
				return err
			}
		}
		return nil
	}
	if at.Engine != "postgres" {
		began := time.Now()
		err := run(ctx)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		r.Elapsed = rehearse.Duration(time.Since(began))
		r.Unwatched = "Only PostgreSQL is watched while it is migrated: what these migrations lock is not known."
		if err != nil {
			r.Failed = sentence(err.Error())
		}
		return r, nil
	}
	o, err := options(s.Data)
	if err != nil {
		return r, err
	}
	var failed error
	seen, err := migration.Rehearse(ctx, connector(at), func(ctx context.Context) error {
		failed = run(ctx)
		return failed
	}, o)
	if err != nil {
		return r, fmt.Errorf("watch the migrations of service %q: %w", s.Name, err)
	}
	if failed != nil {
		r.Failed = sentence(failed.Error())
	}
	record(&r, seen)
	return r, nil
}

// options are how migrations are watched. Without a profile nobody knows how large
// tables are in production: those count that have a tenth of an ordinary one's rows
// here.
func options(d *rehearse.DataSpec) (migration.Options, error) {
	if d.Profile != "" {
		p, err := profile.ReadData(d.Profile)
		return migration.Options{Profile: p}, err
	}
	return migration.Options{Big: min(d.Rows/10, 10_000)}, nil
}

// record takes what was seen over into the evidence.
func record(r *rehearse.MigrationResult, seen migration.Report) {
	r.Elapsed, r.Notes = rehearse.Duration(seen.Duration), seen.Notes
	for _, s := range seen.Statements {
		out := rehearse.MigrationStatement{SQL: s.SQL, Elapsed: rehearse.Duration(s.Duration)}
		if s.Estimate.Times > 0 {
			out.Estimate, out.Times, out.How = rehearse.Duration(s.Estimate.Duration), s.Estimate.Times, s.Estimate.How
		}
		for _, l := range s.Locks {
			out.Locks = append(out.Locks, rehearse.MigrationLock{Table: l.Table, Mode: l.Mode, Held: rehearse.Duration(l.Held)})
		}
		r.Statements = append(r.Statements, out)
	}
	for _, b := range seen.Blocked {
		r.Blocked = append(r.Blocked, rehearse.MigrationBlock{Table: b.Table, Access: string(b.Access), Longest: rehearse.Duration(b.Longest), By: b.By})
	}
	for _, w := range seen.Rewritten {
		r.Rewritten = append(r.Rewritten, rehearse.MigrationRewrite(w))
	}
	for _, f := range seen.Findings {
		r.Findings = append(r.Findings, rehearse.MigrationFinding{Kind: f.Kind, Severity: rehearse.MigrationSeverity(f.Severity), Table: f.Table, What: f.What})
	}
}

// migrationFile is a file of SQL that was read.
type migrationFile struct {
	path       string
	statements []string
}

// readMigrations reads all files before the first runs.
func readMigrations(paths []string, engine string) ([]migrationFile, error) {
	var out []migrationFile
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, &rehearse.Error{Kind: rehearse.Invalid, File: path, Msg: "this migration cannot be read", Err: err, Hint: "Its path counts from the project's directory."}
		}
		f := migrationFile{path: path, statements: []string{string(text)}}
		if engine == "postgres" {
			if f.statements, err = split(string(text)); err != nil {
				var e *rehearse.Error
				if errors.As(err, &e) {
					e.File = path
				}
				return nil, err
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// run runs a file in a session of its own, up to the first statement that fails.
func (f migrationFile) run(ctx context.Context, at driver.Filling) error {
	if at.Engine != "postgres" {
		account := recipe.Account{Engine: at.Engine, User: at.User, Password: at.Password, Database: at.Database}
		dial := func(ctx context.Context, _ int) (net.Conn, error) { return at.Dial(ctx) }
		for _, sql := range f.statements {
			if err := recipe.ExecMariaDB(ctx, account, dial, sql); err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(f.path), err)
			}
		}
		return nil
	}
	conn, err := connector(at)(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(f.path), err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, sql := range f.statements {
		if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w, in: %s", filepath.Base(f.path), said(err), oneLine(sql))
		}
	}
	return nil
}

// said is what the server has said, without what the client adds.
func said(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	text := fmt.Sprintf("%s (%s)", pg.Message, pg.Code)
	if pg.Detail != "" {
		text += ", " + strings.TrimSuffix(pg.Detail, ".")
	}
	return errors.New(text)
}

// oneLine shortens a statement for a sentence.
func oneLine(sql string) string {
	const most = 120
	r := []rune(strings.Join(strings.Fields(sql), " "))
	if len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return string(r)
}

// sentence ends a text with a full stop.
func sentence(s string) string {
	if strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// connector connects to a database of PostgreSQL.
func connector(at driver.Filling) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) {
		cfg, err := pgx.ParseConfig("host=127.0.0.1 sslmode=disable application_name=rehearse")
		if err != nil {
			return nil, err
		}
		cfg.User, cfg.Password, cfg.Database = at.User, at.Password, at.Database
		cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return at.Dial(ctx) }
		cfg.ConnectTimeout = 10 * time.Second
		return pgx.ConnectConfig(ctx, cfg)
	}
}
