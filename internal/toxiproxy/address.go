package toxiproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// address is where a proxy listens or whom it dials.
type address struct {
	network string // "tcp" or "unix"
	at      string // host:port or path
}

// lookup bounds how long the name of a host to listen on may take. A request to
// the API waits for it, though no other request does.
const lookup = 5 * time.Second

// parseAddress reads host:port, tcp:host:port, unix:/path or unix:///path. The
// empty string is any free port of all interfaces, as in Toxiproxy.
func parseAddress(s string) (address, error) {
	if s == "" {
		return address{"tcp", ":0"}, nil
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		path = "/" + strings.TrimLeft(path, "/")
		if path == "/" {
			return address{}, fmt.Errorf("address %s: missing path", s)
		}
		if longest := len(syscall.RawSockaddrUnix{}.Path) - 1; len(path) > longest {
			return address{}, fmt.Errorf("address %s: the path of a socket has at most %d bytes", s, longest)
		}
		return address{"unix", path}, nil
	}
	if strings.HasPrefix(s, "udp:") {
		return address{}, fmt.Errorf("address %s: only TCP and Unix sockets are proxied", s)
	}
	at := strings.TrimPrefix(s, "tcp:")
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		return address{}, err
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return address{}, fmt.Errorf("address %s: invalid port %q", s, port)
	}
	return address{"tcp", at}, nil
}

// String is the address as the API shows it.
func (a address) String() string {
	if a.network == "unix" {
		return "unix:" + a.at
	}
	return a.at
}

// resolve replaces the name of a host by its first IPv4 address, or its first
// address if it has none of those. It is what net.Listen does, but can be done
// before a lock is taken.
func (a address) resolve(ctx context.Context) (address, error) {
	if a.network != "tcp" {
		return a, nil
	}
	host, port, err := net.SplitHostPort(a.at)
	if err != nil {
		return address{}, err
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return address{}, err
	}
	if literal, _, _ := strings.Cut(host, "%"); host != "" && net.ParseIP(literal) == nil {
		ctx, cancel := context.WithTimeout(ctx, lookup)
		defer cancel()
		found, err := net.DefaultResolver.LookupIPAddr(ctx, host)
		if err != nil {
			return address{}, fmt.Errorf("listen tcp: %w", err)
		}
		host = found[0].String()
		for _, ip := range found {
			if ip.IP.To4() != nil {
				host = ip.String()
				break
			}
		}
	}
	return address{"tcp", net.JoinHostPort(host, strconv.Itoa(number))}, nil
}

// listen opens a resolved address.
func (a address) listen() (net.Listener, error) {
	ln, err := net.Listen(a.network, a.at)
	if a.network == "unix" && errors.Is(err, syscall.EADDRINUSE) && abandoned(a.at) {
		// A server that was killed leaves its socket behind.
		if os.Remove(a.at) == nil {
			return net.Listen(a.network, a.at)
		}
	}
	return ln, err
}

// abandoned reports whether a path is a socket that nobody listens on.
func abandoned(path string) bool {
	if st, err := os.Lstat(path); err != nil || st.Mode()&os.ModeSocket == 0 {
		return false
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// dialer dials an upstream. It has no time-out of its own: what the client sees
// of an upstream that does not answer is what it would see without the proxy.
func (a address) dialer() func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, a.network, a.at)
	}
}

// Listen opens an address for the API, as a proxy's is opened. Its error names
// who holds an address that is in use, where that can be seen.
func Listen(ctx context.Context, at string) (net.Listener, error) {
	a, err := parseAddress(at)
	if err != nil {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: "listen: " + err.Error()}
	}
	if a, err = a.resolve(ctx); err != nil {
		return nil, explain(err).wrap()
	}
	ln, err := a.listen()
	if err != nil {
		return nil, explain(&listenError{at: a, err: err}).wrap()
	}
	return ln, nil
}
