package recipe

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
)

// postgres runs the official image's PostgreSQL: the same variables, the same
// initialisation scripts, the major version that the tag names.
var postgres = &Recipe{
	Name:    "postgres",
	Images:  []string{"postgres"},
	Ports:   []int{5432},
	Passive: true,
	// With SIGTERM the server waits for its clients to leave.
	StopSignal: "SIGINT",
	Query:      queryPostgres,
	Launch:     launchPostgres,
	Package:    map[string]string{"apt": "postgresql", "brew": "postgresql@17"},
}

const postgresScripts = "/docker-entrypoint-initdb.d"

// account is what the image's variables say.
type account struct{ user, password, database, auth string }

func postgresAccount(s rehearse.Service) (account, error) {
	a := account{auth: s.Env["POSTGRES_HOST_AUTH_METHOD"]}
	var err error
	if a.user, err = fileVar(s, "POSTGRES_USER", "postgres"); err != nil {
		return a, err
	}
	if a.database, err = fileVar(s, "POSTGRES_DB", a.user); err != nil {
		return a, err
	}
	if a.password, err = fileVar(s, "POSTGRES_PASSWORD", ""); err != nil {
		return a, err
	}
	if a.auth == "" {
		a.auth = "scram-sha-256"
	}
	if a.password == "" && a.auth != "trust" {
		return a, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q: POSTGRES_PASSWORD is not set, and the image refuses to start without it", s.Name),
			Hint: "Set POSTGRES_PASSWORD in the Compose file.",
		}
	}
	return a, nil
}

// fileVar is a variable, or the content of the file that VARIABLE_FILE names: a
// secret mounted into the container.
func fileVar(s rehearse.Service, name, otherwise string) (string, error) {
	if v := s.Env[name]; v != "" {
		return v, nil
	}
	file := s.Env[name+"_FILE"]
	if file == "" {
		return otherwise, nil
	}
	for _, m := range s.Mounts {
		if m.Target != file {
			continue
		}
		if m.Content != "" {
			return strings.TrimSpace(m.Content), nil
		}
		data, err := os.ReadFile(m.Source)
		if err != nil {
			return "", fmt.Errorf("read %s_FILE: %w", name, err)
		}
		return strings.TrimSpace(string(data)), nil
	}
	return "", &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q: %s_FILE is %s, which no secret or volume provides", s.Name, name, file),
		Hint: "Mount the secret there, or set " + name + ".",
	}
}

func queryPostgres(ctx context.Context, s rehearse.Service, dial Dial) error {
	a, err := postgresAccount(s)
	if err != nil {
		return err
	}
	c, err := connectPostgres(ctx, a, a.database, 5432, dial)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var one int
	return c.QueryRow(ctx, "SELECT 1").Scan(&one)
}

func connectPostgres(ctx context.Context, a account, database string, port int, dial Dial) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig("host=127.0.0.1 sslmode=disable application_name=rehearse")
	if err != nil {
		return nil, err
	}
	cfg.Port, cfg.User, cfg.Password, cfg.Database = uint16(port), a.user, a.password, database
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, port) }
	cfg.ConnectTimeout = 10 * time.Second
	return pgx.ConnectConfig(ctx, cfg)
}

// postgresBinaries finds the major version that the tag names: on the host, else
// from npm, else whatever version the host has, which is a finding.
func postgresBinaries(c *Context) (bin string, findings []rehearse.Fact, err error) {
	tag := Tag(c.Service.Image)
	major := tag[:len(tag)-len(strings.TrimLeft(tag, "0123456789"))]
	places := func(major string) []string {
		return []string{
			"/usr/lib/postgresql/" + major + "/bin", "/usr/pgsql-" + major + "/bin",
			"/opt/homebrew/opt/postgresql@" + major + "/bin", "/usr/local/opt/postgresql@" + major + "/bin",
		}
	}
	wanted := major
	if wanted == "" {
		wanted = "*"
	}
	if path, ok := c.In("initdb", places(wanted)...); ok {
		return filepath.Dir(path), nil, nil
	}
	if major == "" {
		major = newestPostgres
	}
	var fetchErr error
	if pkg, ok := postgresPackage(major); ok {
		dir, err := c.Fetch(pkg)
		if err == nil {
			return filepath.Join(dir, "native", "bin"), nil, nil
		}
		fetchErr = err
	}
	if path, ok := c.In("initdb", places("*")...); ok {
		have := filepath.Base(filepath.Dir(filepath.Dir(path)))
		return filepath.Dir(path), []rehearse.Fact{{
			Name: "postgres.major", Value: have,
			Note: fmt.Sprintf("%s asks for PostgreSQL %s, but this host has %s", c.Service.Name, major, have),
		}}, nil
	}
	hint := "Install it: apt-get install postgresql-" + major + " (or your system's package)."
	if fetchErr != nil {
		hint += " It could not be fetched either: " + fetchErr.Error() + "."
	}
	return "", nil, &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q needs PostgreSQL %s, which is not on this host", c.Service.Name, major), Hint: hint}
}

func launchPostgres(c *Context) (*Launch, error) {
	a, err := postgresAccount(c.Service)
	if err != nil {
		return nil, err
	}
	bin, findings, err := postgresBinaries(c)
	if err != nil {
		return nil, err
	}
	scripts, err := initScripts(c.Service, postgresScripts)
	if err != nil {
		return nil, err
	}
	data, err := datasetOf(c)
	if err != nil {
		return nil, err
	}
	locale := "C.UTF-8"
	if runtime.GOOS != "linux" {
		locale = "C"
	}
	findings = append(findings,
		rehearse.Fact{Name: "postgres.locale", Value: locale, Note: "the image's own is en_US.utf8, which sorts text differently"},
		rehearse.Fact{Name: "postgres.fsync", Value: "off", Note: "commits do not wait for a disk"})
	args := []string{
		filepath.Join(bin, "postgres"), "-D", c.Data,
		"-c", "listen_addresses=" + c.ListenHost, "-c", "port=" + strconv.Itoa(c.ListenPort),
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB",
	}
	l := &Launch{
		Args: append(args, postgresFlags(c.Service.Command)...),
		Owns: []string{"/var/lib/postgresql", postgresScripts},
		// The binaries may lie in a cache in the user's home directory.
		Visible:  append(append(scripts.paths(), data.paths()...), filepath.Dir(bin)),
		Files:    map[string]string{c.Run + "/password": a.password + "\n"},
		Env:      map[string]string{"PGPASSWORD": a.password, "PGUSER": a.user, "PGDATABASE": a.database, "PGHOST": dialHost(c.ListenHost), "PGPORT": strconv.Itoa(c.ListenPort), "PATH": bin + ":/usr/local/bin:/usr/bin:/bin"},
		Findings: findings,
	}
	for k, v := range c.Service.Env {
		if _, ours := l.Env[k]; !ours {
			l.Env[k] = v
		}
	}
	// Scripts read these, whether Compose sets them or not.
	l.Env["POSTGRES_USER"], l.Env["POSTGRES_PASSWORD"], l.Env["POSTGRES_DB"] = a.user, a.password, a.database
	init := []string{
		filepath.Join(bin, "initdb"), "-D", c.Data, "-U", a.user, "--pwfile=" + c.Run + "/password",
		"--auth-host=" + a.auth, "--auth-local=trust", "--encoding=UTF8", "--locale=" + locale, "--no-sync", "--no-instructions",
	}
	if a.password == "" {
		init = append(init[:5], init[6:]...)
		delete(l.Files, c.Run+"/password")
	}
	init = append(init, strings.Fields(c.Service.Env["POSTGRES_INITDB_ARGS"])...)
	stamp, err := os.Stat(filepath.Join(bin, "postgres"))
	if err != nil {
		return nil, fmt.Errorf("look at PostgreSQL's binaries: %w", err)
	}
	l.Template = &Template{
		Key: append([]string{
			bin, stamp.ModTime().String(), fmt.Sprint(stamp.Size()), portable(c, strings.Join(init, " ")), a.user, a.password, a.database,
			fmt.Sprint(scripts.environment(c.Service)),
		}, append(scripts.digests(), data.key(c.Service)...)...),
		Build: func(ctx context.Context, b Builder) error {
			if err := b.Run(ctx, init, l.Env); err != nil {
				return err
			}
			p := &postgresFill{account: a, port: 5432, bin: bin, env: l.Env}
			if data == nil {
				return b.Serve(ctx, args, l.Env, func(ctx context.Context, s Server) error { return p.run(ctx, s, scripts, nil) })
			}
			return b.Serve(ctx, append(slices.Clone(args), postgresLoading(bin)...), l.Env, func(ctx context.Context, s Server) error {
				return p.run(ctx, s, scripts, data)
			})
		},
	}
	return l, nil
}

// postgresFlags are the server's flags in Compose's command, which starts with
// "postgres" or with a flag, as the image's entry point wants it.
func postgresFlags(command []string) []string {
	if len(command) > 0 && !strings.HasPrefix(command[0], "-") {
		return command[1:]
	}
	return command
}

// postgresLoading are flags of a server that is filled, and that is thrown away
// when it crashes. None of them changes what is on the disk once it has stopped.
func postgresLoading(bin string) []string {
	flags := []string{
		"wal_level=minimal", "max_wal_senders=0", "max_wal_size=8GB", "checkpoint_timeout=1h", "autovacuum=off",
		"synchronous_commit=off", "shared_buffers=128MB", "maintenance_work_mem=256MB",
	}
	version, _ := versionOf(filepath.Join(bin, "postgres"), "--version")
	if major, err := strconv.Atoi(strings.Split(version, ".")[0]); err == nil && major >= 12 {
		// Else the log's used-up segments, gigabytes, would stay for the next time.
		flags = append(flags, "wal_recycle=off")
	}
	var out []string
	for _, f := range flags {
		out = append(out, "-c", f)
	}
	return out
}

// postgresFill fills a fresh cluster.
type postgresFill struct {
	account account
	port    int
	bin     string
	env     map[string]string
}

// run does what the image's entry point does after initdb, it makes the database
// and runs the scripts, and then puts the dataset in.
func (p *postgresFill) run(ctx context.Context, s Server, scripts scripts, data *dataset) error {
	a := p.account
	admin, err := untilPostgresAnswers(ctx, s, a, p.port)
	if err != nil {
		return err
	}
	defer admin.Close(context.WithoutCancel(ctx))
	if a.database != "postgres" {
		if _, err := admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{a.database}.Sanitize()); err != nil {
			return fmt.Errorf("create database %s: %w", a.database, err)
		}
	}
	if err := p.scripts(ctx, s, scripts); err != nil || data == nil {
		return err
	}
	if err := p.scripts(ctx, s, data.before); err != nil {
		return err
	}
	if err := data.generate(ctx, Filling{
		Engine: "postgres", User: a.user, Password: a.password, Database: a.database,
		Dial: func(ctx context.Context) (net.Conn, error) { return s.Dial(ctx, p.port) },
	}); err != nil {
		return err
	}
	if err := p.scripts(ctx, s, data.after); err != nil {
		return err
	}
	return p.settle(ctx, s)
}

// settle leaves nothing for the clones to do: statistics as after autovacuum, and
// no hint bits that the first reader of each page would write.
func (p *postgresFill) settle(ctx context.Context, s Server) error {
	c, err := connectPostgres(ctx, p.account, p.account.database, p.port, s.Dial)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	// A commit that did not wait for its WAL is not sure to be there until that is
	// written, and rows that are not sure are not marked as visible to all.
	if _, err := c.Exec(ctx, "CHECKPOINT"); err != nil {
		return fmt.Errorf("write a checkpoint: %w", err)
	}
	if _, err := c.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
		return fmt.Errorf("vacuum the dataset: %w", err)
	}
	return nil
}

func (p *postgresFill) scripts(ctx context.Context, s Server, scripts scripts) error {
	psql := filepath.Join(p.bin, "psql")
	if _, err := os.Stat(psql); err != nil {
		psql = ""
	}
	for _, script := range scripts {
		if err := runPostgresScript(ctx, s, p.account, p.port, psql, p.env, script); err != nil {
			return script.failed(err)
		}
	}
	return nil
}

// untilPostgresAnswers asks until the server, which is starting, answers.
func untilPostgresAnswers(ctx context.Context, s Server, a account, port int) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		c, err := connectPostgres(ctx, a, "postgres", port, s.Dial)
		if err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for PostgreSQL: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func runPostgresScript(ctx context.Context, s Server, a account, port int, psql string, env map[string]string, script script) error {
	switch {
	case strings.HasSuffix(script.path, ".sh"):
		return s.Run(ctx, scriptCommand(script.path), env)
	case psql != "" && strings.HasSuffix(script.path, ".sql"):
		return s.Run(ctx, []string{psql, "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-f", script.path}, env)
	}
	text, err := script.text()
	if err != nil {
		return err
	}
	c, err := connectPostgres(ctx, a, a.database, port, s.Dial)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, `\`) {
			return &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: fmt.Sprintf("%q is a command of psql, which is not on this host", strings.TrimSpace(line)),
				Hint: "Install PostgreSQL's client: apt-get install postgresql-client.",
			}
		}
	}
	_, err = c.PgConn().Exec(ctx, text).ReadAll()
	return err
}
