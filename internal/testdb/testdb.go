// Package testdb gives tests real database servers, and schemas that nobody here
// wrote.
//
// A test package that uses it calls [Main] from its TestMain. [Postgres] and
// [MariaDB] then start one server each, on loopback, at the first call, and give
// every call a database of its own. Servers and files are gone when the package's
// tests are; after a kill -9 the servers are, and their files stay in the system's
// temporary directory.
package testdb

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Main runs the tests of a package and ends the servers that they started. Its
// result is for os.Exit.
func Main(m *testing.M) int {
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	return m.Run()
}

// server is one running server.
type server struct {
	once sync.Once
	err  error
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
	dir  string
	port int
	n    int
	mu   sync.Mutex
}

var (
	postgres, mariadb server
	servers           = []*server{&postgres, &mariadb}
)

func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.gone
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// name is that of the next database.
func (s *server) name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return "test" + strconv.Itoa(s.n)
}

// Postgres gives the URL of an empty database of a real PostgreSQL, as its
// superuser. The server keeps nothing on a disk for good.
func Postgres(t testing.TB) string {
	t.Helper()
	postgres.once.Do(func() { postgres.err = postgres.startPostgres() })
	if postgres.err != nil {
		t.Fatalf("start PostgreSQL: %v", postgres.err)
	}
	name := postgres.name()
	run(t, psql(), "-X", "-q", "-d", postgres.url("postgres"), "-c", "CREATE DATABASE "+name)
	t.Cleanup(func() {
		_ = exec.Command(psql(), "-X", "-q", "-d", postgres.url("postgres"), "-c", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)").Run()
	})
	return postgres.url(name)
}

// PostgresDir is the data directory of the server that Postgres started, for
// tests of what only a superuser on the host can do.
func PostgresDir() string { return filepath.Join(postgres.dir, "data") }

func (s *server) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// SQL runs statements, or files where they begin with "@", in a database of
// PostgreSQL's.
func SQL(t testing.TB, url string, statements ...string) {
	t.Helper()
	args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url}
	for _, s := range statements {
		if file, ok := strings.CutPrefix(s, "@"); ok {
			args = append(args, "-f", file)
		} else {
			args = append(args, "-c", s)
		}
	}
	cmd := exec.Command(psql(), args...)
	cmd.Env = append(os.Environ(), "PGOPTIONS=-c client_min_messages=error")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

func psql() string {
	if path, err := exec.LookPath("psql"); err == nil {
		return path
	}
	return filepath.Join(binaries(), "psql")
}

// binaries is the newest PostgreSQL of the host.
func binaries() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1])
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

func (s *server) startPostgres() error {
	bin := binaries()
	if bin == "" {
		return fmt.Errorf("PostgreSQL is not on this host: run scripts/ci-setup.sh")
	}
	if err := s.prepare(); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if out, err := s.command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s.serve(s.command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port), "-h", "127.0.0.1", "-k", s.dir,
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_wal_size=4GB", "-c", "shared_buffers=256MB",
		"-c", "max_connections=200", "-c", "wal_level=minimal", "-c", "max_wal_senders=0"),
		exec.Command(psql(), "-X", "-q", "-d", s.url("postgres"), "-c", "SELECT 1"))
}

// MariaDB gives the URL of an empty database of a real MariaDB, as root without a
// password.
func MariaDB(t testing.TB) string {
	t.Helper()
	mariadb.once.Do(func() { mariadb.err = mariadb.startMariaDB() })
	if mariadb.err != nil {
		t.Fatalf("start MariaDB: %v", mariadb.err)
	}
	name := mariadb.name()
	run(t, "mariadb", "-u", "root", "-S", mariadb.socket(), "-e", "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	return fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", mariadb.port, name)
}

// MariaDBSQL runs statements in a database of MariaDB's.
func MariaDBSQL(t testing.TB, url, statements string) {
	t.Helper()
	cmd := exec.Command("mariadb", "-u", "root", "-S", mariadb.socket(), url[strings.LastIndexByte(url, '/')+1:])
	cmd.Stdin = strings.NewReader(statements)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mariadb: %v\n%s", err, out)
	}
}

func (s *server) socket() string { return filepath.Join(s.dir, "s.sock") }

func (s *server) startMariaDB() error {
	server, err := exec.LookPath("mariadbd")
	if err != nil {
		server = "/usr/sbin/mariadbd"
	}
	if _, err := os.Stat(server); err != nil {
		return fmt.Errorf("MariaDB is not on this host: run scripts/ci-setup.sh")
	}
	if err := s.prepare(); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if out, err := s.command("mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--datadir="+data).CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return s.serve(s.command(server, "--no-defaults", "--datadir="+data, "--socket="+s.socket(), "--port="+strconv.Itoa(s.port), "--bind-address=127.0.0.1",
		"--pid-file="+filepath.Join(s.dir, "pid"), "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve", "--local-infile=1"),
		exec.Command("mariadb", "-u", "root", "-S", s.socket(), "-e", "SELECT 1"))
}

// prepare makes a directory that the servers' user owns, and finds a port.
func (s *server) prepare() error {
	var err error
	if s.dir, err = os.MkdirTemp("", "rehearse-testdb-"); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		if err := os.Chown(s.dir, nobody, nobody); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	return l.Close()
}

const nobody = 65534

// command is one that runs as an ordinary user, as servers want it, and dies with
// us.
func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "TMPDIR="+s.dir)
	dieWithUs(cmd)
	return cmd
}

// serve starts a server and waits until a question to it succeeds.
func (s *server) serve(cmd, ask *exec.Cmd) error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	started := make(chan error)
	s.gone = make(chan struct{})
	go func() {
		// The kernel ends the server with the thread that started it, and Go ends
		// threads, as those of goroutines that had one to themselves.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(s.gone)
	}()
	if err := <-started; err != nil {
		return err
	}
	s.cmd = cmd
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := exec.CommandContext(ctx, ask.Path, ask.Args[1:]...).Run()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%s does not answer: %w\n%s", cmd.Path, err, said)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
