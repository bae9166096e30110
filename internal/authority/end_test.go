package authority

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ended is a connection through End: the client's end, and the upstream's.
type ended struct {
	client, server *tls.Conn
	near, far      *Conn
	err            error // of End
	clientErr      error // of the client's handshake
	serverErr      error // of the upstream's handshake
}

// end makes a connection through End.
func end(t testing.TB, o Options, client, server *tls.Config) *ended {
	t.Helper()
	e := &ended{}
	near, nearFar := connected(t)
	l := listen(t)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			e.serverErr = err
			return
		}
		t.Cleanup(func() { conn.Close() })
		e.server = tls.Server(conn, server)
		if e.serverErr = e.server.HandshakeContext(t.Context()); e.serverErr != nil {
			conn.Close()
		}
	})
	all.Go(func() {
		e.near, e.far, e.err = End(t.Context(), nearFar, dialer(l.Addr().String()), o)
		if e.err != nil {
			nearFar.Close()
			return
		}
		t.Cleanup(func() { e.near.Close(); e.far.Close() })
	})
	e.client = tls.Client(near, client)
	e.clientErr = e.client.HandshakeContext(t.Context())
	if e.clientErr != nil {
		near.Close()
	}
	return e
}

// world is a real upstream's authority, ours, and how End ends TLS between them.
func world(t testing.TB) (real, ours *Authority, o Options) {
	t.Helper()
	real, ours = newTest(t), newTest(t)
	return real, ours, Options{Authority: ours, Upstream: Upstream{Roots: real.Pool(), Now: clock}}
}

// The client and the upstream agree on what they would agree on without us.
func TestEndAgrees(t *testing.T) {
	type agreed struct {
		Protocol string
		Version  uint16
		Name     string // that the upstream was asked for
	}
	h2, h1, both := []string{"h2"}, []string{"http/1.1"}, []string{"h2", "http/1.1"}
	for name, test := range map[string]struct {
		client, server *tls.Config
		only           []string // Options.Protocols
		want           agreed
	}{
		"both speak both":          {client: &tls.Config{NextProtos: both}, server: &tls.Config{NextProtos: both}, want: agreed{Protocol: "h2", Version: tls.VersionTLS13, Name: "db"}},
		"the upstream prefers":     {client: &tls.Config{NextProtos: both}, server: &tls.Config{NextProtos: []string{"http/1.1", "h2"}}, want: agreed{Protocol: "http/1.1", Version: tls.VersionTLS13, Name: "db"}},
		"an old upstream":          {client: &tls.Config{NextProtos: both}, server: &tls.Config{NextProtos: h1, MaxVersion: tls.VersionTLS12}, want: agreed{Protocol: "http/1.1", Version: tls.VersionTLS12, Name: "db"}},
		"an old client":            {client: &tls.Config{NextProtos: h1, MaxVersion: tls.VersionTLS12}, server: &tls.Config{NextProtos: both}, want: agreed{Protocol: "http/1.1", Version: tls.VersionTLS12, Name: "db"}},
		"ancient":                  {client: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, server: &tls.Config{MinVersion: tls.VersionTLS10}, want: agreed{Version: tls.VersionTLS11, Name: "db"}},
		"no offer":                 {server: &tls.Config{NextProtos: both}, want: agreed{Version: tls.VersionTLS13, Name: "db"}},
		"no answer":                {client: &tls.Config{NextProtos: both}, want: agreed{Version: tls.VersionTLS13, Name: "db"}},
		"only what we understand":  {client: &tls.Config{NextProtos: both}, server: &tls.Config{NextProtos: both}, only: h1, want: agreed{Protocol: "http/1.1", Version: tls.VersionTLS13, Name: "db"}},
		"nothing we understand":    {client: &tls.Config{NextProtos: h2}, server: &tls.Config{NextProtos: both}, only: h1, want: agreed{Version: tls.VersionTLS13, Name: "db"}},
		"a protocol of their own":  {client: &tls.Config{NextProtos: []string{"postgresql"}}, server: &tls.Config{NextProtos: []string{"postgresql"}}, want: agreed{Protocol: "postgresql", Version: tls.VersionTLS13, Name: "db"}},
		"a client with an address": {client: &tls.Config{ServerName: "127.0.0.1"}, want: agreed{Version: tls.VersionTLS13}},
	} {
		t.Run(name, func(t *testing.T) {
			real, ours, o := world(t)
			o.Protocols = test.only
			client, server := test.client, real.Server(Server{})
			if client == nil {
				client = &tls.Config{}
			}
			client.RootCAs, client.Time = ours.Pool(), clock
			if client.ServerName == "" {
				client.ServerName = "db"
			}
			if test.server != nil {
				server.NextProtos, server.MinVersion, server.MaxVersion = test.server.NextProtos, test.server.MinVersion, test.server.MaxVersion
			}
			e := end(t, o, client, server)
			if err := errors.Join(e.err, e.clientErr, e.serverErr); err != nil {
				t.Fatal(err)
			}
			for side, got := range map[string]agreed{
				"client":   {e.client.ConnectionState().NegotiatedProtocol, e.client.ConnectionState().Version, test.want.Name},
				"upstream": {e.server.ConnectionState().NegotiatedProtocol, e.server.ConnectionState().Version, e.server.ConnectionState().ServerName},
			} {
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", side, diff)
				}
			}
		})
	}
}

// A client sees of the upstream's certificate what it would see without us,
// unless it is told to see something else.
func TestEndFlaws(t *testing.T) {
	flaws := []Flaw{Sound, Expired, WrongName, Untrusted}
	for _, flaw := range flaws {
		for _, check := range []Check{Mirror, Strict, Skip} {
			real, ours, o := world(t)
			o.Upstream.Check = check
			e := end(t, o, trusting(ours, "db"), real.Server(Server{Flaw: flaw}))
			switch {
			case check == Strict && flaw != Sound:
				var handshake *HandshakeError
				got, _ := FlawOf(e.err)
				if !errors.As(e.err, &handshake) || !handshake.Upstream || got != flaw {
					t.Errorf("a strict End of %q says %v", flaw, e.err)
				}
				if e.clientErr != io.EOF {
					t.Errorf("the client of a strict End of %q says %v, want no word of TLS", flaw, e.clientErr)
				}
			case check == Mirror && !broken(flaw, e.clientErr), check == Skip && e.clientErr != nil:
				t.Errorf("check %q of %q: the client says %v", check, flaw, e.clientErr)
			}
		}
		real, ours, o := world(t)
		o.Flaw = flaw
		e := end(t, o, trusting(ours, "db"), real.Server(Server{}))
		var handshake *HandshakeError
		if !broken(flaw, e.clientErr) || flaw != Sound && (!errors.As(e.err, &handshake) || handshake.Upstream) {
			t.Errorf("with the fault %q the client says %v, and End %v", flaw, e.clientErr, e.err)
		}
		real, _, o = world(t)
		o.Flaw = flaw
		if e := end(t, o, &tls.Config{InsecureSkipVerify: true, ServerName: "db"}, real.Server(Server{Flaw: flaw})); e.err != nil || e.clientErr != nil {
			t.Errorf("with %q a client that checks nothing says %v, and End %v", flaw, e.clientErr, e.err)
		}
	}
}

func TestUpstreamByAnotherName(t *testing.T) {
	real, ours, o := world(t)
	o.Upstream.Name = "db.production.test"
	e := end(t, o, trusting(ours, "db"), real.Server(Server{Names: []string{"db.production.test"}}))
	if err := errors.Join(e.err, e.clientErr, e.serverErr); err != nil {
		t.Fatal(err)
	}
	if got := e.server.ConnectionState().ServerName; got != "db.production.test" {
		t.Errorf("the upstream was asked for %q", got)
	}
}

func TestClientCertificate(t *testing.T) {
	real, ours, o := world(t)
	mine, err := ours.leaf([]string{"link"}, Sound)
	if err != nil {
		t.Fatal(err)
	}
	o.Upstream.Certificates = []tls.Certificate{*mine}
	server := real.Server(Server{})
	server.ClientAuth = tls.RequireAnyClientCert
	e := end(t, o, trusting(ours, "db"), server)
	if err := errors.Join(e.err, e.clientErr, e.serverErr); err != nil {
		t.Fatal(err)
	}
	if got := e.server.ConnectionState().PeerCertificates; len(got) != 1 || !got[0].Equal(mine.Leaf) {
		t.Errorf("the upstream was shown %v", got)
	}
}

// The alert of an upstream that refuses is what the client sees.
func TestEndPassesAlerts(t *testing.T) {
	for name, test := range map[string]struct {
		client, server *tls.Config
		want           string
	}{
		"protocol": {&tls.Config{NextProtos: []string{"h2"}}, &tls.Config{NextProtos: []string{"http/1.1x"}}, "no application protocol"},
		"version":  {&tls.Config{MaxVersion: tls.VersionTLS12}, &tls.Config{MinVersion: tls.VersionTLS13}, "protocol version not supported"},
	} {
		real, ours, o := world(t)
		server := real.Server(Server{})
		server.NextProtos, server.MinVersion = test.server.NextProtos, test.server.MinVersion
		client := test.client
		client.RootCAs, client.Time, client.ServerName = ours.Pool(), clock, "db"
		e := end(t, o, client, server)
		var handshake *HandshakeError
		if !errors.As(e.err, &handshake) || !handshake.Upstream {
			t.Errorf("%s: End says %v", name, e.err)
		}
		if e.clientErr == nil || !strings.Contains(e.clientErr.Error(), "remote error: tls: "+test.want) {
			t.Errorf("%s: the client says %v, want the alert %q", name, e.clientErr, test.want)
		}
	}
}

// A client of an upstream that cannot be dialled sees no TLS at all.
func TestEndRefused(t *testing.T) {
	client, server := connected(t)
	l := listen(t)
	l.Close()
	_, _, err := End(t.Context(), server, dialer(l.Addr().String()), Options{Authority: newTest(t)})
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("End says %v", err)
	}
	server.Close()
	if got, err := io.ReadAll(client); err != nil || len(got) > 0 {
		t.Errorf("the client read %q, %v", got, err)
	}
}

// An upstream that is not TLS, or goes away, is seen to go away.
func TestEndOfNoTLS(t *testing.T) {
	for _, answer := range []string{"HTTP/1.1 400 Bad Request\r\n\r\n", ""} {
		client, near := connected(t)
		upstream, server := net.Pipe()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := server.Read(make([]byte, 1<<14)); err != nil {
				t.Error(err)
			}
			_, _ = io.WriteString(server, answer)
			server.Close()
		})
		all.Go(func() {
			_, _, err := End(t.Context(), near, func(context.Context) (net.Conn, error) { return upstream, nil }, Options{Authority: newTest(t)})
			var handshake *HandshakeError
			if !errors.As(err, &handshake) || !handshake.Upstream {
				t.Errorf("End says %v", err)
			}
			near.Close()
		})
		err := tls.Client(client, &tls.Config{ServerName: "db"}).HandshakeContext(t.Context())
		if err != io.EOF {
			t.Errorf("the client says %v", err)
		}
		all.Wait()
	}
}

// A client that says something else than TLS, or nothing, ends with ctx or with
// an error, and takes the upstream's connection along.
func TestEndOfNoHello(t *testing.T) {
	for _, hello := range []string{"GET / HTTP/1.1\r\n\r\n", ""} {
		client, near := connected(t)
		upstream, server := connected(t)
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := io.WriteString(client, hello); err != nil {
			t.Fatal(err)
		}
		dial := func(context.Context) (net.Conn, error) {
			if hello == "" {
				cancel()
			}
			return upstream, nil
		}
		_, _, err := End(ctx, near, dial, Options{Authority: newTest(t)})
		var handshake *HandshakeError
		if !errors.As(err, &handshake) || handshake.Upstream || hello == "" && !errors.Is(err, context.Canceled) {
			t.Errorf("hello %q: End says %v", hello, err)
		}
		if got, err := io.ReadAll(server); err != nil || len(got) > 0 {
			t.Errorf("hello %q: the upstream read %q, %v", hello, got, err)
		}
		cancel()
	}
}

// carry carries both streams until they have ended, as a link does.
func carry(near, far *Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]*Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, err := io.Copy(struct{ io.Writer }{way[1]}, struct{ io.Reader }{way[0]})
			if err != nil {
				_ = way[1].SetLinger(0)
				way[1].Close()
				return
			}
			// It fails if the peer is gone.
			_ = way[1].CloseWrite()
		})
	}
	both.Wait()
	near.Close()
	far.Close()
}

// joined is a connection through End whose bytes are carried.
func joined(t testing.TB) (client, server *tls.Conn) {
	t.Helper()
	real, ours, o := world(t)
	e := end(t, o, trusting(ours, "db"), real.Server(Server{}))
	if err := errors.Join(e.err, e.clientErr, e.serverErr); err != nil {
		t.Fatal(err)
	}
	var carried sync.WaitGroup
	carried.Go(func() { carry(e.near, e.far) })
	t.Cleanup(func() {
		e.client.NetConn().Close()
		e.server.NetConn().Close()
		carried.Wait()
	})
	return e.client, e.server
}

// Go's own HTTP client and server speak through End as they would without.
func TestHTTP(t *testing.T) {
	for _, want := range []string{"HTTP/2.0", "HTTP/1.1"} {
		real, ours, o := world(t)
		upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			// A client that is gone has said why.
			_, _ = w.Write(body)
		}))
		upstream.TLS = real.Server(Server{})
		upstream.EnableHTTP2 = want == "HTTP/2.0"
		upstream.StartTLS()
		var carried sync.WaitGroup
		transport := &http.Transport{
			TLSClientConfig:   trusting(ours, "db"),
			ForceAttemptHTTP2: true,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				client, server := connected(t)
				carried.Go(func() {
					near, far, err := End(t.Context(), server, dialer(upstream.Listener.Addr().String()), o)
					if err != nil {
						t.Error(err)
						server.Close()
						return
					}
					carry(near, far)
				})
				return client, nil
			},
		}
		body := strings.Repeat("0123456789abcdef", 1<<14)
		answer, err := (&http.Client{Transport: transport}).Post("https://db/", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		if err != nil || string(got) != body || answer.Proto != want {
			t.Errorf("%s: %s, %d bytes of %d, %v", want, answer.Proto, len(got), len(body), err)
		}
		answer.Body.Close()
		transport.CloseIdleConnections()
		upstream.Close()
		carried.Wait()
	}
}

// Either side may finish first and still hear the other out.
func TestHalfClose(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<14)
	for _, clientFirst := range []bool{true, false} {
		first, second := joined(t)
		if !clientFirst {
			first, second = second, first
		}
		for _, turn := range [][2]*tls.Conn{{first, second}, {second, first}} {
			var wrote sync.WaitGroup
			wrote.Go(func() {
				_, err := io.WriteString(turn[0], big)
				if err := errors.Join(err, turn[0].CloseWrite()); err != nil {
					t.Error(err)
				}
			})
			got, err := io.ReadAll(turn[1])
			if err != nil || string(got) != big {
				t.Errorf("client first %v: read %d bytes of %d, %v", clientFirst, len(got), len(big), err)
			}
			wrote.Wait()
		}
	}
}

// A stream that ended with close_notify ends with it, and one that did not ends
// without.
func TestGoodbyeIsCarried(t *testing.T) {
	for _, polite := range []bool{true, false} {
		client, server := joined(t)
		if _, err := io.WriteString(server, "bye"); err != nil {
			t.Fatal(err)
		}
		if polite {
			if err := server.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		if err := server.NetConn().(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		// What came on the wire is counted below TLS: the close_notify of TLS
		// 1.3 is one more record.
		raw, err := io.ReadAll(client.NetConn())
		if err != nil {
			t.Fatal(err)
		}
		var sizes []int
		for len(raw) >= 5 {
			size := int(raw[3])<<8 | int(raw[4])
			sizes = append(sizes, size)
			raw = raw[min(len(raw), 5+size):]
		}
		const overhead = 1 + 16 // the true type, and the tag
		want := []int{len("bye") + overhead}
		if polite {
			want = append(want, 2+overhead)
		}
		if !slices.Equal(sizes, want) {
			t.Errorf("polite %v: records of %v bytes came, want %v", polite, sizes, want)
		}
	}
}

func TestResetIsCarried(t *testing.T) {
	client, server := joined(t)
	if err := server.NetConn().(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	server.NetConn().Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client reads %v", err)
	}
}

// A stream that is cut within a record is no complete one.
func TestCutRecord(t *testing.T) {
	client, server := joined(t)
	// The beginning of a record of 100 bytes.
	if _, err := server.NetConn().Write([]byte{23, 3, 3, 0, 100, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	server.NetConn().Close()
	if _, err := client.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the client reads %v", err)
	}
}

// The goodbye waits for a peer that reads slowly, like any byte.
func TestGoodbyeHasNoDeadline(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	w := &wire{Conn: server}
	if err := w.SetWriteDeadline(today.AddDate(-50, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte{1}); err == nil {
		t.Error("a deadline is not kept before the goodbye")
	}
	w.closing.Store(true)
	if err := errors.Join(server.SetWriteDeadline(time.Time{}), w.SetWriteDeadline(today.AddDate(-50, 0, 0))); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.ReadFull(client, make([]byte, 1)) }()
	if _, err := w.Write([]byte{1}); err != nil {
		t.Errorf("a deadline is kept in the goodbye: %v", err)
	}
}

func TestFlawOf(t *testing.T) {
	if _, ok := FlawOf(x509.SystemRootsError{Err: errors.New("no such file")}); ok {
		t.Error("a host without authorities is called a flaw of the upstream's certificate")
	}
	if err := (Upstream{}).Verify(tls.ConnectionState{}); err == nil {
		t.Error("no certificate is a sound one")
	}
}
