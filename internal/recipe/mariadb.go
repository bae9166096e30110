package recipe

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/rehearse-dev/rehearse"
)

// mariadb runs the official images of MariaDB and MySQL: the same variables, the
// same initialisation scripts. Where the host has only the other of the two, that
// one stands in, which is a finding.
var mariadb = &Recipe{
	Name:    "mariadb",
	Images:  []string{"mariadb", "mysql", "mysql/mysql-server", "bitnami/mariadb", "bitnami/mysql"},
	Ports:   []int{3306},
	Passive: true,
	Query:   queryMariaDB,
	Launch:  launchMariaDB,
	Package: map[string]string{"apt": "mariadb-server", "brew": "mariadb"},
}

const mariadbScripts = "/docker-entrypoint-initdb.d"

// mariadbAccount is what the image's variables say.
type mariadbAccount struct {
	root, rootHost           string // root's password and where it may come from
	rootUnknown              bool   // the image would make up a password, or knows only its hash
	user, password, database string
}

func mariadbAccountOf(s rehearse.Service) (mariadbAccount, error) {
	var a mariadbAccount
	var problem error
	value := func(name, otherwise string) string {
		for _, prefix := range []string{"MARIADB_", "MYSQL_"} {
			v, err := fileVar(s, prefix+name, "")
			if err != nil && problem == nil {
				problem = err
			}
			if v != "" {
				return v
			}
		}
		return otherwise
	}
	a.root, a.rootHost = value("ROOT_PASSWORD", ""), value("ROOT_HOST", "%")
	a.user, a.password, a.database = value("USER", ""), value("PASSWORD", ""), value("DATABASE", "")
	a.rootUnknown = a.root == "" && (value("RANDOM_ROOT_PASSWORD", "") != "" || value("ROOT_PASSWORD_HASH", "") != "")
	empty := value("ALLOW_EMPTY_ROOT_PASSWORD", "") + value("ALLOW_EMPTY_PASSWORD", "") + s.Env["ALLOW_EMPTY_PASSWORD"]
	if problem != nil {
		return a, problem
	}
	if a.root == "" && !a.rootUnknown && empty == "" {
		prefix := "MARIADB"
		if isMySQL(s) {
			prefix = "MYSQL"
		}
		return a, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q: %s_ROOT_PASSWORD is not set, and the image refuses to start without it", s.Name, prefix),
			Hint: fmt.Sprintf("Set %s_ROOT_PASSWORD in the Compose file.", prefix),
		}
	}
	return a, nil
}

func isMySQL(s rehearse.Service) bool { return strings.Contains(Repository(s.Image), "mysql") }

func mariadbOptions(s rehearse.Service) ([]option, error) {
	flags, err := flagsOf(s, "mysqld", "mariadbd", "run.sh")
	return options(flags), err
}

func queryMariaDB(ctx context.Context, s rehearse.Service, dial Dial) error {
	a, err := mariadbAccountOf(s)
	if err != nil {
		return err
	}
	given, err := mariadbOptions(s)
	if err != nil {
		given = nil // another driver runs what we cannot take apart
	}
	user, password := "root", a.root
	if a.user != "" {
		user, password = a.user, a.password
	}
	db := openMariaDB(user, password, a.database, portOf(given, 3306, "port", "P"), dial)
	defer db.Close()
	var one int
	err = db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	var refused *mysql.MySQLError
	if errors.As(err, &refused) && a.user == "" && (a.rootUnknown || a.rootHost != "%") {
		return nil // nobody could log in from here, and it says so
	}
	return err
}

func openMariaDB(user, password, database string, port int, dial Dial) *sql.DB {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = user, password, database
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, port) }
	cfg.Logger = &mysql.NopLogger{} // every failed attempt would be a line on our stderr
	cfg.MultiStatements = true      // for scripts
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		panic("recipe: internal error: " + err.Error()) // the configuration is our own
	}
	return sql.OpenDB(connector)
}

// mariadbPrograms are the server's programs on the host.
type mariadbPrograms struct {
	server, install, client, timezones string
	mysql                              bool // Oracle's, not MariaDB's
	standIn                            bool // of the other kind than the image's
	version                            string
}

func mariadbProgramsOf(c *Context) (mariadbPrograms, error) {
	var p mariadbPrograms
	wantMySQL := isMySQL(c.Service)
	places := func(kind string) []string {
		return []string{"/opt/homebrew/opt/" + kind + "*/bin", "/usr/local/opt/" + kind + "*/bin", "/usr/local/" + kind + "/bin", "/usr/libexec", "/opt/" + kind + "/bin"}
	}
	server, err := find(c, "mariadbd", places("mariadb")...)
	if wantMySQL || err != nil {
		if other, otherErr := find(c, "mysqld", places("mysql")...); otherErr == nil {
			server, err = other, nil
		}
	}
	if err != nil {
		return p, err
	}
	var said string
	p.server = server
	p.version, said = versionOf(server, "--no-defaults", "--version")
	p.mysql = said != "" && !strings.Contains(said, "MariaDB")
	p.standIn = p.mysql != wantMySQL
	names := []string{"mariadb", "mariadb-tzinfo-to-sql", "mariadb-install-db"}
	if p.mysql {
		names = []string{"mysql", "mysql_tzinfo_to_sql", ""}
	}
	beside := []string{filepath.Dir(server), "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", filepath.Join(filepath.Dir(filepath.Dir(server)), "scripts")}
	for i, to := range []*string{&p.client, &p.timezones, &p.install} {
		if names[i] == "" {
			continue
		}
		*to, _ = c.In(names[i], beside...)
		if *to == "" { // before MariaDB 10.4
			*to, _ = c.In(strings.NewReplacer("mariadb-", "mysql_", "mariadb", "mysql", "-", "_").Replace(names[i]), beside...)
		}
	}
	if !p.mysql && p.install == "" {
		p.install, err = find(c, "mariadb-install-db", beside...)
	}
	return p, err
}

func (p mariadbPrograms) product() string {
	if p.mysql {
		return "mysql"
	}
	return "mariadb"
}

func (p mariadbPrograms) findings(s rehearse.Service) []rehearse.Fact {
	if p.standIn {
		image := "mysql"
		if p.mysql {
			image = "mariadb"
		}
		return []rehearse.Fact{otherProduct(s, "mariadb", image, p.product()+" "+p.version,
			"they differ in SQL, collations and query plans, and options that it does not know are ignored")}
	}
	return otherVersion(s, p.product(), p.version, 2)
}

// mariadbConfig is the server's configuration file. Ours comes first, so that
// what Compose mounts into the image's places overrides it.
func mariadbConfig(c *Context, mysql bool) (text string, files map[string]string, owned, visible []string) {
	var b strings.Builder
	b.WriteString("[mysqld]\n" +
		// The image's own.
		"skip-name-resolve\ncharacter-set-server=utf8mb4\n" +
		// Commits do not wait for a disk, and the log is small enough to copy.
		"innodb-flush-log-at-trx-commit=0\nloose-innodb-doublewrite=0\nloose-sync-binlog=0\nloose-innodb-log-file-size=16M\n")
	if mysql {
		b.WriteString("mysqlx=OFF\n")
	}
	files = map[string]string{}
	for i, m := range c.Service.Mounts {
		target := path.Clean(m.Target)
		if target != "/etc/my.cnf" && !strings.HasPrefix(target+"/", "/etc/mysql/") && !strings.HasPrefix(target+"/", "/etc/my.cnf.d/") {
			continue
		}
		switch {
		case m.Content != "":
			file := fmt.Sprintf("%s/mysql/%d.cnf", c.Run, i)
			files[file] = m.Content
			fmt.Fprintf(&b, "!include %s\n", file)
		case m.Source == "" || m.Type == "volume":
			continue
		default:
			visible = append(visible, m.Source)
			include := "!include"
			if st, err := os.Stat(m.Source); err == nil && st.IsDir() {
				include = "!includedir"
			}
			fmt.Fprintf(&b, "%s %s\n", include, m.Source)
		}
		owned = append(owned, target)
	}
	return b.String(), files, owned, visible
}

func launchMariaDB(c *Context) (*Launch, error) {
	a, err := mariadbAccountOf(c.Service)
	if err != nil {
		return nil, err
	}
	given, err := mariadbOptions(c.Service)
	if err != nil {
		return nil, err
	}
	p, err := mariadbProgramsOf(c)
	if err != nil {
		return nil, err
	}
	scripts, err := initScripts(c.Service, mariadbScripts)
	if err != nil {
		return nil, err
	}
	dataset, err := datasetOf(c)
	if err != nil {
		return nil, err
	}
	config, files, owned, visible := mariadbConfig(c, p.mysql)
	files[c.Run+"/my.cnf"] = config
	// The clients of healthchecks and scripts look where Debian's server would be,
	// unless the last file that they read says otherwise.
	files[c.Run+"/.my.cnf"] = "[client]\nsocket=" + c.Run + "/mysqld.sock\n"
	port := listenPort(c, 3306, portOf(given, 3306, "port", "P"))
	socket := c.Run + "/mysqld.sock"
	args := []string{p.server, "--defaults-file=" + c.Run + "/my.cnf", "--datadir=" + c.Data}
	var flags []string
	for _, flag := range without(given, "port", "P", "bind-address", "datadir", "h", "socket", "pid-file", "user", "u", "defaults-file") {
		if name, ok := strings.CutPrefix(flag, "--"); ok && p.standIn && !strings.HasPrefix(name, "loose-") {
			flag = "--loose-" + name
		}
		flags = append(flags, flag)
	}
	args = append(append(args, flags...), "--bind-address="+c.ListenHost, "--port="+strconv.Itoa(port), "--socket="+socket, "--pid-file="+c.Run+"/mysqld.pid")
	data := []string{"/var/lib/mysql", "/bitnami/mariadb", "/bitnami/mysql"}
	l := &Launch{
		Args:     args,
		Env:      map[string]string{"HOME": c.Run},
		Files:    files,
		Owns:     slices.Concat(data, []string{mariadbScripts}, owned),
		Visible:  slices.Concat(scripts.paths(), dataset.paths(), visible),
		Findings: append(p.findings(c.Service), emptyData(c.Service, "mariadb", data...)...),
	}
	l.Findings = append(l.Findings, rehearse.Fact{Name: "mariadb.flush", Value: "off", Note: "commits do not wait for a disk"})
	if a.rootUnknown {
		l.Findings = append(l.Findings, rehearse.Fact{Name: "mariadb.root", Value: "random", Note: "nobody knows root's password; the image prints one, or takes its hash"})
	}
	for k, v := range c.Service.Env {
		if k != "HOME" {
			l.Env[k] = v
		}
	}
	stamp, err := os.Stat(p.server)
	if err != nil {
		return nil, fmt.Errorf("look at the database server: %w", err)
	}
	f := &mariadbFill{account: a, programs: p, port: portOf(given, 3306, "port", "P"), socket: socket, env: l.Env, scripts: scripts, dataset: dataset}
	l.Template = &Template{
		Key: append([]string{
			p.server, stamp.ModTime().String(), fmt.Sprint(stamp.Size()), strings.Join(flags, " "), portable(c, config), fmt.Sprintf("%+v", a),
			fmt.Sprint(scripts.environment(c.Service)),
		}, slices.Concat(scripts.digests(), mariadbDigests(c, files, visible), dataset.key(c.Service))...),
		Build: func(ctx context.Context, b Builder) error {
			init := []string{p.server, "--no-defaults", "--initialize-insecure", "--datadir=" + c.Data}
			if !p.mysql {
				init = []string{
					p.install, "--no-defaults", "--datadir=" + c.Data, "--skip-test-db", "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M",
				}
			}
			if err := b.Run(ctx, init, l.Env); err != nil {
				return err
			}
			// With names, 127.0.0.1 counts as localhost: the only place that root
			// may come from at first.
			filling := append(slices.Clone(args), "--skip-name-resolve=0")
			if dataset == nil {
				return b.Serve(ctx, filling, l.Env, f.run)
			}
			if err := b.Serve(ctx, append(slices.Clone(filling), mariadbLoading...), l.Env, f.run); err != nil {
				return err
			}
			// Once more as the service will be, so that the clones need not make
			// the log small again.
			return b.Serve(ctx, filling, l.Env, f.answers)
		},
	}
	return l, nil
}

// mariadbLoading are flags of a server that is filled, and that is thrown away
// when it crashes.
var mariadbLoading = []string{
	"--loose-innodb-log-file-size=256M", "--loose-innodb-redo-log-capacity=512M", "--innodb-buffer-pool-size=512M",
	"--loose-skip-log-bin", "--loose-innodb-flush-neighbors=0",
}

// mariadbDigests are the contents of the configuration, for the template's key.
func mariadbDigests(c *Context, files map[string]string, visible []string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out = append(out, portable(c, name), portable(c, files[name]))
	}
	for _, source := range visible {
		texts, _, err := textsIn(source, source)
		if err != nil {
			continue // the server will say so
		}
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			out = append(out, name, texts[name])
		}
	}
	return out
}

// mariadbFill does what the image's entry point does with an empty database.
type mariadbFill struct {
	account  mariadbAccount
	programs mariadbPrograms
	port     int // that the server is known by, as Dial takes it
	socket   string
	env      map[string]string
	scripts  scripts
	dataset  *dataset // nil: none
}

// answers returns once the filled server does.
func (f *mariadbFill) answers(ctx context.Context, s Server) error {
	db := openMariaDB("root", f.account.root, "", f.port, s.Dial)
	defer db.Close()
	admin, err := untilMariaDBAnswers(ctx, db)
	if err != nil {
		return err
	}
	return admin.Close()
}

func (f *mariadbFill) run(ctx context.Context, s Server) error {
	if f.account.rootUnknown {
		f.account.root = rand.Text()
	}
	db := openMariaDB("root", "", "", f.port, s.Dial)
	defer db.Close()
	admin, err := untilMariaDBAnswers(ctx, db)
	if err != nil {
		return err
	}
	defer admin.Close()
	if f.programs.timezones != "" && f.programs.client != "" && f.env["MARIADB_INITDB_SKIP_TZINFO"]+f.env["MYSQL_INITDB_SKIP_TZINFO"] == "" {
		load := `"$1" /usr/share/zoneinfo 2>/dev/null | "$2" --no-defaults --protocol=socket --socket="$3" -uroot mysql`
		if err := s.Run(ctx, []string{"/bin/sh", "-c", load, "sh", f.programs.timezones, f.programs.client, f.socket}, f.env); err != nil {
			return fmt.Errorf("load time zones: %w", err)
		}
	}
	if err := onlyLocalRoot(ctx, admin); err != nil {
		return fmt.Errorf("make accounts: %w", err)
	}
	for _, statement := range f.account.statements() {
		if _, err := admin.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("make accounts: %w", err)
		}
	}
	if err := f.runScripts(ctx, s, admin, f.scripts); err != nil || f.dataset == nil {
		return err
	}
	return f.fill(ctx, s, admin)
}

func (f *mariadbFill) runScripts(ctx context.Context, s Server, admin *sql.Conn, scripts scripts) error {
	for _, script := range scripts {
		if err := f.script(ctx, s, admin, script); err != nil {
			return script.failed(err)
		}
	}
	return nil
}

// fill puts the dataset in, and leaves statistics for it.
func (f *mariadbFill) fill(ctx context.Context, s Server, admin *sql.Conn) error {
	if err := f.runScripts(ctx, s, admin, f.dataset.before); err != nil {
		return err
	}
	engine := "mariadb"
	if f.programs.mysql {
		engine = "mysql"
	}
	if err := f.dataset.generate(ctx, Filling{
		Engine: engine, User: "root", Password: f.account.root, Database: f.account.database,
		Dial: func(ctx context.Context) (net.Conn, error) { return s.Dial(ctx, f.port) },
	}); err != nil {
		return err
	}
	if err := f.runScripts(ctx, s, admin, f.dataset.after); err != nil {
		return err
	}
	tables, err := column(ctx, admin, "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = "+quoteSQL(f.account.database))
	if err != nil {
		return fmt.Errorf("list the dataset's tables: %w", err)
	}
	for _, table := range tables {
		if _, err := admin.ExecContext(ctx, "ANALYZE TABLE "+nameSQL(f.account.database)+"."+nameSQL(table)); err != nil {
			return fmt.Errorf("analyse table %s: %w", table, err)
		}
	}
	return nil
}

// column reads the only column of a query.
func column(ctx context.Context, c *sql.Conn, query string) ([]string, error) {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// onlyLocalRoot removes the roots without password that an installation makes
// for the names and addresses of its host.
func onlyLocalRoot(ctx context.Context, admin *sql.Conn) error {
	hosts, err := column(ctx, admin, "SELECT host FROM mysql.user WHERE user = 'root' AND host <> 'localhost'")
	if err != nil {
		return err
	}
	for _, host := range hosts {
		if _, err := admin.ExecContext(ctx, "DROP USER 'root'@"+quoteSQL(host)); err != nil {
			return err
		}
	}
	return nil
}

// quoteSQL is a string literal.
func quoteSQL(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

// nameSQL is a quoted identifier.
func nameSQL(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// statements make the accounts that the variables ask for.
func (a mariadbAccount) statements() []string {
	var out []string
	if a.rootHost != "" && a.rootHost != "localhost" {
		root := "'root'@" + quoteSQL(a.rootHost)
		out = append(out, "CREATE USER "+root+" IDENTIFIED BY "+quoteSQL(a.root), "GRANT ALL ON *.* TO "+root+" WITH GRANT OPTION")
	}
	if a.database != "" {
		out = append(out, "CREATE DATABASE IF NOT EXISTS "+nameSQL(a.database))
	}
	if a.user != "" && a.password != "" {
		user := quoteSQL(a.user) + "@'%'"
		out = append(out, "CREATE USER "+user+" IDENTIFIED BY "+quoteSQL(a.password))
		if a.database != "" {
			// In the name of a grant _ and % would be patterns.
			out = append(out, "GRANT ALL ON "+nameSQL(strings.NewReplacer("_", `\_`, "%", `\%`).Replace(a.database))+".* TO "+user)
		}
	}
	return append(out, "ALTER USER 'root'@'localhost' IDENTIFIED BY "+quoteSQL(a.root))
}

// untilMariaDBAnswers asks until the server, which is starting, answers. The
// connection is kept: the accounts change under it.
func untilMariaDBAnswers(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := db.Conn(ctx)
		if err == nil {
			return conn, nil
		}
		var refused *mysql.MySQLError
		if errors.As(err, &refused) {
			return nil, err // it answers, and will not think better of it
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the database server: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (f *mariadbFill) script(ctx context.Context, s Server, admin *sql.Conn, script script) error {
	if strings.HasSuffix(script.path, ".sh") {
		return s.Run(ctx, scriptCommand(script.path), f.env)
	}
	if f.programs.client != "" {
		feed := `exec "$1" --no-defaults --protocol=socket --socket="$2" -uroot --database="$3" --comments <"$4"`
		if strings.HasSuffix(script.path, ".gz") {
			feed = `gzip -dc "$4" | "$1" --no-defaults --protocol=socket --socket="$2" -uroot --database="$3" --comments`
		}
		env := maps.Clone(f.env)
		env["MYSQL_PWD"] = f.account.root
		return s.Run(ctx, []string{"/bin/sh", "-c", feed, "sh", f.programs.client, f.socket, f.account.database, script.path}, env)
	}
	text, err := script.text()
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.EqualFold(word, "DELIMITER") {
			return &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: "DELIMITER is a command of the client, which is not on this host",
				Hint: "Install it: apt-get install mariadb-client.",
			}
		}
	}
	if f.account.database != "" {
		text = "USE " + nameSQL(f.account.database) + ";\n" + text
	}
	_, err = admin.ExecContext(ctx, text)
	return err
}
