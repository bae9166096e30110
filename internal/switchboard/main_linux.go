package switchboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/rehearse-dev/rehearse/internal/passing"
)

// Options is what the container's program needs.
type Options struct {
	// Stdin and Stdout are the way to the host. Main closes them, which must end
	// a Read and a Write that are under way.
	Stdin  io.ReadCloser
	Stdout io.WriteCloser
	// Dir is where the host's Unix socket may be found; Interface is whose
	// addresses are managed.
	Dir, Interface string
}

// helloWait is how long the host has to say hello. One that died before it could
// must not leave us behind.
const helloWait = 30 * time.Second

// Main runs the program of the link container until its standard input ends,
// which is no error, or ctx does, or no host has come in time.
func Main(ctx context.Context, o Options) error {
	t, err := containerTunnel(streams{o.Stdin, o.Stdout})
	if err != nil {
		return err
	}
	p := &panel{o: o, t: t, own: map[netip.Addr]bool{}, listeners: map[int]net.Listener{}, refused: newRefusals()}
	life, stop := context.WithCancel(ctx)
	defer p.end()
	defer stop()
	defer context.AfterFunc(life, func() { t.Session.Close() })()
	soon, cancel := context.WithTimeout(life, helloWait)
	defer cancel()
	control, err := t.AcceptStreamWithContext(soon)
	switch {
	case t.IsClosed():
		return nil
	case err != nil:
		return fmt.Errorf("no host has said hello: %w", err)
	}
	if err := p.hello(life, control); err != nil {
		return err
	}
	t.beside(func() { p.dials(life) })
	p.serve(messages{control})
	return nil
}

// streams are standard input and output as one.
type streams struct {
	io.ReadCloser
	out io.WriteCloser
}

func (s streams) Write(p []byte) (int, error) { return s.out.Write(p) }

func (s streams) Close() error { return errors.Join(s.ReadCloser.Close(), s.out.Close()) }

// panel is the state of the container's program.
type panel struct {
	o Options
	t *tunnel

	mu        sync.Mutex
	own       map[netip.Addr]bool // every address that we hold
	listeners map[int]net.Listener
	next      int

	refused *refusalLog
	names   *nameServer
	passed  *passing.Channel
	watch   *watcher
}

// end ends what the program has opened. The tunnel ends first, and with it
// whatever waits for the host.
func (p *panel) end() {
	_ = p.t.Session.Close()
	p.mu.Lock()
	for _, l := range p.listeners {
		l.Close()
	}
	p.mu.Unlock()
	if p.names != nil {
		p.names.close()
	}
	if p.watch != nil {
		p.watch.close()
	}
	if p.passed != nil {
		p.passed.Close()
	}
	_ = p.t.end()
}

// hello answers the host's first request, and opens what it may ask for.
func (p *panel) hello(ctx context.Context, control *yamux.Stream) error {
	_ = control.SetReadDeadline(time.Now().Add(helloWait))
	var q request
	if err := readMessage(control, &q); err != nil {
		return fmt.Errorf("no host has said hello: %w", err)
	}
	_ = control.SetReadDeadline(time.Time{})
	var r reply
	err := p.prepare(ctx, q, &r)
	r.fail(err)
	return errors.Join(err, writeMessage(control, r))
}

func (p *panel) prepare(ctx context.Context, q request, r *reply) error {
	addrs, err := addresses(p.o.Interface)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		p.own[a] = true
	}
	p.names = newNameServer(addrs, p.refused)
	if p.watch, err = watch(p.holds, p.refused); err != nil {
		r.Notes = append(r.Notes, "what clients send elsewhere is not seen: "+err.Error())
	} else {
		p.t.beside(p.watch.run)
	}
	p.t.beside(func() { p.refused.send(p.t) })
	if !q.Sockets {
		return nil
	}
	if p.passed, err = connectHost(ctx, p.o.Dir, q.Token); err != nil {
		r.Notes = append(r.Notes, "sockets are not passed: "+err.Error())
		return nil
	}
	r.Connected = true
	p.t.beside(func() { p.serve(p.passed) })
	return nil
}

// connectHost finds the host at its Unix socket.
func connectHost(ctx context.Context, dir, token string) (*passing.Channel, error) {
	// A sandbox's answer may not come.
	ctx, cancel := context.WithTimeout(ctx, offerWait)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", filepath.Join(dir, socketName))
	if err != nil {
		return nil, err
	}
	ch := passing.FromConn(c.(*net.UnixConn))
	if err := ch.Write(greeting{Token: token}); err != nil {
		return nil, errors.Join(err, ch.Close())
	}
	return ch, nil
}

// serve answers the requests of one channel, in turn, until it ends.
func (p *panel) serve(ch channel) {
	for {
		var q request
		files, err := ch.Read(&q)
		passing.CloseAll(files) // none are expected
		if err != nil {
			return
		}
		var r reply
		out, err := p.do(q, &r)
		r.fail(err)
		err = ch.Write(r, out...)
		passing.CloseAll(out)
		if err != nil {
			return
		}
	}
}

func (p *panel) do(q request, r *reply) ([]*os.File, error) {
	switch q.Op {
	case "listen":
		return p.listen(q, r)
	case "unlisten":
		return nil, p.unlisten(q.ID)
	case "sockets":
		return sockets(q.Count)
	case "names":
		return nil, p.names.set(q.Addr, q.Names)
	case "neighbour":
		mac, err := net.ParseMAC(q.MAC)
		if err != nil {
			return nil, err
		}
		return nil, setNeighbour(p.o.Interface, q.Addr, mac)
	case "gateway":
		return nil, p.gateway(q.Addr)
	}
	return nil, fmt.Errorf("unknown request %q", q.Op)
}

// hold adds an address to the interface.
func (p *panel) hold(addr netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.own[addr] {
		return nil
	}
	if err := addAddress(p.o.Interface, addr); err != nil {
		return err
	}
	p.own[addr] = true
	return nil
}

// holds is whether an address is ours.
func (p *panel) holds(addr netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.own[addr]
}

// gateway makes us the network's way out, which leads nowhere.
func (p *panel) gateway(addr netip.Addr) error {
	if err := deleteDefaultRoutes(); err != nil {
		return err
	}
	// Whoever asks for names as soon as somebody has the address finds an answer.
	if err := p.names.serveAt(addr); err != nil {
		return err
	}
	return p.hold(addr)
}
