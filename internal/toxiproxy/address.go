package toxiproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/link"
)

// address is where a proxy listens or whom it dials.
type address struct {
	network string // "tcp", "unix" or "udp"
	at      string // host:port or path
}

// lookup bounds how long the name of a host to listen on may take. A request to
// the API waits for it, though no other request does.
const lookup = 5 * time.Second

// parseAddress reads host:port, tcp:host:port, udp:host:port, unix:/path or
// unix:///path. The empty string is any free port of all interfaces, as in
// Toxiproxy.
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
	a := address{"tcp", strings.TrimPrefix(s, "tcp:")}
	if at, ok := strings.CutPrefix(s, "udp:"); ok {
		a = address{"udp", at}
	}
	_, port, err := net.SplitHostPort(a.at)
	if err != nil {
		return address{}, err
	}
	if _, err := net.LookupPort(a.network, port); err != nil {
		return address{}, fmt.Errorf("address %s: invalid port %q", s, port)
	}
	return a, nil
}

// loopback reports whether nobody but this host reaches an address that was
// resolved.
func (a address) loopback() bool {
	host, _, err := net.SplitHostPort(a.at)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// String is the address as the API shows it.
func (a address) String() string {
	if a.network == "tcp" {
		return a.at
	}
	return a.network + ":" + a.at
}

// resolve replaces the name of a host by its first IPv4 address, or its first
// address if it has none of those. It is what net.Listen does, but can be done
// before a lock is taken.
func (a address) resolve(ctx context.Context) (address, error) {
	if a.network == "unix" {
		return a, nil
	}
	host, port, err := net.SplitHostPort(a.at)
	if err != nil {
		return address{}, err
	}
	number, err := net.LookupPort(a.network, port)
	if err != nil {
		return address{}, err
	}
	if literal, _, _ := strings.Cut(host, "%"); host != "" && net.ParseIP(literal) == nil {
		ctx, cancel := context.WithTimeout(ctx, lookup)
		defer cancel()
		found, err := net.DefaultResolver.LookupIPAddr(ctx, host)
		if err != nil {
			return address{}, fmt.Errorf("listen %s: %w", a.network, err)
		}
		host = found[0].String()
		for _, ip := range found {
			if ip.IP.To4() != nil {
				host = ip.String()
				break
			}
		}
	}
	return address{a.network, net.JoinHostPort(host, strconv.Itoa(number))}, nil
}

// socket is an open address: a listener, or a net.PacketConn.
type socket interface {
	io.Closer
	serve(ctx context.Context, l *link.Link, dial link.Dial) error
	place() net.Addr
}

type streams struct{ net.Listener }

func (s streams) place() net.Addr { return s.Addr() }

func (s streams) serve(ctx context.Context, l *link.Link, dial link.Dial) error {
	return l.Serve(ctx, s.Listener, dial)
}

type datagrams struct{ net.PacketConn }

func (d datagrams) place() net.Addr { return d.LocalAddr() }

func (d datagrams) serve(ctx context.Context, l *link.Link, dial link.Dial) error {
	return l.ServePacket(ctx, d.PacketConn, dial)
}

// open opens a resolved address.
func (a address) open() (socket, error) {
	if a.network == "udp" {
		pc, err := net.ListenPacket("udp", a.at)
		if err != nil {
			return nil, err
		}
		return datagrams{pc}, nil
	}
	ln, err := a.listen()
	if err != nil {
		return nil, err
	}
	return streams{ln}, nil
}

// listen opens a resolved address of streams.
func (a address) listen() (net.Listener, error) {
	var c net.ListenConfig
	// Multipath TCP's sockets, Go's default, take no filter, which a link needs
	// to leave connects unanswered.
	c.SetMultipathTCP(false)
	ln, err := c.Listen(context.Background(), a.network, a.at)
	if a.network == "unix" && errors.Is(err, syscall.EADDRINUSE) && abandoned(a.at) {
		// A server that was killed leaves its socket behind.
		if os.Remove(a.at) == nil {
			return c.Listen(context.Background(), a.network, a.at)
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
func (a address) dialer() link.Dial {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, a.network, a.at)
	}
}

// Listen opens an address for the API, as a proxy's is opened. Its error names
// who holds an address that is in use, where that can be seen.
func Listen(ctx context.Context, at string) (net.Listener, error) {
	a, err := parseAddress(at)
	if err == nil && a.network == "udp" {
		err = fmt.Errorf("address %s: HTTP needs TCP or a Unix socket", at)
	}
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
