package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// testEngine is the engine of this process's tests.
func testEngine(t testing.TB) *engine {
	t.Helper()
	o := endpointFrom(os.Getenv, t.TempDir())
	o.Host = testdocker.Start(t).Host()
	e, err := connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.api.Close() })
	return e
}

// wantError checks an error's kind, and that its message and hint, taken together,
// have all of the words.
func wantError(t *testing.T, err error, kind rehearse.Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("got no error")
	}
	text := ""
	for e := err; e != nil; e = unwrap(e) {
		if known, ok := e.(*rehearse.Error); ok {
			text = known.Error() + "\n" + known.Hint
			if known.Hint == "" {
				t.Errorf("no hint in %v", known)
			}
			break
		}
	}
	if got := rehearse.KindOf(err); got != kind {
		t.Errorf("kind of %v: got %v, want %v", err, got, kind)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("got %q, want %q in it", text, w)
		}
	}
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}

// fakeEngine says what it is, and nothing more.
func fakeEngine(api, system string) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("/_ping", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", api)
		w.Header().Set("Ostype", system)
	})
	m.HandleFunc("/{v}/version", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"Version": "27.0.1", "ApiVersion": api, "Os": system, "Arch": "x86_64"})
	})
	m.HandleFunc("/{v}/info", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"Driver": "overlay2", "CgroupVersion": "2", "OperatingSystem": "Docker Desktop", "KernelVersion": kernel(),
			"SecurityOptions": []string{"name=seccomp,profile=builtin", "name=rootless"},
		})
	})
	return m
}

// onSocket serves at a socket of a directory that other users may enter, and gives
// its path.
func onSocket(t *testing.T, h http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rehearse-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "docker.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	return path
}

func TestConnect(t *testing.T) {
	e := testEngine(t)
	if e.os != "linux" || e.arch != runtime.GOARCH || e.apiVersion == "" || e.version == "" {
		t.Errorf("got %+v, want an engine that says what it is", e)
	}
	names := map[string]bool{}
	for _, f := range e.facts() {
		names[f.Name] = f.Value != ""
	}
	for _, want := range []string{"engine", "engine.api", "engine.storage", "engine.cgroups", "engine.rootless"} {
		if !names[want] {
			t.Errorf("no fact %q in %v", want, e.facts())
		}
	}
}

func TestConnectTakesTheFirstSocketThatAnswers(t *testing.T) {
	second := onSocket(t, fakeEngine("1.45", "linux"))
	e, err := connect(t.Context(), endpoint{Sockets: []string{filepath.Join(t.TempDir(), "none.sock"), second}})
	if err != nil {
		t.Fatal(err)
	}
	if e.host != "unix://"+second || e.apiVersion != "1.45" || e.arch != "amd64" || !e.rootless {
		t.Errorf("got host %s, API %s, architecture %s, rootless %v", e.host, e.apiVersion, e.arch, e.rootless)
	}
	if e.local {
		t.Error("Docker Desktop counts as local")
	}
}

func TestConnectErrors(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.sock")
	mute := onSocket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	web := httptest.NewServer(fakeEngine("1.45", "linux"))
	t.Cleanup(web.Close)
	secure := httptest.NewTLSServer(fakeEngine("1.45", "linux"))
	t.Cleanup(secure.Close)
	for _, c := range []struct {
		name  string
		at    endpoint
		kind  rehearse.Kind
		words []string
	}{
		{"nothing anywhere", endpoint{Sockets: []string{none, "/nowhere"}}, rehearse.Unavailable, []string{"no container engine", none + ", /nowhere", "DOCKER_HOST"}},
		{"nothing where named", endpoint{Host: "unix://" + none}, rehearse.Unavailable, []string{none, "DOCKER_HOST names"}},
		{"too old", endpoint{Host: "unix://" + onSocket(t, fakeEngine("1.39", "linux"))}, rehearse.Unavailable, []string{"too old", "1.39", "1.40"}},
		{"Windows containers", endpoint{Host: "unix://" + onSocket(t, fakeEngine("1.45", "windows"))}, rehearse.Unavailable, []string{"Windows containers", "Switch"}},
		{"no address", endpoint{Host: "ftp://somewhere"}, rehearse.Invalid, []string{"DOCKER_HOST", "ftp://somewhere", "ssh://"}},
		{"mute", endpoint{Host: "unix://" + mute}, rehearse.Unavailable, []string{"does not answer"}},
		{"TLS where there is none", endpoint{Host: "tcp://" + web.Listener.Addr().String(), CertPath: t.TempDir(), TLSVerify: true}, rehearse.Unavailable, []string{"no TLS"}},
		{"no TLS where there is", endpoint{Host: "tcp://" + secure.Listener.Addr().String()}, rehearse.Unavailable, []string{"speaks TLS", "DOCKER_TLS_VERIFY"}},
		{"unknown authority", endpoint{Host: "tcp://" + secure.Listener.Addr().String(), CertPath: t.TempDir(), TLSVerify: true}, rehearse.Unavailable, []string{"not trusted", "ca.pem"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := connect(t.Context(), c.at)
			wantError(t, err, c.kind, c.words...)
		})
	}
}

func TestConnectWithTLS(t *testing.T) {
	s := httptest.NewTLSServer(fakeEngine("1.45", "linux"))
	t.Cleanup(s.Close)
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := connect(t.Context(), endpoint{Host: "tcp://" + s.Listener.Addr().String(), CertPath: dir, TLSVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if e.local {
		t.Error("an engine behind TCP counts as local")
	}
}

func TestConnectWithoutPermission(t *testing.T) {
	socket := onSocket(t, fakeEngine("1.45", "linux"))
	const group = 4242 // nobody's
	if os.Getuid() == 0 {
		if err := os.Chown(socket, 0, group); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		mode  os.FileMode
		words []string
	}{
		{0o660, []string{"no permission", socket, `group "4242"`, "sudo usermod -aG 4242 $USER", "newgrp 4242"}},
		{0o000, []string{"no permission", socket, "mode is 0000"}},
	} {
		if os.Getuid() != 0 && c.mode != 0 {
			continue // it is ours
		}
		if err := os.Chmod(socket, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := asNobody(func() (*engine, error) { return connect(t.Context(), endpoint{Sockets: []string{socket}}) })
		wantError(t, err, rehearse.Unavailable, c.words...)
	}
}

// asNobody runs f on a thread that the file system takes for nobody's. The thread
// ends with it.
func asNobody(f func() (*engine, error)) (e *engine, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			if _, err = unix.SetfsgidRetGid(65534); err == nil {
				_, err = unix.SetfsuidRetUid(65534)
			}
		}
		if err == nil {
			e, err = f()
		}
	}()
	<-done
	return e, err
}

// sshProgram stands in for ssh: it writes its arguments down and connects its
// standard streams to a socket, both named by files beside it.
const sshProgram = `package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	dir := filepath.Dir(os.Args[0])
	os.WriteFile(filepath.Join(dir, "args"), []byte(strings.Join(os.Args[1:], " ")), 0o600)
	socket, err := os.ReadFile(filepath.Join(dir, "socket"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "Warning: something\nuser@far.test: Permission denied (publickey).")
		os.Exit(255)
	}
	c, err := net.Dial("unix", string(socket))
	if err != nil {
		os.Exit(1)
	}
	go func() {
		io.Copy(c, os.Stdin)
		c.(*net.UnixConn).CloseWrite()
	}()
	io.Copy(os.Stdout, c)
}
`

// compile builds a static program of one file.
func compile(t testing.TB, source, to string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", to, file)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if runtime.GOOS != "linux" {
		cmd.Env = append(cmd.Env, "GOOS="+runtime.GOOS)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile a program for the test: %v\n%s", err, out)
	}
}

func TestConnectThroughSSH(t *testing.T) {
	dir := t.TempDir()
	compile(t, sshProgram, filepath.Join(dir, "ssh"))
	at := endpoint{Host: "ssh://user@far.test:2222", Path: "/nowhere:" + dir}

	_, err := connect(t.Context(), at)
	wantError(t, err, rehearse.Unavailable, "ssh to user@far.test failed", "Permission denied (publickey)", "`ssh -p 2222 user@far.test docker version`")

	socket := onSocket(t, fakeEngine("1.45", "linux"))
	if err := os.WriteFile(filepath.Join(dir, "socket"), []byte(socket), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := connect(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	if e.local || e.version != "27.0.1" {
		t.Errorf("got local %v, version %s", e.local, e.version)
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(args), "-o ConnectTimeout=30 -o ServerAliveInterval=10 -o ServerAliveCountMax=3 -T -l user -p 2222 -- far.test docker system dial-stdio"; got != want {
		t.Errorf("ssh's arguments:\ngot  %s\nwant %s", got, want)
	}
	_, err = connect(t.Context(), endpoint{Host: "ssh://far.test", Path: t.TempDir()})
	wantError(t, err, rehearse.Unavailable, "not on this host")
}

// A cancelled context ends with its own error, which is no failure of the engine's.
func TestConnectCancelled(t *testing.T) {
	asked := make(chan struct{})
	var once sync.Once
	socket := onSocket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(asked) })
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := connect(ctx, endpoint{Host: "unix://" + socket}); err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestEnviron(t *testing.T) {
	e := &engine{host: "unix:///x.sock", at: endpoint{Path: "/bin", Config: "/c"}}
	want := []string{"A=1", "PATH=/bin", "DOCKER_CONFIG=/c", "DOCKER_HOST=unix:///x.sock", "DOCKER_CONTEXT="}
	if diff := cmp.Diff(want, e.environ([]string{"A=1"})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	e.context = "far"
	want[3], want[4] = "DOCKER_HOST=", "DOCKER_CONTEXT=far"
	if diff := cmp.Diff(want, e.environ([]string{"A=1"})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestKeyedLocksOneNameAtATime(t *testing.T) {
	var k keyed
	unlock, err := k.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := k.lock(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.lock(ctx, "a"); err != context.Canceled {
		t.Errorf("a held name: got %v, want %v", err, context.Canceled)
	}
	unlock()
	var inside, most int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			unlock, err := k.lock(t.Context(), "a")
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			runtime.Gosched()
			mu.Lock()
			inside--
			mu.Unlock()
		})
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d held one name at once, want 1", most)
	}
}

// lines collects what is written, for tests that look at progress.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// cleaning is a context for clean-ups, which run after the test's own has ended.
func cleaning(t testing.TB) context.Context { return context.WithoutCancel(t.Context()) }
