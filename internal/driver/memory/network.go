package memory

import (
	"context"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
)

// backlog is how many connections a listener holds that nobody has accepted.
// More have to wait, as on Linux, where their first packet is dropped.
const backlog = 128

// anywhere is the address of a listener on all addresses of its network.
const anywhere = "0.0.0.0"

// network is what one service sees: a whole port space on its loopback
// addresses, and names for some of them.
type network struct {
	mu        sync.Mutex
	listeners map[addr]*listener
	upstreams []*upstream
	next      int  // the last port that was given out unasked
	down      bool // nothing listens any more, for good
}

// upstream is what the links of one upstream look like in a client's network.
type upstream struct {
	host  string
	names []string
	ports []int
}

func newNetwork() *network {
	return &network{listeners: map[addr]*listener{}, next: 32767}
}

// link opens a link's listener. All ports of an upstream have one address,
// which the names of the first listener stand for.
func (n *network) link(names []string, port int) (*listener, error) {
	n.mu.Lock()
	i := slices.IndexFunc(n.upstreams, func(u *upstream) bool { return u.names[0] == names[0] })
	if i < 0 {
		i = len(n.upstreams)
		host := net.IPv4(127, 0, byte((i+2)>>8), byte(i+2)).String() // 127.0.0.1 is the service's own
		n.upstreams = append(n.upstreams, &upstream{host: host, names: slices.Clone(names)})
	}
	u := n.upstreams[i]
	n.mu.Unlock()
	l, err := n.listen(addr{u.host, port}, nil)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	u.ports = append(u.ports, l.at.port)
	return l, nil
}

// names is what /etc/hosts would say now.
func (n *network) names() map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := map[string]string{}
	for _, u := range n.upstreams {
		for _, name := range u.names {
			if _, taken := m[name]; !taken {
				m[name] = u.host
			}
		}
	}
	return m
}

// port is the first port of the upstream with this name.
func (n *network) port(name string) (int, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, u := range n.upstreams {
		if len(u.ports) > 0 && slices.Contains(u.names, name) {
			return u.ports[0], true
		}
	}
	return 0, false
}

// listen opens a listener for a process, or for a link when owner is nil.
func (n *network) listen(at addr, owner *process) (*listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: at, Err: net.ErrClosed}
	}
	if at.port < 0 || at.port > 65535 {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: at, Err: &net.AddrError{Err: "invalid port", Addr: strconv.Itoa(at.port)}}
	}
	if at.port == 0 {
		at.port = n.free(at.host)
	}
	if n.listeners[at] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: at, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &listener{network: n, owner: owner, at: at, queue: make(chan *conn, backlog), closed: make(chan struct{})}
	n.listeners[at] = l
	return l, nil
}

// free finds a port for which nobody asked. The caller holds the lock.
func (n *network) free(host string) int {
	for {
		n.next++
		if n.next > 60999 {
			n.next = 32768
		}
		if n.listeners[addr{host, n.next}] == nil {
			return n.next
		}
	}
}

// dial connects to a listener of this network. A listener on one address goes
// before one on all, which a kernel would not allow side by side.
func (n *network) dial(ctx context.Context, from string, to addr) (*conn, error) {
	fail := func(err error) (*conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: to, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	n.mu.Lock()
	l := n.listeners[to]
	if l == nil {
		l = n.listeners[addr{anywhere, to.port}]
	}
	local := addr{from, n.free(from)}
	n.mu.Unlock()
	if l == nil {
		return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	ours, theirs := pair(local, to)
	if err := l.take(ctx, theirs); err != nil {
		return fail(err)
	}
	return ours, nil
}

// end closes every listener; there will be no other.
func (n *network) end() {
	n.mu.Lock()
	n.down = true
	var all []*listener
	for _, l := range n.listeners {
		all = append(all, l)
	}
	n.mu.Unlock()
	for _, l := range all {
		l.Close()
	}
}

// listener is a net.Listener. Connections count as made when they are queued,
// as a kernel's do; those that nobody has accepted when it closes are reset.
type listener struct {
	network *network
	owner   *process // nil for a link's
	at      addr
	queue   chan *conn
	close   sync.Once
	closed  chan struct{}
}

var _ net.Listener = (*listener)(nil)

// take queues a connection, as soon as there is room.
func (l *listener) take(ctx context.Context, c *conn) error {
	select {
	case l.queue <- c:
	case <-l.closed:
		return os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-l.closed: // perhaps after the queue was emptied
		l.drain()
	default:
	}
	return nil
}

// Accept waits for a connection.
func (l *listener) Accept() (net.Conn, error) {
	for {
		select {
		case <-l.closed:
			return nil, l.wrap("accept")
		default:
		}
		select {
		case c := <-l.queue:
			if l.owner == nil || l.owner.own(c) {
				return c, nil
			}
		case <-l.closed:
		}
	}
}

// Close frees the address.
func (l *listener) Close() error {
	err := l.wrap("close")
	l.close.Do(func() {
		err = nil
		l.network.mu.Lock()
		delete(l.network.listeners, l.at)
		l.network.mu.Unlock()
		close(l.closed)
		l.drain()
		if l.owner != nil {
			l.owner.disown(l)
		}
	})
	return err
}

func (l *listener) reset() { l.Close() }

func (l *listener) drain() {
	for {
		select {
		case c := <-l.queue:
			c.reset()
		default:
			return
		}
	}
}

// Addr is where it listens.
func (l *listener) Addr() net.Addr { return l.at }

func (l *listener) wrap(op string) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: l.at, Err: net.ErrClosed}
}
