package peers

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/authority"
	"github.com/rehearse-dev/rehearse/internal/link"
)

// body is what requests send and answers return.
var body = payload(64 << 10)

// echo answers with what it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client sees a connection that ends
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	w.Header().Set("X-Served", "yes")
	if v := r.Header.Get("X-Asked"); v != "" {
		w.Header().Set("X-Heard", v)
	}
	w.Write(b)
}

// serveHTTP runs a server of HTTP/1.1 and HTTP/2 until the test ends, with TLS
// when it is given a configuration.
func serveHTTP(t testing.TB, handler http.Handler, config *tls.Config) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	// It would speak of every connection that a fault has broken.
	s := &http.Server{Handler: handler, Protocols: protocols, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() {
		if config != nil {
			served <- s.ServeTLS(ln, "", "")
		} else {
			served <- s.Serve(ln)
		}
	}()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	return ln.Addr().String()
}

// secured is how a client reaches a server.
type secured struct {
	name   string // "", "tls" or "tls-ended"
	link   func(t testing.TB, tier rehearse.Tier) carried
	scheme string
	trusts *authority.Authority // nil without TLS
	ca     string               // file of that
}

// ways are a plain link, one that passes TLS on, and one that ends it.
func ways(t *testing.T, handler http.Handler) (plain, passed, ended secured) {
	t.Helper()
	a := newAuthorities(t)
	dir := t.TempDir()
	file := func(name string, of *authority.Authority) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, of.PEM(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := serveHTTP(t, handler, nil)
	shut := serveHTTP(t, handler, a.upstream.Server(authority.Server{Protocols: []string{"h2", "http/1.1"}}))
	to := func(upstream string, end link.EndTLS) func(testing.TB, rehearse.Tier) carried {
		return func(t testing.TB, tier rehearse.Tier) carried { return serveStream(t, tier, "tcp", upstream, end) }
	}
	plain = secured{link: to(open, nil), scheme: "http"}
	passed = secured{name: "-tls", link: to(shut, nil), scheme: "https", trusts: a.upstream, ca: file("upstream.pem", a.upstream)}
	ended = secured{name: "-tls-ended", link: to(shut, a.end), scheme: "https", trusts: a.link, ca: file("link.pem", a.link)}
	return plain, passed, ended
}

// pool trusts whoever signs what the client is shown.
func (s secured) pool() *x509.CertPool {
	if s.trusts == nil {
		return nil
	}
	return s.trusts.Pool()
}

// curl is curl with some options, in a connection of its own. With HTTP/2 it is
// abrupt.
func curl(name string, s secured, abrupt bool, options ...string) peer {
	use := func(ctx context.Context, c carried) error {
		got, err := s.curl(ctx, c, options...)
		if err != nil {
			return err
		}
		return same(name, got, body)
	}
	return peer{name: name + s.name, use: use, abrupt: abrupt, link: s.link, handshakes: s.trusts != nil, checked: s.name == "-tls", says: map[ending]string{
		refused: `exit status 7:.*(refused|Couldn't connect)`,
		reset:   `exit status (7|16|35|55|56):`,
		closed:  `exit status (16|18|35|52|55|56|92):`,
	}}
}

func (s secured) curl(ctx context.Context, c carried, options ...string) ([]byte, error) {
	args := []string{"-sS", "--fail", "--noproxy", "*", "-H", "Expect:", "--data-binary", "@-", s.scheme + "://localhost:" + c.port() + "/echo",
		"--connect-to", "localhost:" + c.port() + ":127.0.0.1:" + c.port()}
	if s.ca != "" {
		args = append(args, "--cacert", s.ca)
	}
	return run(ctx, body, "curl", append(args, options...)...)
}

// goHTTP is Go's own client, which keeps its connection.
func goHTTP(name string, s secured, second bool) peer {
	return peer{name: name + s.name, link: s.link, handshakes: s.trusts != nil, checked: s.name == "-tls",
		open: func(_ context.Context, c carried) (conversation, error) {
			return newRoundTripper(c, s, second), nil
		},
		says: map[ending]string{
			refused: `connection refused`,
			// The kernel tells of a reset once, to a read or to a write.
			reset:  `reset by peer|broken pipe|EOF|connection los[ts]|could not be established|use of closed network connection`,
			closed: `EOF|broken pipe|reset by peer|connection los[ts]|could not be established|use of closed network connection`,
		},
	}
}

type roundTripper struct {
	client *http.Client
	url    string
}

func newRoundTripper(c carried, s secured, second bool) roundTripper {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!second)
	protocols.SetHTTP2(second)
	protocols.SetUnencryptedHTTP2(second && s.trusts == nil)
	return roundTripper{
		client: &http.Client{Transport: &http.Transport{
			Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: s.pool(), ServerName: "localhost"},
			TLSHandshakeTimeout: bound,
		}},
		url: s.scheme + "://" + c.addr + "/echo",
	}
}

func (r roundTripper) exchange(ctx context.Context) error {
	// Not a reader that could be read again: a request that is repeated behind
	// our back would hide what became of its connection.
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, struct{ io.Reader }{bytes.NewReader(body)})
	if err != nil {
		return err
	}
	q.ContentLength = int64(len(body))
	a, err := r.client.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	got, err := io.ReadAll(a.Body)
	if err != nil {
		return err
	}
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", a.StatusCode)
	}
	return same("answer", got, body)
}

func (r roundTripper) Close() error {
	r.client.CloseIdleConnections()
	return nil
}

func TestHTTP(t *testing.T) {
	plain, passed, ended := ways(t, http.HandlerFunc(echo))
	matrix(t, []peer{
		goHTTP("http", plain, false),
		goHTTP("h2c", plain, true),
		goHTTP("h2", passed, true),
		goHTTP("h2", ended, true),
	}, append(streams, handshakes))
}

func TestCurl(t *testing.T) {
	needs(t, "curl", "curl")
	plain, passed, ended := ways(t, http.HandlerFunc(echo))
	matrix(t, []peer{curl("http", plain, false, "--http1.1"), curl("h2", ended, true, "--http2")}, connects)
	matrix(t, []peer{
		curl("http", plain, false, "--http1.1"),
		curl("h2c", plain, true, "--http2-prior-knowledge"),
		curl("http", ended, false, "--http1.1"),
		curl("h2", passed, true, "--http2"),
		curl("h2", ended, true, "--http2"),
	}, append(streams, handshakes))
}
