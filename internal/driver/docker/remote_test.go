package docker_test

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// TestConformanceOverTLS has the suite speak to the engine as to one of another
// host: over TCP with TLS, and links come through the tunnel.
func TestConformanceOverTLS(t *testing.T) {
	t.Parallel()
	host, certificates := overTLS(t, testdocker.Start(t).Host())
	d := newDriverWith(t, "conformance-tls", t.TempDir(), map[string]string{
		"DOCKER_HOST": host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": certificates,
	})
	p := open(t, d, "conformance-tls", "over-tls", server(t, "up"))
	p.start("up")
	p.ask("up", "hostname") // the link container has answered
	if got, want := p.fact("link.sockets"), "tunnel"; got != want {
		t.Fatalf("sockets come by %q, want %q", got, want)
	}
	conform(t, d)
}

// overTLS gives an engine's socket an address of TCP with TLS, and the directory of
// the certificate to trust.
func overTLS(t *testing.T, engine string) (host, certificates string) {
	t.Helper()
	path, ok := strings.CutPrefix(engine, "unix://")
	if !ok {
		t.Skip("the tests' engine has no socket on this host")
	}
	known := httptest.NewTLSServer(nil)
	known.Close() // what matters is its certificate
	certificates = t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: known.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(certificates, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{Certificates: known.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go join(c, path)
		}
	}()
	return "tcp://" + l.Addr().String(), certificates
}

// join carries a connection on to a Unix socket, half-closes included.
func join(c net.Conn, path string) {
	defer c.Close()
	up, err := net.Dial("unix", path)
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		_, _ = io.Copy(up, c)
		_ = up.(*net.UnixConn).CloseWrite()
	}()
	_, _ = io.Copy(c, up)
	_ = c.(*tls.Conn).CloseWrite()
}
