package toxiproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// api is a server under test, called as clients call it.
type api struct {
	t      testing.TB
	server *Server
	url    string
}

func newAPI(t testing.TB, o Options) *api {
	t.Helper()
	s := New(o)
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		s.Close()
	})
	return &api{t: t, server: s, url: web.URL}
}

// call makes a request and returns the status and body of the answer. The body is
// sent as it is when it is a string, and as JSON otherwise. It may be called from
// any goroutine: a call that fails has the status 0.
func (a *api) call(method, path string, body any) (int, string) {
	a.t.Helper()
	var data []byte
	switch b := body.(type) {
	case nil:
	case string:
		data = []byte(b)
	default:
		var err error
		if data, err = json.Marshal(b); err != nil {
			a.t.Error(err)
		}
	}
	r, err := http.NewRequest(method, a.url+path, bytes.NewReader(data))
	if err != nil {
		a.t.Error(err)
		return 0, ""
	}
	client := http.Client{Timeout: limit}
	resp, err := client.Do(r)
	if err != nil {
		a.t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Error(err)
		return 0, ""
	}
	return resp.StatusCode, strings.TrimSpace(string(got))
}

// must makes a request that has to be answered with a status, and reads the
// answer into a value, if there is one.
func (a *api) must(status int, method, path string, body, into any) {
	a.t.Helper()
	got, text := a.call(method, path, body)
	if got != status {
		a.t.Fatalf("%s %s: got %d %s, want %d", method, path, got, text, status)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		a.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}

type object = map[string]any

// proxy makes a proxy on a free port and returns its address.
func (a *api) proxy(name, upstream string, toxics ...object) string {
	a.t.Helper()
	var p Proxy
	a.must(201, "POST", "/proxies", object{"name": name, "listen": "127.0.0.1:0", "upstream": upstream, "toxics": toxics}, &p)
	return p.Listen
}

// upstream serves each connection with a function, on a port of its own, until
// the test ends.
func upstream(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	return serveOn(t, listen(t, "tcp", "127.0.0.1:0"), serve)
}

func listen(t testing.TB, network, at string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func serveOn(t testing.TB, ln net.Listener, serve func(net.Conn)) string {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr().String()
}

// echo answers with what it is sent, until its peer has said everything.
func echo(conn net.Conn) { _, _ = io.Copy(conn, conn) }

func dial(t testing.TB, at string) net.Conn {
	t.Helper()
	network, path, ok := strings.Cut(at, ":")
	if !ok || network != "unix" {
		network, path = "tcp", at
	}
	conn, err := net.Dial(network, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// say sends a text and reads as many bytes of an answer.
func say(t testing.TB, conn net.Conn, text string) string {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatalf("read an answer to %q: %v", text, err)
	}
	return string(got)
}

// refuses checks that nobody listens on an address.
func refuses(t testing.TB, at string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", at, limit)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%s: got %v, want a refusal", at, err)
	}
}
