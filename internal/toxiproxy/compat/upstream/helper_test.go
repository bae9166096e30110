// Package toxiproxy_test is where Toxiproxy's own tests of its API and Go client
// are built: its api_test.go is laid over this directory, see ../compat_test.go.
package toxiproxy_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// AssertProxyUp is what those tests have in another file: whether an address
// accepts connections. There is no upstream behind the proxies of these tests,
// so a connection is reset, at times before the client knows that it has one. A
// proxy that is down refuses.
func AssertProxyUp(t *testing.T, addr string, up bool) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if isUp := err == nil || errors.Is(err, syscall.ECONNRESET); isUp != up {
		t.Errorf("%s is up: %v, want %v (%v)", addr, isUp, up, err)
	}
	return conn
}
