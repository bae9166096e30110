package toxiproxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// The tests in this file are of what Toxiproxy gets wrong, through the API and
// against real sockets. Its data path's own tests are the link's.

// A client that has said everything still gets its answer. Toxiproxy closes the
// whole connection.
func TestHalfClose(t *testing.T) {
	for _, toxics := range [][]object{nil, {{"type": "latency", "attributes": object{"latency": 1}}}} {
		a := newAPI(t, Options{})
		at := a.proxy("p", upstream(t, func(conn net.Conn) {
			n, _ := io.Copy(io.Discard, conn)
			fmt.Fprintf(conn, "got %d", n)
		}), toxics...)
		conn := dial(t, at)
		if _, err := conn.Write(make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil || string(got) != "got 100000" {
			t.Errorf("with %v: got %q, %v", toxics, got, err)
		}
	}
}

// touched says which of a number of connections a toxic of half of them resets,
// when the toxic is set in a way.
func touched(t *testing.T, seed uint64, set func(a *api)) string {
	t.Helper()
	a := newAPI(t, Options{Seed: seed})
	at := a.proxy("p", upstream(t, echo))
	conns := make([]net.Conn, 24)
	for i := range conns {
		conns[i] = dial(t, at)
		say(t, conns[i], "x") // in this order
	}
	set(a)
	a.until("half of the connections are reset", func(s rehearse.LinkStats) bool {
		return s.Doses[0].Holding == 0 && s.Doses[0].Connections > 0
	})
	var out strings.Builder
	for _, conn := range conns {
		if _, err := conn.Write([]byte("x")); err == nil {
			_, err = conn.Read(make([]byte, 1))
			if err == nil {
				out.WriteByte('0')
				continue
			}
		}
		out.WriteByte('1')
	}
	return out.String()
}

// until polls the link's counters until they are as they should be.
func (a *api) until(what string, is func(rehearse.LinkStats) bool) {
	a.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-tick.C {
		var s rehearse.LinkStats
		a.must(200, "GET", "/proxies/p/stats", nil, &s)
		if is(s) {
			return
		}
	}
	a.t.Fatalf("not after %v: %s", limit, what)
}

// The seed decides which connections a toxic touches. Toxiproxy's does nothing.
func TestSeed(t *testing.T) {
	half := func(a *api) {
		a.must(200, "POST", "/proxies/p/toxics", object{"type": "reset_peer", "toxicity": 0.5}, nil)
	}
	one := touched(t, 42, half)
	if again := touched(t, 42, half); again != one {
		t.Errorf("seed 42 touched %s and then %s", one, again)
	}
	if other := touched(t, 43, half); other == one {
		t.Errorf("seeds 42 and 43 both touched %s", one)
	}

	// An update does not draw again, so a connection that was spared stays so.
	later := touched(t, 42, func(a *api) {
		a.must(200, "POST", "/proxies/p/toxics", object{"type": "reset_peer", "toxicity": 0.5, "attributes": object{"timeout": 3_600_000}}, nil)
		a.must(200, "POST", "/proxies/p/toxics/reset_peer_downstream", object{"attributes": object{"timeout": 0}}, nil)
	})
	if later != one {
		t.Errorf("after an update seed 42 touched %s, and %s without", later, one)
	}
}

// An upstream that never reads hangs no call. Toxiproxy's API hangs for good.
func TestStuckUpstream(t *testing.T) {
	for _, toxic := range []object{
		{"type": "latency", "stream": "upstream", "attributes": object{"latency": 1}},
		{"type": "bandwidth", "stream": "upstream", "attributes": object{"rate": 1}},
		{"type": "slicer", "stream": "upstream", "attributes": object{"average_size": 1000, "delay": 10}},
		{"type": "slow_close", "stream": "upstream", "attributes": object{"delay": 1}},
		{"type": "noop", "stream": "upstream"},
	} {
		t.Run(toxic["type"].(string), func(t *testing.T) {
			a := newAPI(t, Options{})
			ended := make(chan struct{})
			defer close(ended)
			at := a.proxy("p", upstream(t, func(net.Conn) { <-ended }), toxic)
			conn := dial(t, at)
			flooded := make(chan struct{})
			go func() {
				defer close(flooded)
				for {
					if _, err := conn.Write(make([]byte, 1<<20)); err != nil {
						return
					}
				}
			}()
			a.until("bytes are on their way", func(s rehearse.LinkStats) bool { return s.BytesUp > 0 })
			a.must(200, "GET", "/proxies", nil, nil)
			a.must(200, "POST", "/proxies/p/toxics", object{"type": "latency", "name": "more", "stream": "upstream"}, nil)
			a.must(204, "DELETE", "/proxies/p/toxics/"+toxic["type"].(string)+"_upstream", nil, nil)
			a.must(204, "POST", "/reset", nil, nil)
			a.must(200, "PATCH", "/proxies/p", object{"enabled": false}, nil)
			a.must(200, "PATCH", "/proxies/p", object{"enabled": true}, nil)
			a.must(204, "DELETE", "/proxies/p", nil, nil)
			<-flooded
		})
	}
}

// An upstream that refuses is a reset for the client, and no clean end.
func TestRefusedUpstream(t *testing.T) {
	a := newAPI(t, Options{})
	closed := listen(t, "tcp", "127.0.0.1:0")
	closed.Close()
	conn, err := net.Dial("tcp", a.proxy("p", closed.Addr().String()))
	if err == nil { // else the reset was faster than the client
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
}

// A dial that takes its time holds up no other connection. Toxiproxy dials in the
// loop that accepts.
func TestSlowDials(t *testing.T) {
	a := newAPI(t, Options{})
	at := a.proxy("p", full(t))
	for range 8 {
		dial(t, at)
	}
	a.until("all connections are accepted", func(s rehearse.LinkStats) bool { return s.Connections == 8 })
	a.must(204, "DELETE", "/proxies/p", nil, nil)
}

// full is the address of a server that never accepts, and has room for next to
// nobody to wait: most dials get no answer.
func full(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
}

// reset_peer resets connections on which nothing is said. Toxiproxy waits until
// something is.
func TestResetOfIdleConnection(t *testing.T) {
	a := newAPI(t, Options{})
	conn := dial(t, a.proxy("p", upstream(t, echo)))
	say(t, conn, "hello")
	a.must(200, "POST", "/proxies/p/toxics", object{"type": "reset_peer"}, nil)
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
}

// A proxy's toxics can come with it, so that its first connection meets them.
func TestToxicsFromTheStart(t *testing.T) {
	a := newAPI(t, Options{})
	conn := dial(t, a.proxy("p", upstream(t, echo), object{"type": "limit_data", "attributes": object{"bytes": 3}}))
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if string(got) != "hel" {
		t.Errorf("got %q, %v, want the first 3 bytes", got, err)
	}
}

// Live connections get new toxics, and are rid of those that are removed.
func TestLiveConnections(t *testing.T) {
	a := newAPI(t, Options{})
	conn := dial(t, a.proxy("p", upstream(t, echo)))
	say(t, conn, "before")
	a.must(200, "POST", "/proxies/p/toxics", object{"type": "bandwidth"}, nil) // a rate of 0
	if _, err := io.WriteString(conn, "during"); err != nil {
		t.Fatal(err)
	}
	a.until("the toxic has hold of the answer", func(s rehearse.LinkStats) bool { return s.Doses[0].Bytes > 0 })
	a.must(204, "DELETE", "/proxies/p/toxics/bandwidth_downstream", nil, nil)
	got := make([]byte, 6)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "during" {
		t.Errorf("got %q, %v, want what was held up", got, err)
	}
	a.must(200, "POST", "/proxies/p/toxics", object{"type": "slicer", "attributes": object{"average_size": 2, "size_variation": 1}}, nil)
	if got := say(t, conn, "in slices"); got != "in slices" {
		t.Errorf("got %q", got)
	}
	a.must(200, "POST", "/proxies/p/toxics", object{"type": "timeout"}, nil)
	if _, err := io.WriteString(conn, "lost"); err != nil {
		t.Fatal(err)
	}
	a.until("the toxic has dropped the answer", func(s rehearse.LinkStats) bool {
		return s.Doses[1].Fault.Kind == rehearse.FaultTimeout && s.Doses[1].Bytes == 4
	})
	// Bytes are missing, so the connection ends when the toxic does.
	a.must(204, "DELETE", "/proxies/p/toxics/timeout_downstream", nil, nil)
	if got, err := io.ReadAll(conn); len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

// A proxy that is disabled ends its connections before it answers.
func TestDisabledEndsConnections(t *testing.T) {
	a := newAPI(t, Options{})
	at := a.proxy("p", upstream(t, echo))
	conn := dial(t, at)
	say(t, conn, "hello")
	a.must(200, "POST", "/proxies/p", object{"enabled": false}, nil)
	a.until("no connection is left", func(s rehearse.LinkStats) bool { return s.Active == 0 })
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlived its proxy")
	}
	refuses(t, at)
	a.must(200, "POST", "/proxies/p", object{"enabled": true}, nil)
	say(t, dial(t, at), "again")
}
