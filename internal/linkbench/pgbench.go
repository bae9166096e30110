package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// postgres is the directory of PostgreSQL's programs and who runs them.
type postgres struct {
	bin  string
	as   *syscall.SysProcAttr
	home string // the server's data
	port string
}

// measurePgbench reads one row per transaction, through each contestant.
func measurePgbench(ctx context.Context, b *bench) ([]row, error) {
	p, err := findPostgres()
	if err != nil {
		return nil, err
	}
	stopServer, err := p.start(ctx)
	if err != nil {
		return nil, err
	}
	defer stopServer()
	all, stop, err := b.start(ctx, direct, plain, watched, toxiproxy)
	if err != nil {
		return nil, err
	}
	defer stop()
	ports := map[kind]string{direct: p.port}
	for _, c := range all {
		if c.kind == direct {
			continue
		}
		address, err := c.proxy(ctx, "postgres", net.JoinHostPort("127.0.0.1", p.port))
		if err != nil {
			return nil, err
		}
		if _, ports[c.kind], err = net.SplitHostPort(address); err != nil {
			return nil, err
		}
	}
	var rows []row
	for _, v := range []struct {
		clients, name string
	}{{"1", "pgbench -S, 1 client"}, {"8", "pgbench -S, 8 clients"}} {
		got, err := interleave(ctx, 6, all, func(ctx context.Context, c *contestant) (transacted, error) {
			return p.measure(ctx, c, v.clients, ports[c.kind])
		})
		if err != nil {
			return rows, fmt.Errorf("%s: %w", v.name, err)
		}
		rate := func(t transacted) float64 { return t.rate }
		r := compareRates(v.name, "per second", got, rate)
		r.Checks = append(r.Checks, newCheck(each(got.of(watched, rate), got.of(plain, rate), divide), "of the link, watched", figures.AtLeast(0.97)))
		cpu := func(t transacted) float64 { return t.cpu }
		own := compare(v.name+", processor time", "µs", got, cpu,
			newCheck(each(got.of(plain, cpu), got.of(toxiproxy, cpu), divide), "× Toxiproxy", figures.NoGoal),
			newCheck(each(got.of(watched, cpu), got.of(plain, cpu), subtract), "µs more, watched", figures.NoGoal))
		own.Direct = nil // it has no process of its own
		rows = append(rows, r, own)
	}
	return rows, nil
}

// transacted is what a second of transactions came to.
type transacted struct {
	rate float64 // a second
	cpu  float64 // microseconds of the contestant's, for each
}

func (p *postgres) measure(ctx context.Context, c *contestant, clients, port string) (t transacted, err error) {
	if c.kind == direct {
		t.rate, _, err = p.transactions(ctx, clients, port)
		return t, err
	}
	before, err := c.CPU()
	if err != nil {
		return t, err
	}
	var count float64
	if t.rate, count, err = p.transactions(ctx, clients, port); err != nil {
		return t, err
	}
	after, err := c.CPU()
	t.cpu = micros(after-before) / count
	return t, err
}

// findPostgres looks in PATH, and where Debian keeps what it leaves out of it.
func findPostgres() (*postgres, error) {
	p := &postgres{}
	if found, err := exec.LookPath("initdb"); err == nil {
		// A link to it may stand alone in its directory.
		if found, err = filepath.EvalSymlinks(found); err != nil {
			return nil, err
		}
		p.bin = filepath.Dir(found)
	} else {
		found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, errors.New("initdb is not installed: install PostgreSQL's server")
		}
		p.bin = filepath.Dir(found[len(found)-1])
	}
	if os.Geteuid() != 0 {
		return p, nil
	}
	// The server refuses to run as root.
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	p.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return p, nil
}

// start makes a server with pgbench's tables in it. What it returns ends the
// server and removes its data.
func (p *postgres) start(ctx context.Context) (_ func(), err error) {
	if p.home, err = os.MkdirTemp("", "linkbench-postgres-"); err != nil {
		return nil, err
	}
	var server *exec.Cmd
	stop := func() {
		if server != nil {
			// Its immediate shutdown: nothing here is worth keeping.
			_ = server.Process.Signal(syscall.SIGQUIT)
			_ = server.Wait()
		}
		os.RemoveAll(p.home)
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	if p.as != nil {
		if err := os.Chown(p.home, int(p.as.Credential.Uid), int(p.as.Credential.Gid)); err != nil {
			return nil, err
		}
	}
	if _, err := p.run(ctx, "initdb", "-D", p.home, "-A", "trust", "-U", "postgres", "-N"); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := ln.Addr().String()
	ln.Close()
	if _, p.port, err = net.SplitHostPort(address); err != nil {
		return nil, err
	}
	started := p.command(ctx, "postgres", "-D", p.home, "-p", p.port, "-h", "127.0.0.1", "-k", "", "-F")
	if err := started.Start(); err != nil {
		return nil, err
	}
	server = started
	for range 100 {
		if _, err = p.run(ctx, "pg_isready", "-q", "-h", "127.0.0.1", "-p", p.port); err == nil {
			_, err = p.run(ctx, "pgbench", "-i", "-q", "-s", "5", "-h", "127.0.0.1", "-p", p.port, "-U", "postgres", "postgres")
			return stop, err
		}
		if !pause(ctx, 50*time.Millisecond) {
			break
		}
	}
	return nil, fmt.Errorf("wait for PostgreSQL: %w", err)
}

var (
	tps       = regexp.MustCompile(`tps = ([0-9.]+)`)
	processed = regexp.MustCompile(`actually processed: ([0-9]+)`)
)

// transactions is how many pgbench does in a second, and how many it has done.
func (p *postgres) transactions(ctx context.Context, clients, port string) (rate, count float64, err error) {
	out, err := p.run(ctx, "pgbench", "-S", "-n", "-c", clients, "-T", "1", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "postgres")
	if err != nil {
		return 0, 0, err
	}
	for _, figure := range []struct {
		named *regexp.Regexp
		value *float64
	}{{tps, &rate}, {processed, &count}} {
		m := figure.named.FindSubmatch(out)
		if m == nil {
			return 0, 0, fmt.Errorf("pgbench does not say what it has done: %s", out)
		}
		if *figure.value, err = strconv.ParseFloat(string(m[1]), 64); err != nil {
			return 0, 0, err
		}
	}
	return rate, count, nil
}

func (p *postgres) run(ctx context.Context, program string, args ...string) ([]byte, error) {
	out, err := p.command(ctx, program, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return out, err
}

func (p *postgres) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	cmd.SysProcAttr = p.as
	// The working directory of ours may be closed to them.
	cmd.Dir = os.TempDir()
	return cmd
}
