package recipe

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestFor(t *testing.T) {
	for image, want := range map[string]string{
		"postgres":                             "postgres",
		"postgres:15-alpine":                   "postgres",
		"docker.io/library/redis@sha256:0123":  "redis",
		"docker.io/library/redis:7@sha256:012": "redis",
		"localhost:5000/nats:2":                "nats",
		"registry.example:5000/library/nginx":  "nginx",
		"nginxinc/nginx-unprivileged:1.27":     "nginx-unprivileged",
		"valkey/valkey:8":                      "redis",
		"mysql:8.4":                            "mariadb",
		"bitnami/mariadb:11":                   "mariadb",
		"rabbitmq:3-management":                "rabbitmq",
		"memcached:1.6":                        "memcached",
		"someone/postgres":                     "",
		"postgres-exporter":                    "",
		"":                                     "",
	} {
		r, ok := For(image)
		got := ""
		if ok {
			got = r.Name
		}
		if got != want {
			t.Errorf("For(%q): got %q, want %q", image, got, want)
		}
	}
}

func TestTag(t *testing.T) {
	for image, want := range map[string]string{
		"redis": "latest", "redis:7-alpine": "7-alpine", "host:5000/redis": "latest", "host:5000/redis:7@sha256:0": "7", "redis@sha256:0": "latest",
	} {
		if got := Tag(image); got != want {
			t.Errorf("Tag(%q): got %q, want %q", image, got, want)
		}
	}
}

func TestRecipesAreWhole(t *testing.T) {
	seen := map[string]string{}
	for _, r := range recipes() {
		if r.Name == "" || len(r.Images) == 0 || len(r.Ports) == 0 || r.Query == nil || r.Launch == nil || r.Package["apt"] == "" || r.Package["brew"] == "" {
			t.Errorf("recipe %q lacks something", r.Name)
		}
		if found, ok := ByName(r.Name); !ok || found != r {
			t.Errorf("ByName(%q) finds another", r.Name)
		}
		for _, image := range r.Images {
			if other, ok := seen[image]; ok {
				t.Errorf("%s and %s both stand for %s", other, r.Name, image)
			}
			seen[image] = r.Name
		}
	}
}

func TestFlagsOf(t *testing.T) {
	env := map[string]string{"PASSWORD": "a b", "EMPTY": ""}
	for _, x := range []struct {
		entrypoint, command, want []string
		fails                     bool
	}{
		{},
		{command: []string{"redis-server", "--appendonly", "yes"}, want: []string{"--appendonly", "yes"}},
		{command: []string{"--appendonly", "yes"}, want: []string{"--appendonly", "yes"}},
		{entrypoint: []string{"docker-entrypoint.sh"}, command: []string{"/usr/bin/redis-server", "a.conf"}, want: []string{"a.conf"}},
		{entrypoint: []string{"redis-server"}, command: []string{"--port", "1"}, want: []string{"--port", "1"}},
		{command: []string{"sh", "-c", `exec redis-server --requirepass "$PASSWORD" --save '' ${EMPTY} --x \$y`}, want: []string{"--requirepass", "a b", "--save", "", "--x", "$y"}},
		{command: []string{"/bin/bash", "-ec", "redis-server --port 1 && true"}, fails: true},
		{command: []string{"sh", "-c", "redis-server --requirepass $(cat /run/secrets/p)"}, fails: true},
		{command: []string{"sh", "-c", `redis-server "`}, fails: true},
		{command: []string{"redis-cli", "ping"}, fails: true},
	} {
		got, err := flagsOf(rehearse.Service{Name: "s", Entrypoint: x.entrypoint, Command: x.command, Env: env}, "redis-server")
		if x.fails {
			if rehearse.KindOf(err) != rehearse.Unavailable {
				t.Errorf("%q: got %q, %v; want an error of kind Unavailable", x.command, got, err)
			}
			continue
		}
		if err != nil || strings.Join(got, "\n") != strings.Join(x.want, "\n") {
			t.Errorf("%q: got %q, %v; want %q", x.command, got, err, x.want)
		}
	}
}

func TestOtherVersion(t *testing.T) {
	for _, x := range []struct {
		image, have string
		numbers     int
		want        bool
	}{
		{"redis:7-alpine", "7.0.15", 1, false},
		{"redis:8", "7.0.15", 1, true},
		{"redis", "7.0.15", 1, false},
		{"redis:alpine", "7.0.15", 1, false},
		{"mariadb:10.11.6", "10.11.19", 2, false},
		{"mariadb:10", "10.11.19", 2, false},
		{"mariadb:11.4", "10.11.19", 2, true},
		{"nats:v2.10-scratch", "2.9.10", 2, true},
		{"redis:7", "", 1, false},
	} {
		got := otherVersion(rehearse.Service{Name: "s", Image: x.image}, "product", x.have, x.numbers)
		if (len(got) > 0) != x.want {
			t.Errorf("%s on a host with %q: got %v, want a finding: %v", x.image, x.have, got, x.want)
		}
	}
}

// launchOf launches with a host on which every program is in /bin.
func launchOf(t *testing.T, s rehearse.Service, change func(*Context)) *Launch {
	t.Helper()
	r, ok := For(s.Image)
	if !ok {
		t.Fatalf("no recipe for %s", s.Image)
	}
	c := &Context{
		Service: s, Data: "/d", Run: "/r", ListenHost: "0.0.0.0", ListenPort: r.Ports[0],
		Find: func(program string, _ ...string) (string, error) { return "/host/" + program, nil },
		In:   func(program string, _ ...string) (string, bool) { return "/host/" + program, true },
	}
	if change != nil {
		change(c)
	}
	l, err := r.Launch(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLaunchArgs(t *testing.T) {
	ports := func(c *Context) { c.ListenHost, c.ListenPort = "127.0.0.1", 40000 }
	for name, x := range map[string]struct {
		service rehearse.Service
		change  func(*Context)
		want    string
	}{
		"redis": {
			service: rehearse.Service{Image: "redis", Command: []string{"redis-server", "--appendonly", "yes", "--dir", "/data", "--save", "60", "1"}},
			want:    "/host/redis-server --protected-mode no --appendonly yes --save 60 1 --bind 0.0.0.0 --port 6379 --dir /d --daemonize no --logfile  --pidfile /r/redis.pid",
		},
		"redis on another port": {
			service: rehearse.Service{Image: "redis", Command: []string{"--port", "6380"}},
			want:    "/host/redis-server --protected-mode no --bind 0.0.0.0 --port 6380 --dir /d --daemonize no --logfile  --pidfile /r/redis.pid",
		},
		"redis on the driver's port": {
			service: rehearse.Service{Image: "redis", Command: []string{"--port", "6380"}}, change: ports,
			want: "/host/redis-server --protected-mode no --bind 127.0.0.1 --port 40000 --dir /d --daemonize no --logfile  --pidfile /r/redis.pid",
		},
		"bitnami": {
			service: rehearse.Service{Image: "bitnami/redis", Env: map[string]string{"REDIS_PASSWORD": "p"}},
			want:    "/host/redis-server --protected-mode no --requirepass p --bind 0.0.0.0 --port 6379 --dir /d --daemonize no --logfile  --pidfile /r/redis.pid",
		},
		"valkey": {
			service: rehearse.Service{Image: "valkey/valkey:8", Env: map[string]string{"VALKEY_EXTRA_FLAGS": "--maxmemory 1mb"}},
			want:    "/host/valkey-server --protected-mode no --maxmemory 1mb --bind 0.0.0.0 --port 6379 --dir /d --daemonize no --logfile  --pidfile /r/redis.pid",
		},
		"nats": {service: rehearse.Service{Image: "nats"}, want: "/host/nats-server -a 0.0.0.0 -p 4222 -m 8222 -sd /d"},
		"nats with a command": {
			service: rehearse.Service{Image: "nats", Command: []string{"-js", "-sd", "/data", "-m", "8223"}},
			want:    "/host/nats-server -a 0.0.0.0 -p 4222 -sd /d -js -m 8223",
		},
		"nats with one port": {
			service: rehearse.Service{Image: "nats", Command: []string{"-js", "-m", "8222"}}, change: ports,
			want: "/host/nats-server -a 127.0.0.1 -p 40000 -sd /d -js",
		},
		"memcached": {
			service: rehearse.Service{Image: "memcached", Command: []string{"memcached", "-m", "64", "-l", "0.0.0.0", "-vv"}},
			want:    "/host/memcached -l 0.0.0.0 -p 11211 -m 64 -vv",
		},
		"nginx": {
			service: rehearse.Service{Image: "nginx", Command: []string{"nginx", "-g", "daemon off; worker_rlimit_nofile 99;"}},
			want:    "/host/nginx -p /r/nginx/ -e stderr -c /r/nginx/nginx.conf -g daemon off; pid /r/nginx.pid;  worker_rlimit_nofile 99;",
		},
		"rabbitmq": {service: rehearse.Service{Image: "rabbitmq"}, want: "/host/rabbitmq-server"},
	} {
		t.Run(name, func(t *testing.T) {
			x.service.Name = "s"
			got := strings.Join(launchOf(t, x.service, x.change).Args, " ")
			if diff := cmp.Diff(x.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRedisSettings(t *testing.T) {
	s := rehearse.Service{
		Name: "s", Image: "redis", Command: []string{"/etc/redis.conf"},
		Mounts: []rehearse.Mount{{Type: "config", Target: "/etc/redis.conf", Content: "port 7000\nrequirepass \"file\"\ndir /data\n# dir\n"}},
	}
	r, err := redisSettingsOf(s)
	if err != nil || r.password != "file" || r.port != 7000 || r.config != "/etc/redis.conf" {
		t.Errorf("settings: got %+v, %v", r, err)
	}
	l := launchOf(t, s, nil)
	if want := "requirepass \"file\"\n# dir\n"; l.Files["/r/redis.conf"] != want {
		t.Errorf("redis.conf: got %q, want %q", l.Files["/r/redis.conf"], want)
	}
	s.Command = append(s.Command, "--requirepass", "flag")
	if r, err = redisSettingsOf(s); err != nil || r.password != "flag" {
		t.Errorf("a flag counts more than the file: got %+v, %v", r, err)
	}
}

func TestMariaDBAccount(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("filed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		image string
		env   map[string]string
		want  mariadbAccount
		fails bool
	}{
		"nothing":  {image: "mysql", fails: true},
		"both":     {env: map[string]string{"MARIADB_ROOT_PASSWORD": "a", "MYSQL_ROOT_PASSWORD": "b"}, want: mariadbAccount{root: "a", rootHost: "%"}},
		"old name": {env: map[string]string{"MYSQL_ROOT_PASSWORD": "b", "MYSQL_ROOT_HOST": "localhost"}, want: mariadbAccount{root: "b", rootHost: "localhost"}},
		"empty":    {env: map[string]string{"MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": "1"}, want: mariadbAccount{rootHost: "%"}},
		"mysql":    {image: "mysql", env: map[string]string{"MYSQL_ALLOW_EMPTY_PASSWORD": "yes"}, want: mariadbAccount{rootHost: "%"}},
		"random": {
			env:  map[string]string{"MARIADB_RANDOM_ROOT_PASSWORD": "1", "MARIADB_USER": "u", "MARIADB_PASSWORD": "p", "MARIADB_DATABASE": "d"},
			want: mariadbAccount{rootHost: "%", rootUnknown: true, user: "u", password: "p", database: "d"},
		},
		"file":    {env: map[string]string{"MARIADB_ROOT_PASSWORD_FILE": "/run/secrets/root"}, want: mariadbAccount{root: "filed", rootHost: "%"}},
		"no file": {env: map[string]string{"MARIADB_ROOT_PASSWORD_FILE": "/run/secrets/none"}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			image := x.image
			if image == "" {
				image = "mariadb"
			}
			got, err := mariadbAccountOf(rehearse.Service{
				Name: "db", Image: image, Env: x.env, Mounts: []rehearse.Mount{{Type: "secret", Source: secret, Target: "/run/secrets/root"}},
			})
			if x.fails {
				if rehearse.KindOf(err) != rehearse.Invalid {
					t.Errorf("got %+v, %v; want an error of kind Invalid", got, err)
				}
				return
			}
			if err != nil || got != x.want {
				t.Errorf("got %+v, %v; want %+v", got, err, x.want)
			}
		})
	}
}

func TestMariaDBStatements(t *testing.T) {
	got := mariadbAccount{root: `it's \`, rootHost: "%", user: "app", password: "p", database: "my_app"}.statements()
	want := []string{
		`CREATE USER 'root'@'%' IDENTIFIED BY 'it''s \\'`,
		`GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION`,
		"CREATE DATABASE IF NOT EXISTS `my_app`",
		`CREATE USER 'app'@'%' IDENTIFIED BY 'p'`,
		"GRANT ALL ON `my\\_app`.* TO 'app'@'%'",
		`ALTER USER 'root'@'localhost' IDENTIFIED BY 'it''s \\'`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPostgresAccount(t *testing.T) {
	for name, x := range map[string]struct {
		env  map[string]string
		want account
	}{
		"password": {map[string]string{"POSTGRES_PASSWORD": "p"}, account{"postgres", "p", "postgres", "scram-sha-256"}},
		"user":     {map[string]string{"POSTGRES_PASSWORD": "p", "POSTGRES_USER": "u"}, account{"u", "p", "u", "scram-sha-256"}},
		"trust":    {map[string]string{"POSTGRES_HOST_AUTH_METHOD": "trust", "POSTGRES_DB": "d"}, account{"postgres", "", "d", "trust"}},
	} {
		if got, err := postgresAccount(rehearse.Service{Env: x.env}); err != nil || got != x.want {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, x.want)
		}
	}
	if _, err := postgresAccount(rehearse.Service{Name: "db"}); rehearse.KindOf(err) != rehearse.Invalid {
		t.Errorf("no password: %v, want an error of kind Invalid", err)
	}
}

func TestRabbitMQFiles(t *testing.T) {
	s := rehearse.Service{
		Name: "q", Image: "rabbitmq:4-management", Env: map[string]string{"RABBITMQ_DEFAULT_USER": "app", "RABBITMQ_DEFAULT_PASS": "p", "RABBITMQ_LOGS": "x"},
		Mounts: []rehearse.Mount{{Type: "config", Target: "/etc/rabbitmq/conf.d/10-own.conf", Content: "default_vhost = work\nlisteners.tcp.default = 5672\n"}},
	}
	l := launchOf(t, s, nil)
	want := map[string]string{
		"/r/etc/rabbitmq.conf": "default_user = app\ndefault_pass = p\ndefault_vhost = work\nloopback_users = none\n" +
			"default_vhost = work\nlisteners.tcp.1 = 0.0.0.0:5672\n",
		"/r/etc/enabled_plugins": "[rabbitmq_management,rabbitmq_prometheus].\n",
	}
	if diff := cmp.Diff(want, l.Files); diff != "" {
		t.Error(diff)
	}
	if _, ok := l.Env["RABBITMQ_DEFAULT_USER"]; ok || l.Env["RABBITMQ_LOGS"] != "-" {
		t.Errorf("the environment is %v", l.Env)
	}
}

func TestEnvsubst(t *testing.T) {
	env := map[string]string{"HOST": "api", "host": "no"}
	got := envsubst(`proxy_pass http://${HOST}:$PORT; set $uri $HOST_NAME; x $HOST;`, func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	})
	if want := `proxy_pass http://api:$PORT; set $uri $HOST_NAME; x api;`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNginxFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.conf"), []byte("server { listen 80; listen [::]:80; listen 443 ssl; include /etc/nginx/snippets/x.conf; root /srv/www; access_log /var/log/nginx/app.log; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := rehearse.Service{Name: "web", Image: "nginx", Mounts: []rehearse.Mount{
		{Type: "bind", Source: dir, Target: "/etc/nginx/conf.d"},
		{Type: "config", Content: "# x\n", Target: "/etc/nginx/snippets/x.conf"},
		{Type: "bind", Source: "/home/u/www", Target: "/srv/www"},
	}}
	for name, x := range map[string]struct {
		change func(*Context)
		want   string
	}{
		"own file system": {nil, "server { listen 80; listen [::]:80; listen 443 ssl; include /r/nginx/snippets/x.conf; root /srv/www; access_log /r/log-app.log; }\n"},
		"shared": {
			func(c *Context) { c.ListenHost, c.ListenPort = "127.0.0.1", 40000 },
			"server { listen 127.0.0.1:40000;  listen 127.0.0.1:443 ssl; include /r/nginx/snippets/x.conf; root /home/u/www; access_log /r/log-app.log; }\n",
		},
	} {
		l := launchOf(t, s, x.change)
		if diff := cmp.Diff(x.want, l.Files["/r/nginx/conf.d/app.conf"]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if _, ok := l.Files["/r/nginx/conf.d/default.conf"]; ok {
			t.Errorf("%s: the image's default.conf is there, which the mount covers", name)
		}
	}
}

func TestNginxMain(t *testing.T) {
	got := nginxMain(&Context{Run: "/r"}, "user nginx;\npid /run/x.pid;\nevents {}\nhttp {\n  proxy_temp_path /x;\n  server { access_log off; }\n}\n")
	want := "\n\nevents {}\nhttp { client_body_temp_path /r/client_body; fastcgi_temp_path /r/fastcgi; uwsgi_temp_path /r/uwsgi; scgi_temp_path /r/scgi;" +
		" access_log /var/log/nginx/access.log;\n  proxy_temp_path /x;\n  server { access_log off; }\n}\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestQueries asks servers that answer with what is given, whatever they hear.
func TestQueries(t *testing.T) {
	password := rehearse.Service{Name: "s", Image: "redis", Command: []string{"--requirepass", "p"}}
	for name, x := range map[string]struct {
		recipe *Recipe
		s      rehearse.Service
		says   []string // one answer to each thing heard
		first  string   // said before anything is heard
		holds  bool
	}{
		"redis":               {recipe: redis, says: []string{"+PONG\r\n"}, holds: true},
		"redis loads":         {recipe: redis, says: []string{"-LOADING Redis is loading the dataset in memory\r\n"}},
		"redis with password": {recipe: redis, s: password, says: []string{"+OK\r\n", "+PONG\r\n"}, holds: true},
		"redis refuses":       {recipe: redis, s: password, says: []string{"-WRONGPASS invalid\r\n", "-NOAUTH Authentication required.\r\n"}},
		"redis with a list":   {recipe: redis, says: []string{"-NOAUTH Authentication required.\r\n"}, holds: true},
		"nats":                {recipe: nats, first: "INFO {}\r\n", says: []string{"PONG\r\n"}, holds: true},
		"nats refuses":        {recipe: nats, first: "INFO {}\r\n", says: []string{"-ERR 'Authorization Violation'\r\n"}},
		"nats with a list":    {recipe: nats, first: "INFO {\"auth_required\":true}\r\n", holds: true},
		"not nats":            {recipe: nats, first: "220 mail\r\n"},
		"memcached":           {recipe: memcached, says: []string{"VERSION 1.6.18\r\n"}, holds: true},
		"not memcached":       {recipe: memcached, says: []string{"ERROR\r\n"}},
		"nginx":               {recipe: nginx, says: []string{"HTTP/1.1 502 Bad Gateway\r\n"}, holds: true},
		"not nginx":           {recipe: nginx, says: []string{"hello\r\n"}},
		"not rabbitmq":        {recipe: rabbitmq, says: []string{"AMQP\x00\x01\x00\x00\x00\x00"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := x.recipe.Query(t.Context(), x.s, func(context.Context, int) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					defer theirs.Close()
					if x.first != "" {
						if _, err := theirs.Write([]byte(x.first)); err != nil {
							return
						}
					}
					heard := make([]byte, 4096)
					for _, answer := range x.says {
						if _, err := theirs.Read(heard); err != nil {
							return
						}
						if _, err := theirs.Write([]byte(answer)); err != nil {
							return
						}
					}
				}()
				return ours, nil
			})
			if (err == nil) != x.holds {
				t.Errorf("the query says %v, want it to hold: %v", err, x.holds)
			}
		})
	}
}

func TestQueryEndsWithItsContext(t *testing.T) {
	for _, r := range []*Recipe{redis, nats, memcached, nginx, rabbitmq} {
		ctx, cancel := context.WithCancel(t.Context())
		err := r.Query(ctx, rehearse.Service{}, func(context.Context, int) (net.Conn, error) {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { theirs.Close() })
			cancel()
			return ours, nil
		})
		if err == nil {
			t.Errorf("%s: the query holds against a server that says nothing", r.Name)
		}
	}
}

func TestInitScripts(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.sql", "a.sh", "c.sql.gz", "README.md", "seed.sql"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := initScripts(rehearse.Service{
		Mounts: []rehearse.Mount{{Type: "bind", Source: dir, Target: postgresScripts}}, SQL: []string{filepath.Join(dir, "seed.sql")},
	}, postgresScripts)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range got {
		names = append(names, filepath.Base(s.path))
	}
	if diff := cmp.Diff([]string{"a.sh", "b.sql", "c.sql.gz", "seed.sql", "seed.sql"}, names); diff != "" {
		t.Error(diff)
	}
	_, err = initScripts(rehearse.Service{Name: "db", Mounts: []rehearse.Mount{{Type: "bind", Source: filepath.Join(dir, "none"), Target: postgresScripts}}}, postgresScripts)
	var e *rehearse.Error
	if !errors.As(err, &e) || e.Kind != rehearse.Invalid {
		t.Errorf("a directory that does not exist: %v, want an error of kind Invalid", err)
	}
}
