package testdocker

import (
	"embed"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// entrypoints are what the images of servers run first, each in the manner of the
// official image of the same name.
//
//go:embed files/*.sh
var entrypoints embed.FS

// ProgramPath is where the image of [Engine.Program] has its program.
const ProgramPath = "/usr/bin/program"

// Program is an image with the program of the drivers' conformance suite at
// [ProgramPath], and busybox. Its entrypoint is empty.
func (e *Engine) Program(t testing.TB) string {
	t.Helper()
	f := newFiles()
	f.users(nil)
	f.file(ProgramPath, 0o755, build(t, ".", "github.com/rehearse-dev/rehearse/internal/testdocker/program"))
	f.busybox(applets(t))
	return e.make(t, image{name: "program", files: f})
}

// Go is an image of a main package in a directory, beside busybox and a curl that
// can do what health checks ask of it. Its entrypoint is the program, which is given
// a name, which is the image's too. The rest of config is what a Dockerfile
// would say: its user, its ports.
func (e *Engine) Go(t testing.TB, dir, name string, config container.Config) string {
	t.Helper()
	f := newFiles()
	f.users(nil)
	f.file("/usr/bin/"+name, 0o755, build(t, dir, "."))
	f.file("/usr/bin/curl", 0o755, script(t, "curl"))
	f.busybox(applets(t))
	config.Entrypoint = []string{name}
	return e.make(t, image{name: name, config: config, files: f})
}

// Busybox is an image of the host's static busybox, as the official one of that name
// has it: it starts a shell.
func (e *Engine) Busybox(t testing.TB) string {
	t.Helper()
	f := newFiles()
	f.users(nil)
	f.busybox(applets(t))
	return e.make(t, image{name: "busybox", files: f, config: container.Config{Cmd: []string{"sh"}}})
}

// nginxConf is as the official image's, as far as tests see it.
const nginxConf = `error_log /dev/stderr notice;
pid /run/nginx.pid;
events {}
http {
    access_log /dev/stdout;
    types { text/html html; }
    default_type application/octet-stream;
    server {
        listen 80;
        location / {
            root /usr/share/nginx/html;
            index index.html;
        }
    }
}
`

// Nginx is an image of the host's nginx that serves what lies in
// /usr/share/nginx/html, beside busybox.
func (e *Engine) Nginx(t testing.TB) string {
	t.Helper()
	path, err := lookPath("nginx")
	if err != nil {
		t.Skip("nginx is not on this host: run scripts/ci-setup.sh")
	}
	f := newFiles()
	f.users(map[string]int{"nginx": 101})
	f.host(path)
	f.busybox(applets(t))
	f.file("/etc/nginx/nginx.conf", 0o644, []byte("user nginx;\n"+nginxConf))
	f.file("/usr/share/nginx/html/index.html", 0o644, []byte("<h1>Welcome to nginx!</h1>\n"))
	f.dir("/var/lib/nginx", 0o755, 101)
	f.dir("/var/log/nginx", 0o755, 101)
	return e.make(t, image{name: "nginx", files: f, config: container.Config{
		Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, Cmd: []string{"nginx", "-g", "daemon off;"}, ExposedPorts: port("80/tcp"), StopSignal: "SIGQUIT",
	}})
}

// Postgres is an image of the host's PostgreSQL that starts as the official one
// does, with psql and pg_isready. Locales are C, POSIX and C.UTF-8.
func (e *Engine) Postgres(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Skip("PostgreSQL is not on this host: run scripts/ci-setup.sh")
	}
	home := filepath.Dir(filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) })))
	version := filepath.Base(home)
	f := server(t, "postgres")
	// What compiles queries is larger than all the rest.
	f.without(home+"/lib/llvmjit.so", home+"/lib/bitcode", "/usr/share/zoneinfo/right", "/usr/share/zoneinfo/posix", "/usr/share/postgresql/"+version+"/man")
	f.host(home, "/usr/share/postgresql/"+version, "/usr/share/zoneinfo", "/usr/lib/locale/C.utf8", "/usr/bin/locale")
	// Elsewhere it would listen on loopback alone.
	sample := "/usr/share/postgresql/" + version + "/postgresql.conf.sample"
	settings, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	f.file(sample, 0o644, append(settings, "\nlisten_addresses = '*'\n"...))
	f.dir("/docker-entrypoint-initdb.d", 0o755, 0)
	f.dir("/run/postgresql", 0o3777, 999)
	f.dir("/var/lib/postgresql", 0o777, 999)
	f.dir("/var/lib/postgresql/data", 0o777, 999)
	return e.make(t, image{name: "postgres", version: version, files: f, config: container.Config{
		Env:        []string{"PATH=" + home + "/bin:/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "PG_MAJOR=" + version, "PGDATA=/var/lib/postgresql/data"},
		Volumes:    volume("/var/lib/postgresql/data"),
		Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"postgres"}, ExposedPorts: port("5432/tcp"), StopSignal: "SIGINT",
	}})
}

// Redis is an image of the host's Redis that starts as the official one does, with
// redis-cli.
func (e *Engine) Redis(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("Redis is not on this host: run scripts/ci-setup.sh")
	}
	f := server(t, "redis")
	f.host(path, filepath.Join(filepath.Dir(path), "redis-cli"))
	f.dir("/data", 0o755, 999)
	return e.make(t, image{name: "redis", version: "7", files: f, config: container.Config{
		Env:     []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		Volumes: volume("/data"), WorkingDir: "/data",
		Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"redis-server"}, ExposedPorts: port("6379/tcp"),
	}})
}

// MariaDB is an image of the host's MariaDB that starts as the official one does,
// with mariadb, mariadb-admin, mariadb-dump and healthcheck.sh.
func (e *Engine) MariaDB(t testing.TB) string {
	t.Helper()
	if _, err := lookPath("mariadbd"); err != nil {
		t.Skip("MariaDB is not on this host: run scripts/ci-setup.sh")
	}
	f := server(t, "mariadb")
	f.users(map[string]int{"mysql": 999})
	f.host("/usr/sbin/mariadbd", "/usr/bin/mariadb", "/usr/bin/mariadb-admin", "/usr/bin/mariadb-dump", "/usr/bin/mariadb-install-db", "/usr/bin/my_print_defaults", "/usr/bin/resolveip",
		"/usr/share/mysql", "/usr/lib/mysql/plugin")
	for _, old := range []string{"mysqld", "mysql", "mysqladmin", "mysqldump"} {
		f.symlink("/usr/bin/"+old, strings.Replace(old, "mysql", "mariadb", 1))
	}
	f.symlink("/usr/bin/mysqladmin", "mariadb-admin")
	f.symlink("/usr/bin/mysqldump", "mariadb-dump")
	f.file("/usr/bin/healthcheck.sh", 0o755, script(t, "mariadb-healthcheck"))
	f.dir("/docker-entrypoint-initdb.d", 0o755, 0)
	f.dir("/etc/mysql/conf.d", 0o755, 0)
	f.file("/etc/mysql/my.cnf", 0o644, []byte("[client-server]\nsocket = /run/mysqld/mysqld.sock\n!includedir /etc/mysql/conf.d/\n[mariadbd]\nskip-host-cache\nskip-name-resolve\n"))
	f.dir("/run/mysqld", 0o777, 999)
	f.dir("/var/lib/mysql", 0o777, 999)
	return e.make(t, image{name: "mariadb", version: mariadbVersion(t), files: f, config: container.Config{
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"},
		Volumes:    volume("/var/lib/mysql"),
		Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"mariadbd"}, ExposedPorts: port("3306/tcp"),
	}})
}

// server has what every image of a server has. Its user is called after it, and
// has the number that official images give theirs.
func server(t testing.TB, name string) *files {
	t.Helper()
	f := newFiles()
	f.users(map[string]int{name: 999})
	f.file("/usr/local/bin/docker-entrypoint.sh", 0o755, script(t, name))
	f.host("/usr/bin/setpriv")
	f.busybox(applets(t))
	return f
}

func volume(path string) map[string]struct{} { return map[string]struct{}{path: {}} }

func port(p string) network.PortSet { return network.PortSet{network.MustParsePort(p): {}} }

func script(t testing.TB, name string) []byte {
	t.Helper()
	content, err := entrypoints.ReadFile("files/" + name + ".sh")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// applets are the names of the programs that the host's busybox is.
func applets(t testing.TB) []string {
	t.Helper()
	if _, err := os.Stat("/usr/bin/busybox"); err != nil {
		t.Skip("busybox-static is not on this host: run scripts/ci-setup.sh")
	}
	out, err := exec.Command("/usr/bin/busybox", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// build builds a main package, statically, from a directory.
func build(t testing.TB, dir, pkg string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// mariadbVersion is as in "10.11".
func mariadbVersion(t testing.TB) string {
	t.Helper()
	path, err := lookPath("mariadbd")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "--no-defaults", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(out), "Ver ")
	number := strings.SplitN(after, ".", 3)
	if len(number) < 3 {
		t.Fatalf("mariadbd says that its version is %q", out)
	}
	return number[0] + "." + number[1]
}

// lookPath finds a program that may be in root's directories alone.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if err == nil {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, name))
	}
	return path, err
}
