package process_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
)

// noJournal is for tests that leave nothing outside the environment's directory.
type noJournal struct{}

func (noJournal) Intend(driver.Remnant) error        { return nil }
func (noJournal) Confirm(driver.Remnant, bool) error { return nil }

// openOne opens an environment in the best tier, skipping where it cannot be had.
func openOne(t *testing.T, o process.Options, dir string, services ...rehearse.Service) driver.Environment {
	t.Helper()
	o.Tier = process.TierNamespaces
	e, err := process.New(o).Open(t.Context(), driver.Spec{
		ID: rehearse.EnvironmentID("test-" + filepath.Base(dir)), Plan: &rehearse.Plan{Project: "test", Dir: dir, Services: services},
		Dir: openDir(t), Journal: noJournal{}, Log: io.Discard,
	})
	if err != nil {
		t.Skipf("needs user namespaces: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// shell runs a line of shell inside a service that only sleeps.
func shell(t *testing.T, e driver.Environment, name rehearse.ServiceName, line string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code, err := e.Exec(t.Context(), name, driver.Command{Args: []string{"/bin/sh", "-c", line}, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.TrimSpace(out.String()), code
}

func sleeper(name rehearse.ServiceName, dir string) rehearse.Service {
	return rehearse.Service{Name: name, Process: &rehearse.Process{Command: []string{"sleep", "3600"}, Dir: dir}}
}

func started(t *testing.T, e driver.Environment, name rehearse.ServiceName) driver.Process {
	t.Helper()
	if err := e.Prepare(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	p, err := e.Start(t.Context(), name, driver.Output{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestJail looks at the world as a service sees it.
func TestJail(t *testing.T) {
	dir := openDir(t)
	if err := os.WriteFile(filepath.Join(dir, "source"), []byte("as committed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret.txt")
	if err := os.WriteFile(secret, []byte("s3cret"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := sleeper("web", dir)
	s.Hostname = "shop"
	s.Mounts = []rehearse.Mount{
		{Type: "volume", Source: "state", Target: "/var/lib/shop"},
		{Type: "volume", Source: "state", Target: "/usr/share/not-there/deep"},
		{Type: "bind", Source: secret, Target: "/run/secrets/token", ReadOnly: true},
		{Type: "config", Content: "level: debug\n", Target: "/etc/shop/config.yaml"},
		{Type: "tmpfs", Target: "/srv/scratch"},
	}
	e := openOne(t, options(t), dir, s)
	started(t, e, "web")

	for _, c := range []struct {
		name, line, want string
		fails            bool
	}{
		{name: "an ordinary user", line: "id -u; id -g", want: "1000\n1000"},
		{name: "without capabilities", line: "grep CapEff /proc/self/status", want: "CapEff:\t0000000000000000"},
		{name: "that cannot gain privileges", line: "grep NoNewPrivs /proc/self/status", want: "NoNewPrivs:\t1"},
		{name: "has its host name", line: "cat /proc/sys/kernel/hostname", want: "shop"},
		{name: "sees only its own processes", line: "ls -d /proc/[0-9]* | wc -l | grep -qx '[0-9]' && echo few", want: "few"},
		{name: "cannot write to the system", line: "touch /usr/bin/evil 2>/dev/null", fails: true},
		{name: "cannot write to /etc", line: "touch /etc/evil 2>/dev/null", fails: true},
		{name: "cannot change the kernel", line: "echo 1 > /proc/sys/kernel/panic", fails: true},
		{name: "cannot read password hashes", line: "cat /etc/shadow | grep -q .", fails: true},
		{name: "sees no home directories", line: "ls /root | wc -l | tr -d ' '", want: "0"},
		{name: "sees no sockets of the host", line: "ls /run", want: "secrets"},
		{name: "sees the project", line: "cat " + dir + "/source", want: "as committed"},
		{name: "has a private /tmp", line: "touch /tmp/mine && ls /tmp | grep -v rehearse-test", want: "mine"},
		{name: "has a volume, at both places", line: "echo kept > /var/lib/shop/a && cat /usr/share/not-there/deep/a", want: "kept"},
		{name: "has its secret", line: "cat /run/secrets/token", want: "s3cret"},
		{name: "has its config", line: "cat /etc/shop/config.yaml", want: "level: debug"},
		{name: "has its tmpfs", line: "touch /srv/scratch/x && ls /srv/scratch", want: "x"},
		{name: "cannot mount", line: "mount -t tmpfs none /mnt 2>/dev/null", fails: true},
		{name: "sees no disks", line: "ls /dev | grep -E '^(sd|vd|nvme|mem|kmsg)'", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, code := shell(t, e, "web", c.line)
			switch {
			case c.fails && code == 0:
				t.Errorf("%s: it succeeded and said %q", c.line, got)
			case c.fails:
			case code != 0 || got != c.want:
				t.Errorf("%s: exit %d, %q; want %q", c.line, code, got, c.want)
			}
		})
	}
	if data, err := os.ReadFile(filepath.Join(dir, "source")); err != nil || string(data) != "as committed\n" {
		t.Errorf("the project has changed: %q, %v", data, err)
	}
}

// TestSamePortBesideAnUpstream guards the reason for wires: a service that
// listens on all addresses of the port that its upstream has too.
func TestSamePortBesideAnUpstream(t *testing.T) {
	dir := openDir(t)
	e := openOne(t, options(t), dir, sleeper("a", dir), sleeper("b", dir))
	l, addr, err := e.Listen(t.Context(), "a", []string{"b"}, 8080)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if addr.Host == "" || addr.Port != 8080 {
		t.Errorf("the link is at %v, want port 8080", addr)
	}
	started(t, e, "a")
	out, code := shell(t, e, "a", "grep -c ':1F90' /proc/net/tcp")
	if code == 0 || out != "0" {
		t.Errorf("port 8080 is taken in the client's own network: %q", out)
	}
}

func TestMemoryLimit(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("control groups need root here, or a delegated group")
	}
	dir := openDir(t)
	s := rehearse.Service{
		Name: "greedy", Limits: rehearse.Limits{Memory: 48 << 20},
		Process: &rehearse.Process{Command: []string{"/bin/sh", "-c", `x=0123456789abcdef; while :; do x="$x$x"; done`}, Dir: dir},
	}
	e := openOne(t, options(t), dir, s)
	p := started(t, e, "greedy")
	<-p.Done()
	for _, f := range e.Facts() {
		if f.Name == "limits.greedy" && !strings.HasSuffix(f.Value, " applied") {
			t.Skipf("this host applies no limits: %s", f.Note)
		}
	}
	if got := p.Exit(); !strings.Contains(got.Reason, "out of memory") {
		t.Errorf("it ended with %+v, want out of memory", got)
	}
}
