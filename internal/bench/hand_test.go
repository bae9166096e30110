package bench_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
)

// byHand is the peer: what a person's script would do on this host, without
// isolation, links and logs, one step after the other.
type byHand struct {
	docgen   docgen
	database rehearse.Service
	template string // the data directory that rehearse has cached
	program  string // docgen, built
}

// newByHand needs a docgen that was up once, so that its template is there.
func newByHand(b *testing.B, d docgen) byHand {
	b.Helper()
	found, err := filepath.Glob(filepath.Join(d.cache, "rehearse", "templates", "postgres-*"))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range found {
		if st, err := os.Stat(filepath.Join(f, "PG_VERSION")); err == nil && !st.IsDir() {
			return byHand{docgen: d, database: d.database(b), template: f, program: build(b, filepath.Join(d.dir, "app"), ".")}
		}
	}
	b.Fatalf("no template of PostgreSQL's data below %s", d.cache)
	return byHand{}
}

// start starts PostgreSQL until it answers, then docgen until it is healthy, and
// says how long each took. Both have ended when it returns.
func (h byHand) start(b *testing.B) (postgres, app time.Duration) {
	b.Helper()
	data := filepath.Join(openDir(b), "data")
	if err := os.CopyFS(data, os.DirFS(h.template)); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(data, 0o700); err != nil {
		b.Fatal(err)
	}
	port := freePort(b)
	launch, err := launchPostgres(h.database, data, port)
	if err != nil {
		b.Fatal(err)
	}
	server := exec.Command(launch.Args[0], launch.Args[1:]...)
	asNobody(b, server, data)
	began := time.Now()
	defer run(b, server, syscall.SIGQUIT)()
	url := fmt.Sprintf("postgres://docgen:docgen@127.0.0.1:%d/docgen?sslmode=disable", port)
	until(b, func(ctx context.Context) error { return selectOne(ctx, url) })
	postgres = time.Since(began)

	listen := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(b)))
	program := exec.Command(h.program)
	program.Env = []string{"DATABASE_URL=" + url, "LISTEN=" + listen, "DATA_LAYER=legacy", "POOL_SIZE=8"}
	began = time.Now()
	defer run(b, program, syscall.SIGKILL)()
	until(b, func(ctx context.Context) error { return healthy(ctx, "http://"+listen+"/healthz") })
	return postgres, time.Since(began)
}

// run starts a program and returns what ends it.
func run(b *testing.B, cmd *exec.Cmd, end syscall.Signal) func() {
	b.Helper()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := cmd.Process.Signal(end); err != nil {
			b.Error(err)
		}
		_ = cmd.Wait() // it says that it was ended
	}
}

// until asks every 2 ms, which is finer than what rehearse does, so that the
// peer is not made slower than it is.
func until(b *testing.B, ask func(context.Context) error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			b.Fatal(err)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func selectOne(ctx context.Context, url string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	var one int
	return c.QueryRow(ctx, "select 1").Scan(&one)
}

func healthy(ctx context.Context, url string) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", a.Status)
	}
	return nil
}

// freePort is a port that was free a moment ago.
func freePort(b *testing.B) int {
	b.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// asNobody gives the command and its data to an ordinary user when we are root:
// PostgreSQL refuses to run as root.
func asNobody(b *testing.B, cmd *exec.Cmd, data string) {
	b.Helper()
	if os.Getuid() != 0 {
		return
	}
	const nobody = 65534
	err := filepath.WalkDir(data, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		b.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
