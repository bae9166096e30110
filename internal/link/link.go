// Package link carries the traffic of one edge between a client and its
// upstream, gives it the delay, jitter, rate and loss of the network in between,
// and breaks it on demand.
//
// [New] makes a [Link], [Link.Serve] carries what a listener accepts,
// [Link.ServePacket] what a datagram socket receives, [Link.Set] changes the
// shape and [Link.Break] the faults of everything that is carried, now and from
// now on. A connection is two directions, each of them the same pipeline:
//
//	source ─▶ read ─┬─ nothing to do: spliced, or written at once ──────▶ destination
//	                └─ follow ─ gate ─ editor ─ mangle ─ transit ─ write ┘
//
// Follow reads along and makes calls of them ([Link.Watch]), gate holds bytes or lets them vanish, the editor understands requests, mangle
// changes bytes, and transit keeps them until a flow of package shape says that
// they have arrived. Each is there only while something asks for it: a link that
// has nothing to do is two descriptors and two goroutines for each connection,
// and a buffer only while there are bytes.
//
// A shape and its faults are the only difference between a link and a wire: no
// byte is changed, lost or moved that they do not speak of; half-close, reset
// and backpressure pass through; an upstream that refuses is a reset for the
// client. No call ever waits for the traffic.
//
// What a link cannot give is a slow connect: the kernel has completed the
// client's handshake before the link knows of it. The handshake's time is added
// to the first bytes instead, see handshake.go; only below the kernel, in the
// packet tier, is it what it would be.
package link

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Link is one carried edge. Its methods may be called at once from several
// goroutines, before, during and after Serve.
type Link struct {
	spec     rehearse.LinkSpec
	tier     rehearse.Tier
	seed     uint64
	wait     wait
	epoch    time.Time // times of turns count from here
	settings atomic.Pointer[settings]
	watch    *watcher // nil when nobody watches
	tls      atomic.Pointer[EndTLS]
	up, down shape.Line
	meter    meter
	lag      lag

	// control is held by those who change something, never by the data path.
	control   sync.Mutex
	faults    []*fault // that were set, in force or not
	past      []*fault // that were taken away, the latest first
	scheduled *time.Timer
	serving   int // calls of Serve and ServePacket
	carrier   *Carrier

	mu        sync.Mutex
	sessions  map[*session]context.Context
	listeners map[*listener]bool
	nats      map[*nat]bool
}

// Dial connects to the upstream. It is called from many goroutines. Its context
// ends with the link, or with the connection that it is for; it decides itself
// how long an upstream may take to answer.
type Dial func(context.Context) (net.Conn, error)

// EndTLS dials the upstream and ends TLS on both sides, and returns the two
// connections from which plain bytes are read. flaw is what is to be wrong with
// the certificate that the client is shown, as FaultTLS has it in its code, or
// empty.
type EndTLS func(ctx context.Context, client net.Conn, dial Dial, flaw string) (near, far net.Conn, err error)

// New makes a link that is not yet running. Its tier is TierModel unless the
// spec has another. The seed makes its chances reproducible: the nth connection
// meets the same in every run. Faults of the spec are in force from now on; New
// panics on one that Fault.Validate refuses.
func New(spec rehearse.LinkSpec, seed uint64) *Link {
	// An epoch in the past keeps the time of a turn from being 0, which stands
	// for no turn.
	l := &Link{
		spec: spec, tier: spec.Tier, seed: seed, wait: waitPrecisely, epoch: time.Now().Add(-1),
		sessions: map[*session]context.Context{}, listeners: map[*listener]bool{},
		nats: map[*nat]bool{},
	}
	if l.tier == "" {
		l.tier = rehearse.TierModel
	}
	l.settings.Store(newSettings(spec.Shape, l.tier, nil))
	if err := l.Break(spec.Faults); err != nil {
		panic(fmt.Sprintf("link: internal error: faults that were not validated: %v", err))
	}
	return l
}

// Set changes the shape at once, for new connections and for live ones. What is
// already under way arrives no earlier than the former shape said; no byte is
// lost and none overtakes another. It never waits for the traffic.
func (l *Link) Set(s rehearse.Shape) {
	l.control.Lock()
	defer l.control.Unlock()
	l.apply(s)
}

// Break makes the faults those that are given and no others, at once, for new
// connections and for live ones. A fault that was there before, with the same
// value, stays as it is, with its schedule and its dose. It never waits for the
// traffic. Its error is of kind Invalid and says everything that is wrong with
// the faults; then nothing has changed.
func (l *Link) Break(faults []rehearse.Fault) error {
	l.control.Lock()
	defer l.control.Unlock()
	var problems []error
	var next []*fault
	names := map[string]bool{}
	before := make(map[rehearse.Fault]*fault, len(l.faults))
	for _, f := range l.faults {
		before[f.spec] = f
	}
	for _, spec := range faults {
		if names[spec.ID()] {
			problems = append(problems, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("two faults are called %q", spec.ID()), Hint: "Give each a name of its own.",
			})
			continue
		}
		names[spec.ID()] = true
		if f := before[spec]; f != nil {
			next = append(next, f)
			continue
		}
		f, err := newFault(spec, l.seed)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if spec.Kind == rehearse.FaultLoss && l.tier == rehearse.TierStream {
			problems = append(problems, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("fault %s: a link of tier %s loses nothing", spec.ID(), l.tier),
				Hint: fmt.Sprintf("Give the link the tier %q.", rehearse.TierModel),
			})
		}
		if spec.Kind == rehearse.FaultTLS && spec.Code != "stall" && l.tls.Load() == nil {
			problems = append(problems, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("fault %s: the link passes TLS on and shows no certificate of its own", spec.ID()),
				Hint: "Let the link end TLS, or use the code stall.",
			})
		}
		next = append(next, f)
	}
	protocols := map[wire.Protocol]bool{}
	for _, f := range next {
		if p := wire.ProtocolOf(f.spec); p != "" {
			protocols[p] = true
		}
	}
	if len(protocols) > 1 {
		problems = append(problems, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("faults of several protocols on one link: %v", slices.Sorted(maps.Keys(protocols))),
			Hint: "A link speaks one protocol: take the faults of the others away.",
		})
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	for _, f := range next {
		delete(before, f.spec)
	}
	var gone []*fault
	for _, f := range l.faults {
		if before[f.spec] == f {
			f.gone.Store(true)
			gone = append(gone, f)
		}
	}
	slices.Reverse(gone)
	l.past = append(gone, l.past...)
	l.past = slices.Clone(l.past[:min(len(l.past), maxPast)])
	l.faults = next
	l.apply(l.settings.Load().shape)
	return nil
}

// maxPast is how many faults that were taken away are remembered.
const maxPast = 1000

// Faults are the faults that are set, in force or not.
func (l *Link) Faults() []rehearse.Fault {
	l.control.Lock()
	defer l.control.Unlock()
	out := make([]rehearse.Fault, len(l.faults))
	for i, f := range l.faults {
		out[i] = f.spec
	}
	return out
}

// EndTLS has the link end TLS on connections from now on. It is called before
// Serve.
func (l *Link) EndTLS(end EndTLS) { l.tls.Store(&end) }

// Carrier carries the shape of a link of TierPacket, below it. Its functions
// must not wait.
type Carrier struct {
	// Set changes the shape.
	Set func(rehearse.Shape)
	// Delay is what the carrier asked of packets, gave them, and was off by.
	Delay func() (asked, given, off rehearse.Quantiles)
}

// CarriedBy says who carries the link's shape, and gives it to him.
func (l *Link) CarriedBy(c Carrier) {
	l.control.Lock()
	defer l.control.Unlock()
	l.carrier = &c
	l.apply(l.settings.Load().shape)
}

// apply puts a shape and the faults whose time it is in force, and comes back
// when a schedule says so. The caller holds control.
func (l *Link) apply(s rehearse.Shape) {
	now := time.Now()
	var active []*fault
	var next time.Time
	for _, f := range l.faults {
		on, change := f.active(now)
		if on {
			active = append(active, f)
		}
		if !change.IsZero() && (next.IsZero() || change.Before(next)) {
			next = change
		}
	}
	if l.scheduled != nil {
		l.scheduled.Stop()
		l.scheduled = nil
	}
	if !next.IsZero() && l.serving > 0 {
		l.scheduled = time.AfterFunc(time.Until(next), func() {
			l.control.Lock()
			defer l.control.Unlock()
			l.apply(l.settings.Load().shape)
		})
	}
	if l.carrier != nil {
		l.carrier.Set(s)
	}
	old := l.settings.Swap(newSettings(s, l.tier, active))

	l.mu.Lock()
	sessions := make([]*session, 0, len(l.sessions))
	for session := range l.sessions {
		sessions = append(sessions, session)
	}
	for ln := range l.listeners {
		ln.set(openingOf(active))
	}
	nats := slices.Collect(maps.Keys(l.nats))
	for _, n := range nats {
		n.socket.refuse(refusesAll(active))
	}
	l.mu.Unlock()
	for _, n := range nats {
		n.refresh()
	}
	for _, session := range sessions {
		session.refresh()
	}
	old.base.supersede()
}

// Shape is the shape in force.
func (l *Link) Shape() rehearse.Shape { return l.settings.Load().shape }

// Tier is how the link carries its shape.
func (l *Link) Tier() rehearse.Tier { return l.tier }

// Stats is what the link has seen so far. It reads counters only and never waits
// for the traffic. A chunk counts when it is handed to its destination.
func (l *Link) Stats() rehearse.LinkStats {
	s := l.meter.stats()
	s.ID = l.spec.ID
	s.Shape, s.Tier = l.Shape(), l.tier
	l.control.Lock()
	defer l.control.Unlock()
	if l.carrier != nil {
		s.DelayAsked, s.DelayGiven, s.DelayError = l.carrier.Delay()
	}
	now := time.Now()
	for _, f := range slices.Concat(l.faults, l.past) {
		s.Doses = append(s.Doses, f.dose(now))
	}
	return s
}

// Serve accepts connections on ln, dials the upstream once for each, and carries
// them until ctx ends; then it closes ln, resets what is still open, and returns
// nil once every connection that it started has been closed and dial has
// returned. When ln fails before that, it ends in the same way and returns the
// listener's error. It may be called for several listeners at once.
func (l *Link) Serve(ctx context.Context, ln net.Listener, dial Dial) error {
	ctx, cancel := context.WithCancel(ctx)
	gate := newListener(ln)
	l.mu.Lock()
	l.listeners[gate] = true
	l.mu.Unlock()
	l.serves(1)
	defer l.serves(-1)

	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer context.AfterFunc(ctx, func() {
		ln.Close()
		l.endAll(ctx)
	})()
	defer func() {
		cancel()
		ln.Close()
		gate.set(opened)
		l.mu.Lock()
		delete(l.listeners, gate)
		l.mu.Unlock()
		l.endAll(ctx)
	}()
	for {
		conn, err := gate.Accept()
		at := time.Now()
		state, changed := gate.current()
		switch {
		case err == nil && gate.ours(conn):
			conn.Close()
		case err == nil:
			for crowded(conn) && l.wait(time.Now().Add(10*time.Millisecond), ctx.Done(), nil) {
				// This client waits, and those behind it in the backlog.
			}
			sessions.Go(func() { l.carry(ctx, conn, at, dial, &sessions) })
		case ctx.Err() != nil:
			return nil
		case state != opened:
			select {
			case <-changed:
			case <-ctx.Done():
			}
		case errors.Is(err, syscall.EINVAL) || isTimeout(err):
			// It was opened again just now.
		case exhausted(err):
			// The process is out of descriptors or memory for a moment. The
			// client waits in the backlog, as it would for a busy server.
			l.wait(time.Now().Add(10*time.Millisecond), ctx.Done(), nil)
		default:
			return fmt.Errorf("link %s: accept: %w", l.spec.ID, err)
		}
	}
}

// serves counts those who serve, and puts what is set in force for a new one.
// Schedules run only while there is somebody to run for.
func (l *Link) serves(n int) {
	l.control.Lock()
	defer l.control.Unlock()
	l.serving += n
	l.apply(l.settings.Load().shape)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// exhausted reports whether accepting may work again a little later.
func exhausted(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// admit makes a new connection one of the link's, and reports false, and counts
// it, when a fault refuses it.
func (l *Link) admit(ctx context.Context, s *session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.settings.Load().faults {
		switch f.spec.Kind {
		case rehearse.FaultRefuse:
			if !f.touches(f.spec.Probability, s.number) {
				continue
			}
		case rehearse.FaultLimit:
			// Those that were refused are not open, though active counts them
			// until they are closed.
			if len(l.sessions) < f.spec.Count || !f.touches(f.spec.Probability, s.number) {
				continue
			}
		default:
			continue
		}
		f.connections.Add(1)
		return false
	}
	l.sessions[s] = ctx
	return true
}

func (l *Link) remove(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sessions, s)
}

// endAll ends the sessions of one call of Serve.
func (l *Link) endAll(ctx context.Context) {
	l.mu.Lock()
	var sessions []*session
	for s, of := range l.sessions {
		if of == ctx {
			sessions = append(sessions, s)
		}
	}
	l.mu.Unlock()
	for _, s := range sessions {
		s.end()
	}
}
