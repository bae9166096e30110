package process_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/drivertest"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// A recipe's service that runs, for a test to ask.
type running struct {
	driver.Environment
	service rehearse.Service
	said    *drivertest.Log // by builds and data preparation
	out     *drivertest.Log // by the service
}

func (r running) dial(ctx context.Context, port int) (net.Conn, error) {
	return r.Dial(ctx, r.service.Name, port)
}

type unwritten struct{}

func (unwritten) Intend(driver.Remnant) error        { return nil }
func (unwritten) Confirm(driver.Remnant, bool) error { return nil }

// needs skips a test on a host without any of the programs.
func needs(t *testing.T, pkg string, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			return
		}
		for _, pattern := range []string{"/usr/sbin/", "/usr/lib/postgresql/*/bin/", "/usr/lib/rabbitmq/bin/"} {
			if found, _ := filepath.Glob(pattern + p); len(found) > 0 {
				return
			}
		}
	}
	t.Skipf("%s is not on this host: apt-get install %s", strings.Join(programs, " or "), pkg)
}

// startRecipe runs one service by its image's recipe until its query holds.
func startRecipe(t *testing.T, o process.Options, s rehearse.Service) running {
	t.Helper()
	r, ok := recipe.For(s.Image)
	if !ok {
		t.Fatalf("there is no recipe for %s", s.Image)
	}
	s.Recipe = r.Name
	for _, port := range r.Ports {
		s.Ports = append(s.Ports, rehearse.Port{Number: port, Known: "recipe"})
	}
	run := running{service: s, said: &drivertest.Log{}, out: &drivertest.Log{}}
	plan := &rehearse.Plan{Project: "recipes", Dir: openDir(t), Services: []rehearse.Service{s}}
	e, err := process.New(o).Open(t.Context(), driver.Spec{
		ID: rehearse.EnvironmentID(filepath.Base(openDir(t))), Plan: plan, Dir: openDir(t), Journal: unwritten{}, Log: run.said,
	})
	if err != nil {
		t.Fatal(err)
	}
	run.Environment = e
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the service said:\n%s", run.out)
		}
	})
	if err := e.Prepare(t.Context(), s.Name); err != nil {
		var hint *rehearse.Error
		if errors.As(err, &hint) {
			t.Logf("hint: %s", hint.Hint)
		}
		t.Fatal(err)
	}
	p, err := e.Start(t.Context(), s.Name, driver.Output{Stdout: run.out, Stderr: run.out})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		asked, done := context.WithTimeout(ctx, 5*time.Second)
		err := r.Query(asked, s, run.dial)
		done()
		if err == nil {
			return run
		}
		select {
		case <-p.Done():
			t.Fatalf("%s ended: %s", s.Name, p.Exit().Reason)
		case <-ctx.Done():
			t.Fatalf("%s never answered: %v", s.Name, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// fact finds what the environment says of itself.
func (r running) fact(name string) (rehearse.Fact, bool) {
	for _, f := range r.Facts() {
		if f.Name == name {
			return f, true
		}
	}
	return rehearse.Fact{}, false
}

// talkTo writes lines and reads as many answers.
func talkTo(t *testing.T, r running, port int, lines ...string) []string {
	t.Helper()
	c, err := r.dial(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	var answers []string
	for _, line := range lines {
		if _, err := io.WriteString(c, line+"\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", line, err)
		}
		answers = append(answers, strings.TrimSpace(answer))
	}
	return answers
}

func sameAnswers(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("answers: got %q, want %q", got, want)
	}
}

// writeFile puts a file where the services' unprivileged user can read it.
func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func (r running) get(t *testing.T, port int, path string, header ...string) (status int, body string) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return r.dial(ctx, port) },
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://service"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.SetBasicAuth(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// TestRecipesWithoutNamespaces starts each service where it has no ports and no
// file system of its own.
func TestRecipesWithoutNamespaces(t *testing.T) {
	for _, x := range []struct {
		pkg, program string
		service      rehearse.Service
	}{
		{"redis-server", "redis-server", rehearse.Service{Name: "s", Image: "redis", Command: []string{"--requirepass", "secret"}}},
		{"memcached", "memcached", rehearse.Service{Name: "s", Image: "memcached"}},
		{"nats-server", "nats-server", rehearse.Service{Name: "s", Image: "nats", Command: []string{"-js"}}},
		{"nginx-light", "nginx", rehearse.Service{Name: "s", Image: "nginx"}},
		{"mariadb-server", "mariadbd", rehearse.Service{Name: "s", Image: "mariadb", Env: map[string]string{"MARIADB_ROOT_PASSWORD": "secret"}}},
		{"postgresql", "initdb", rehearse.Service{Name: "s", Image: "postgres", Env: map[string]string{"POSTGRES_PASSWORD": "secret"}}},
	} {
		t.Run(x.service.Image, func(t *testing.T) {
			needs(t, x.pkg, x.program)
			o := options(t)
			o.Tier = process.TierPorts
			startRecipe(t, o, x.service)
		})
	}
}

func TestRecipeRedis(t *testing.T) {
	needs(t, "redis-server", "redis-server", "valkey-server")
	t.Run("password", func(t *testing.T) {
		r := startRecipe(t, options(t), rehearse.Service{
			Name: "cache", Image: "redis:7-alpine", Env: map[string]string{"REDIS_PASSWORD": "p w"},
			Command: []string{"sh", "-c", `exec redis-server --appendonly yes --requirepass "$REDIS_PASSWORD" --save 60 1`},
			Mounts:  []rehearse.Mount{{Type: "volume", Source: "cache", Target: "/data"}},
		})
		sameAnswers(t, talkTo(t, r, 6379, "GET a", `AUTH "p w"`, "SET a 1", "INCR a"), "-NOAUTH Authentication required.", "+OK", "+OK", ":2")
	})
	t.Run("config", func(t *testing.T) {
		dir := openDir(t)
		conf := writeFile(t, dir, "redis.conf", "requirepass secret\nmaxmemory 32mb\nbind 127.0.0.1\ndir /data\nlogfile /var/log/redis.log\ndaemonize yes\n")
		r := startRecipe(t, options(t), rehearse.Service{
			Name: "cache", Image: "redis", Command: []string{"redis-server", "/usr/local/etc/redis/redis.conf"},
			Mounts: []rehearse.Mount{{Type: "bind", Source: conf, Target: "/usr/local/etc/redis/redis.conf", ReadOnly: true}},
		})
		sameAnswers(t, talkTo(t, r, 6379, "AUTH secret", "SET a 1"), "+OK", "+OK")
	})
	t.Run("valkey", func(t *testing.T) {
		if _, err := exec.LookPath("valkey-server"); err == nil {
			t.Skip("this host has valkey-server, so nothing stands in for it")
		}
		r := startRecipe(t, options(t), rehearse.Service{Name: "cache", Image: "valkey/valkey:8"})
		if f, ok := r.fact("redis.product"); !ok || f.Value != "redis" {
			t.Errorf("fact redis.product: got %+v, want redis", f)
		}
		sameAnswers(t, talkTo(t, r, 6379, "PING"), "+PONG")
	})
}

func TestRecipeMemcached(t *testing.T) {
	needs(t, "memcached", "memcached")
	r := startRecipe(t, options(t), rehearse.Service{Name: "cache", Image: "memcached:1.6", Command: []string{"-m", "32", "--conn-limit=256"}})
	sameAnswers(t, talkTo(t, r, 11211, "set a 0 0 1\r\nx", "get a"), "STORED", "VALUE a 0 1")
	c, err := r.dial(t.Context(), 11211)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "stats settings\r\nquit\r\n"); err != nil {
		t.Fatal(err)
	}
	settings, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"STAT maxbytes 33554432\r\n", "STAT maxconns 256\r\n"} {
		if !strings.Contains(string(settings), want) {
			t.Errorf("settings lack %q", want)
		}
	}
}

func TestRecipeNATS(t *testing.T) {
	needs(t, "nats-server", "nats-server")
	t.Run("bare", func(t *testing.T) {
		r := startRecipe(t, options(t), rehearse.Service{Name: "bus", Image: "nats:2.9"})
		if status, body := r.get(t, 8222, "/varz"); status != 200 || !strings.Contains(body, `"server_id"`) {
			t.Errorf("GET /varz: %d %s", status, body)
		}
	})
	t.Run("jetstream", func(t *testing.T) {
		r := startRecipe(t, options(t), rehearse.Service{
			Name: "bus", Image: "nats", Command: []string{"--jetstream", "--store_dir=/data", "--user", "app", "--pass", "secret", "-m", "8222"},
			Mounts: []rehearse.Mount{{Type: "volume", Source: "bus", Target: "/data"}},
		})
		if status, body := r.get(t, 8222, "/jsz"); status != 200 || !strings.Contains(body, "/rehearse/data") {
			t.Errorf("GET /jsz: %d %s", status, body)
		}
		wrong := r.service
		wrong.Command = []string{"--user", "app", "--pass", "wrong"}
		known, _ := recipe.ByName("nats")
		if err := known.Query(t.Context(), wrong, r.dial); err == nil {
			t.Error("the query holds with the wrong password")
		}
	})
	t.Run("config", func(t *testing.T) {
		conf := writeFile(t, openDir(t), "nats.conf", "http_port: 8222\nport: 4222\nauthorization { token: \"t\" }\njetstream { store_dir: /data }\n")
		r := startRecipe(t, options(t), rehearse.Service{
			Name: "bus", Image: "nats", Command: []string{"-c", "/etc/nats/nats.conf"},
			Mounts: []rehearse.Mount{{Type: "bind", Source: conf, Target: "/etc/nats/nats.conf"}, {Type: "volume", Source: "bus", Target: "/data"}},
		})
		if status, body := r.get(t, 8222, "/jsz"); status != 200 || !strings.Contains(body, "/data/jetstream") {
			t.Errorf("GET /jsz: %d %s", status, body)
		}
	})
}

func TestRecipeNginx(t *testing.T) {
	needs(t, "nginx-light", "nginx")
	t.Run("bare", func(t *testing.T) {
		r := startRecipe(t, options(t), rehearse.Service{Name: "web", Image: "nginx:alpine"})
		if status, body := r.get(t, 80, "/"); status != 200 || !strings.Contains(body, "nginx") {
			t.Errorf("GET /: %d %s", status, body)
		}
	})
	t.Run("templates", func(t *testing.T) {
		dir := openDir(t)
		writeFile(t, dir, "html/index.html", "mounted\n")
		writeFile(t, dir, "templates/app.conf.template", `
server {
    listen ${PORT};
    listen [::]:${PORT};
    access_log /var/log/nginx/access.log;
    include fastcgi_params;
    location / { root /usr/share/nginx/html; }
    location = /word { default_type text/plain; return 200 "${WORD} $uri\n"; }
}
`)
		r := startRecipe(t, options(t), rehearse.Service{
			Name: "web", Image: "nginx:1.27", Env: map[string]string{"WORD": "hello", "PORT": "8081"},
			Command: []string{"nginx", "-g", "daemon off;"}, Ports: []rehearse.Port{{Number: 8081, Known: "ports"}},
			Mounts: []rehearse.Mount{
				{Type: "bind", Source: filepath.Join(dir, "html"), Target: "/usr/share/nginx/html", ReadOnly: true},
				{Type: "bind", Source: filepath.Join(dir, "templates"), Target: "/etc/nginx/templates", ReadOnly: true},
			},
		})
		if status, body := r.get(t, 8081, "/"); status != 200 || body != "mounted\n" {
			t.Errorf("GET /: %d %q", status, body)
		}
		if status, body := r.get(t, 8081, "/word"); status != 200 || body != "hello /word\n" {
			t.Errorf("GET /word: %d %q", status, body)
		}
		if status, _ := r.get(t, 80, "/"); status != 200 { // the image's default.conf is still there
			t.Errorf("GET / on port 80: %d", status)
		}
	})
	t.Run("whole configuration", func(t *testing.T) {
		conf := writeFile(t, openDir(t), "nginx.conf", `
user nginx;
worker_processes 1;
error_log /var/log/nginx/error.log warn;
pid /var/run/nginx.pid;
events { worker_connections 64; }
http {
    include /etc/nginx/mime.types;
    proxy_cache_path /var/cache/nginx/pages keys_zone=pages:1m;
    server {
        listen 80;
        access_log /var/log/nginx/web.log;
        location / { return 200 "mine"; }
    }
}
`)
		r := startRecipe(t, options(t), rehearse.Service{
			Name: "web", Image: "nginx", Mounts: []rehearse.Mount{{Type: "bind", Source: conf, Target: "/etc/nginx/nginx.conf", ReadOnly: true}},
		})
		if status, body := r.get(t, 80, "/"); status != 200 || body != "mine" {
			t.Errorf("GET /: %d %q", status, body)
		}
	})
}

func TestRecipeRabbitMQ(t *testing.T) {
	needs(t, "rabbitmq-server", "rabbitmq-server")
	s := rehearse.Service{
		Name: "queue", Image: "rabbitmq:3-management-alpine",
		Env: map[string]string{"RABBITMQ_DEFAULT_USER": "app", "RABBITMQ_DEFAULT_PASS": "secret", "RABBITMQ_DEFAULT_VHOST": "work"},
	}
	r := startRecipe(t, options(t), s)
	known, _ := recipe.ByName("rabbitmq")
	for name, change := range map[string]string{"RABBITMQ_DEFAULT_PASS": "wrong", "RABBITMQ_DEFAULT_VHOST": "none", "RABBITMQ_DEFAULT_USER": "guest"} {
		wrong := s
		wrong.Env = map[string]string{"RABBITMQ_DEFAULT_USER": "app", "RABBITMQ_DEFAULT_PASS": "secret", "RABBITMQ_DEFAULT_VHOST": "work", name: change}
		if err := known.Query(t.Context(), wrong, r.dial); err == nil {
			t.Errorf("the query holds with %s=%s", name, change)
		}
	}
	if status, body := r.get(t, 15672, "/api/vhosts", "app", "secret"); status != 200 || !strings.Contains(body, `"work"`) {
		t.Errorf("GET /api/vhosts: %d %s", status, body)
	}
}

func TestRecipeMariaDB(t *testing.T) {
	needs(t, "mariadb-server", "mariadbd", "mysqld")
	dir := openDir(t)
	writeFile(t, dir, "init/1.sql", "CREATE TABLE t (a INT, b TEXT);\nDELIMITER //\nCREATE PROCEDURE p() BEGIN INSERT INTO t VALUES (1, 'sql ü'); END//\nDELIMITER ;\nCALL p();\n")
	writeFile(t, dir, "init/2.sh", "#!/bin/bash\n[[ -n $WORD ]] && mysql -uroot -p\"$MYSQL_ROOT_PASSWORD\" \"$MYSQL_DATABASE\" <<<\"INSERT INTO t VALUES (2, '$WORD')\"\n")
	writeFile(t, dir, "my.cnf", "[mysqld]\nmax_connections=33\n")
	writeFile(t, dir, "root", "it's\n")
	s := rehearse.Service{
		Name: "db", Image: "mysql:8", Command: []string{"--default-authentication-plugin=mysql_native_password", "--character-set-server=latin1"},
		Env: map[string]string{
			"MYSQL_ROOT_PASSWORD_FILE": "/run/secrets/root", "MYSQL_ROOT_PASSWORD": "it's", "MYSQL_DATABASE": "my_app", "MYSQL_USER": "app", "MYSQL_PASSWORD": "secret", "WORD": "shell",
		},
		Mounts: []rehearse.Mount{
			{Type: "bind", Source: filepath.Join(dir, "init"), Target: "/docker-entrypoint-initdb.d"},
			{Type: "bind", Source: filepath.Join(dir, "my.cnf"), Target: "/etc/mysql/conf.d/my.cnf"},
			{Type: "secret", Source: filepath.Join(dir, "root"), Target: "/run/secrets/root"},
			{Type: "volume", Source: "db", Target: "/var/lib/mysql"},
		},
		SQL: []string{writeFile(t, dir, "seed.sql", "INSERT INTO t VALUES (3, 'seed');\n")},
	}
	o := options(t)
	r := startRecipe(t, o, s)
	db := openMySQL(t, r, "app", "secret", "my_app")
	var words string
	var connections int
	var charset string
	if err := db.QueryRow("SELECT GROUP_CONCAT(b ORDER BY a), @@max_connections, @@character_set_server FROM t").Scan(&words, &connections, &charset); err != nil {
		t.Fatal(err)
	}
	if words != "sql ü,shell,seed" || connections != 33 || charset != "latin1" {
		t.Errorf("got %q, %d connections, %s; want the scripts' rows, 33, latin1", words, connections, charset)
	}
	var there sql.NullString
	if err := openMySQL(t, r, "root", "it's", "mysql").QueryRow("SELECT CONVERT_TZ('2026-07-01 12:00:00', 'UTC', 'Europe/Berlin')").Scan(&there); err != nil || there.String != "2026-07-01 14:00:00" {
		t.Errorf("time zones: got %v, %v", there, err)
	}
	for _, wrong := range [][3]string{{"app", "wrong", "my_app"}, {"root", "", ""}, {"app", "secret", "mysql"}} {
		if err := openMySQL(t, r, wrong[0], wrong[1], wrong[2]).Ping(); err == nil {
			t.Errorf("%q may log in", wrong)
		}
	}
	if _, stands := r.fact("mariadb.product"); !stands {
		if out, _ := exec.Command("mysqld", "--version").CombinedOutput(); strings.Contains(string(out), "MariaDB") {
			t.Error("nothing says that MariaDB stands in for MySQL")
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := startRecipe(t, o, s)
	if said := again.said.String(); said != "" {
		t.Errorf("the second start made its data again: %s", said)
	}
	if err := openMySQL(t, again, "app", "secret", "my_app").QueryRow("SELECT COUNT(*) FROM t").Scan(&connections); err != nil || connections != 3 {
		t.Errorf("the second start has %d rows, %v; want 3", connections, err)
	}
}

func openMySQL(t *testing.T, r running, user, password, database string) *sql.DB {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName, cfg.Net, cfg.Addr = user, password, database, "tcp", "db:3306"
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return r.dial(ctx, 3306) }
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestRecipePostgres(t *testing.T) {
	needs(t, "postgresql", "initdb")
	dir := openDir(t)
	writeFile(t, dir, "init/1.sql", "CREATE TABLE t (a int, b text);\nINSERT INTO t VALUES (1, 'sql ü');\n")
	writeFile(t, dir, "init/2.sh", "#!/bin/bash\nset -e\npsql -v ON_ERROR_STOP=1 --username \"$POSTGRES_USER\" --dbname \"$POSTGRES_DB\" <<-EOSQL\n\tINSERT INTO t VALUES (2, '$WORD');\nEOSQL\n")
	s := rehearse.Service{
		Name: "db", Image: fmt.Sprintf("postgres:%s-alpine", hostPostgres(t)), Command: []string{"postgres", "-c", "max_connections=33"},
		Env: map[string]string{"POSTGRES_PASSWORD": "secret", "POSTGRES_USER": "app", "POSTGRES_DB": "my-app", "WORD": "shell"},
		Mounts: []rehearse.Mount{
			{Type: "bind", Source: filepath.Join(dir, "init"), Target: "/docker-entrypoint-initdb.d"},
			{Type: "volume", Source: "db", Target: "/var/lib/postgresql/data"},
		},
		SQL: []string{writeFile(t, dir, "seed.sql", "INSERT INTO t VALUES (3, 'seed');\n")},
	}
	o := options(t)
	r := startRecipe(t, o, s)
	connect := func(r running, user, password, database string) (*pgx.Conn, error) {
		cfg, err := pgx.ParseConfig("host=127.0.0.1 sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		cfg.User, cfg.Password, cfg.Database = user, password, database
		cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return r.dial(ctx, 5432) }
		c, err := pgx.ConnectConfig(t.Context(), cfg)
		if err == nil {
			t.Cleanup(func() { c.Close(context.Background()) })
		}
		return c, err
	}
	c, err := connect(r, "app", "secret", "my-app")
	if err != nil {
		t.Fatal(err)
	}
	var words, database, connections, encrypted string
	if err := c.QueryRow(t.Context(), "SELECT string_agg(b, ',' ORDER BY a), current_database(), current_setting('max_connections') FROM t").Scan(&words, &database, &connections); err != nil {
		t.Fatal(err)
	}
	if words != "sql ü,shell,seed" || database != "my-app" || connections != "33" {
		t.Errorf("got %q in %s with %s connections; want the scripts' rows in my-app, 33", words, database, connections)
	}
	if err := c.QueryRow(t.Context(), "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'").Scan(&encrypted); err != nil || !strings.HasPrefix(encrypted, "SCRAM-SHA-256$") {
		t.Errorf("the password is kept as %.20s, %v; want SCRAM-SHA-256", encrypted, err)
	}
	_, err = connect(r, "app", "wrong", "my-app")
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "28P01" {
		t.Errorf("a wrong password: %v, want 28P01", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := startRecipe(t, o, s)
	if said := again.said.String(); said != "" {
		t.Errorf("the second start made its data again: %s", said)
	}
	c, err = connect(again, "app", "secret", "my-app")
	if err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&rows); err != nil || rows != 3 {
		t.Errorf("the second start has %d rows, %v; want 3", rows, err)
	}

	// Its disk is full, and then is not any more.
	undo, err := again.Environment.(driver.Disruptor).Disrupt(t.Context(), "db", rehearse.Disruption{Kind: rehearse.DisruptDisk, Path: "/var/lib/postgresql/data"})
	if rehearse.KindOf(err) == rehearse.Unavailable {
		t.Skipf("the rest needs file systems of its own: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	const insert = "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 10000) i"
	if _, err := c.Exec(t.Context(), insert); !errors.As(err, &refused) || refused.Code != "53100" {
		t.Errorf("writing to a full disk: %v, want 53100, disk_full", err)
	}
	if err := undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), insert); err != nil {
		t.Errorf("writing to a disk that has room again: %v", err)
	}
}

// hostPostgres is the major version that this host has, so that nothing is
// fetched.
func hostPostgres(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("PostgreSQL is not in Debian's place: apt-get install postgresql")
	}
	return filepath.Base(filepath.Dir(filepath.Dir(found[len(found)-1])))
}
