package authority

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// today is a date that shows a use of the wrong clock.
var today = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

func clock() time.Time { return today }

func newTest(t testing.TB, within ...string) *Authority {
	t.Helper()
	a, err := New("docgen", clock, within...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// shake makes a handshake over loopback, and gives what the client has of it.
func shake(t testing.TB, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	near, far := connected(t)
	var ended sync.WaitGroup
	ended.Go(func() {
		// The client tells what came of it.
		_ = tls.Server(far, server).HandshakeContext(t.Context())
		far.Close()
	})
	defer ended.Wait()
	c := tls.Client(near, client)
	defer near.Close()
	err := c.HandshakeContext(t.Context())
	return c.ConnectionState(), err
}

// connected gives the two ends of a connection over loopback.
func connected(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l := listen(t)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// trusting is a client that trusts an authority and asks for a name.
func trusting(a *Authority, name string) *tls.Config {
	return &tls.Config{RootCAs: a.Pool(), ServerName: name, Time: clock}
}

// broken reports how a client is told that a certificate is not sound.
func broken(flaw Flaw, err error) bool {
	var (
		verification *tls.CertificateVerificationError
		name         x509.HostnameError
		unknown      x509.UnknownAuthorityError
		invalid      x509.CertificateInvalidError
	)
	if flaw == Sound {
		return err == nil
	}
	if !errors.As(err, &verification) {
		return false
	}
	switch flaw {
	case WrongName:
		return errors.As(err, &name)
	case Untrusted:
		return errors.As(err, &unknown)
	case Expired:
		return errors.As(err, &invalid) && invalid.Reason == x509.Expired
	}
	return false
}

// dialer gives a dial function for End.
func dialer(address string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}
}
