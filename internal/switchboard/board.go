//go:build unix

package switchboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/passing"
)

// HostOptions is what Connect needs.
type HostOptions struct {
	// Stdio is the container's attached standard input and output, without the
	// engine's framing. Close must end a Read that is under way. It becomes the
	// board's.
	Stdio io.ReadWriteCloser
	// Dir is the host's directory that the container has at [Dir]. When it is
	// empty, everything passes through the tunnel.
	Dir string
	// OnRefused is told of what clients tried to reach beside their links, once
	// for each client and destination, from one goroutine. It must not call the
	// board. Nil means nobody asks.
	OnRefused func(Refused)
}

// Refused is what a client of the network tried to reach and was not let.
type Refused struct {
	Client netip.Addr
	To     netip.AddrPort // zero for a name
	Proto  string         // "tcp", "udp"; "dns" for a name
	Name   string         // what was asked for, without the last dot; empty for an address
}

// The modes of a board.
const (
	ModeSockets = "sockets"
	ModeTunnel  = "tunnel"
)

// Board commands a link container. Its methods may be called at once from several
// goroutines; when the container has gone, they fail.
type Board struct {
	tunnel  *tunnel
	control *caller
	passed  *caller // for what files answer; nil in the tunnel's mode
	pool    passing.Pool
	notes   []string
	done    chan struct{}

	mu        sync.Mutex
	gone      bool
	ends      []io.Closer       // what ends with the board
	listeners map[int]*listener // of the tunnel, by the container's number
}

var errGone = &rehearse.Error{
	Kind: rehearse.Unavailable, Msg: "the link container has ended",
	Hint: "Something removed it, or the engine was restarted: run again.",
}

// Connect waits for the link container at the other end of the streams and takes
// command of it. After an error the streams are closed.
func Connect(ctx context.Context, o HostOptions) (*Board, error) {
	t, err := hostTunnel(o.Stdio)
	if err != nil {
		return nil, errors.Join(err, o.Stdio.Close())
	}
	b := &Board{tunnel: t, done: make(chan struct{}), listeners: map[int]*listener{}}
	stop := context.AfterFunc(ctx, func() { t.Session.Close() })
	err = b.greet(o)
	if !stop() && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		b.end()
		return nil, fmt.Errorf("reach the link container: %w", err)
	}
	t.beside(func() { b.accept(o.OnRefused) })
	go func() {
		defer close(b.done)
		<-t.CloseChan()
		b.end()
	}()
	return b, nil
}

// greet says hello, and takes the Unix socket if the container can have it.
func (b *Board) greet(o HostOptions) error {
	s, err := b.tunnel.OpenStream()
	if err != nil {
		return errGone
	}
	b.control = &caller{ch: messages{s}}
	hello := request{Op: "hello"}
	var of *offer
	if o.Dir != "" {
		if of, err = newOffer(o.Dir); err != nil {
			b.notes = append(b.notes, err.Error())
		} else {
			defer of.withdraw()
			hello.Sockets, hello.Token = true, of.token
		}
	}
	r, _, err := b.control.call(hello)
	if err != nil {
		return err
	}
	b.notes = append(b.notes, r.Notes...)
	if !r.Connected {
		return nil
	}
	ch, err := of.taken()
	if err != nil {
		b.notes = append(b.notes, err.Error())
		return nil
	}
	b.passed = &caller{ch: ch}
	b.pool.Fill = func(n int) ([]*os.File, error) {
		_, files, err := b.passed.call(request{Op: "sockets", Count: n})
		return files, err
	}
	// A sandbox may let a Unix socket through, and no files.
	f, err := b.pool.Get()
	if err != nil {
		b.notes = append(b.notes, "the container cannot pass sockets: "+err.Error())
		b.passed = nil
		return ch.Close()
	}
	b.ends = append(b.ends, ch)
	return f.Close()
}

// Mode is how connections travel: [ModeSockets] or [ModeTunnel].
func (b *Board) Mode() string {
	if b.passed == nil {
		return ModeTunnel
	}
	return ModeSockets
}

// Notes says what cannot be had here, and why: sockets that pass, refusals that
// are named.
func (b *Board) Notes() []string { return b.notes }

// Done is closed when the container has gone. By then every listener is closed.
func (b *Board) Done() <-chan struct{} { return b.done }

// Close ends the container and every listener. Connections stay whoever's they
// are, but those in the tunnel end.
func (b *Board) Close() error {
	err := b.tunnel.Session.Close()
	<-b.done
	return err
}

// end is the end of everything that the board holds.
func (b *Board) end() {
	_ = b.tunnel.end()
	b.mu.Lock()
	b.gone = true
	ends := b.ends
	for _, l := range b.listeners {
		ends = append(ends, l)
	}
	b.mu.Unlock()
	b.pool.Close()
	for _, c := range ends {
		_ = c.Close() // most are closed already
	}
}

// Listen makes the container hold an address, and gives a listener on it: port 0
// is any. In the mode of sockets it is a [*net.TCPListener].
func (b *Board) Listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, err := b.listen(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s in the containers' network: %w", addr, err)
	}
	return l, nil
}

func (b *Board) listen(addr netip.AddrPort) (net.Listener, error) {
	q := request{Op: "listen", To: addr}
	if b.passed == nil {
		return b.listenTunnel(q)
	}
	q.Sockets = true
	_, files, err := b.passed.call(q)
	defer passing.CloseAll(files)
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("%d files came, not 1", len(files))
	}
	l, err := net.FileListener(files[0])
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return nil, errors.Join(errGone, l.Close())
	}
	b.ends = append(b.ends, l)
	return l, nil
}

// Dial connects to an address as the link container reaches it. It fails with
// ECONNREFUSED while nothing listens there. In the mode of sockets the connection
// is a [*net.TCPConn]; in both it has CloseWrite and SetLinger.
func (b *Board) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.passed == nil {
		return b.dialTunnel(ctx, addr)
	}
	f, err := b.pool.Get()
	if errors.Is(err, net.ErrClosed) {
		err = errGone
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s in the containers' network: %w", addr, err)
	}
	return passing.Connect(ctx, f, addr)
}

// Names says what a client finds when it asks the link container for names, at
// the address that the container itself has or that of the gateway. Case does not
// matter. It replaces what was said of the client before; names that it does not
// have do not exist.
func (b *Board) Names(client netip.Addr, names map[string]netip.Addr) error {
	return b.ask("answer the names of "+client.String(), request{Op: "names", Addr: client, Names: names})
}

// Neighbour says where in the network an address is, for one that does not answer
// when it is asked.
func (b *Board) Neighbour(addr netip.Addr, mac net.HardwareAddr) error {
	return b.ask("find "+addr.String(), request{Op: "neighbour", Addr: addr, MAC: mac.String()})
}

// Gateway makes the container the network's gateway: it holds the address and
// has no way out itself, so that what clients send elsewhere ends here. All but
// ICMP is answered at once with a message that the network is unreachable, and
// what is TCP or UDP is told to OnRefused.
func (b *Board) Gateway(addr netip.Addr) error {
	return b.ask("be the gateway "+addr.String(), request{Op: "gateway", Addr: addr})
}

func (b *Board) ask(what string, q request) error {
	if _, _, err := b.control.call(q); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
