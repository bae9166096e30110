package peers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// bound is the longest that anything here may take. It is far beyond what any
// cell needs: only something that hangs meets it.
const bound = 20 * time.Second

// peer is a real client, and the real server that it uses through a link.
type peer struct {
	name string
	// use does something over connections of its own, which it closes, and
	// compares what it has got with what it should have: errWrong if it differs.
	use func(ctx context.Context, c carried) error
	// open connects, for a client that can keep its connection. use may be nil
	// then.
	open func(ctx context.Context, c carried) (conversation, error)
	// link runs a link to the server.
	link func(t testing.TB, tier rehearse.Tier) carried
	// says is what the client's errors look like, by how the connection ended.
	says map[ending]string
	// checked: the protocol finds every bit that was changed.
	checked bool
	// handshakes: its connections begin with a handshake of TLS that the link
	// passes on or ends.
	handshakes bool
	// takes changes what a fault means to the peer, and may be nil.
	takes func(breakage) breakage
	// abrupt: it closes its connections with bytes unread, which is a reset and
	// not an end.
	abrupt bool
	tiers  []rehearse.Tier // nil: stream and model
}

// conversation is a client that keeps its connection.
type conversation interface {
	// exchange sends, receives and compares.
	exchange(ctx context.Context) error
	Close() error
}

// errWrong is data that came back other than it was, unnoticed by the protocol.
var errWrong = errors.New("wrong data")

// once uses a peer in a connection of its own.
func (p peer) once(ctx context.Context, c carried) error {
	if p.use != nil {
		return p.use(ctx, c)
	}
	v, err := p.open(ctx, c)
	if err != nil {
		return err
	}
	defer v.Close()
	return v.exchange(ctx)
}

// ending is how an operation comes to its end.
type ending string

const (
	works   ending = "works"   // and its data are right
	refused ending = "refused" // as if nobody listened
	reset   ending = "reset"
	closed  ending = "closed"  // in good order, but too early
	either  ending = "either"  // it works, or it ends with an error of any kind
	changed ending = "changed" // an error of any kind, changed data, or a client that waits for more
)

// measure is what a fault's dose must be.
type measure int

const (
	nothing       measure = iota // it touches nothing
	ofConnections                // it touches connections
	ofBytes                      // and bytes of them
	unseen                       // nobody can tell: as where the kernel keeps connections from the link
)

// breakage is one fault and what it promises.
type breakage struct {
	name  string // empty is the fault's kind
	fault rehearse.Fault
	want  ending
	dose  measure
	// held: the operation does not end before the fault is taken away, and only
	// then as want says.
	held bool
	// fresh and live: it is for connections that come after it, or that were
	// there before. Neither is both.
	fresh, live bool
	// occupied: a connection is open already.
	occupied bool
	tier     rehearse.Tier // the only one, or empty
}

func ms(n int) rehearse.Duration { return rehearse.Duration(n) * rehearse.Duration(time.Millisecond) }

// streams are the faults of paths and of connections, as a stream meets them.
var streams = []breakage{
	{fault: rehearse.Fault{Kind: rehearse.FaultDelay, Delay: ms(3), Jitter: ms(1)}, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultLoss, Share: 0.02}, want: works, dose: ofBytes, tier: rehearse.TierModel},
	{fault: rehearse.Fault{Kind: rehearse.FaultRate, Rate: 32e6}, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultDuplicate, Share: 0.5}, want: works, dose: nothing},
	{fault: rehearse.Fault{Kind: rehearse.FaultReorder, Share: 0.5}, want: works, dose: nothing},
	{fault: rehearse.Fault{Kind: rehearse.FaultSlice, Size: 700, Variation: 500, Delay: rehearse.Duration(50 * time.Microsecond)}, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultSlowClose, Delay: ms(30)}, want: works, dose: ofConnections},
	{fault: rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: 1}, want: changed, dose: ofBytes},

	// Of a new connection the whole of a partition would keep the SYN.
	{fault: rehearse.Fault{Kind: rehearse.FaultPartition, Direction: rehearse.Down}, held: true, want: works, dose: ofBytes},
	{name: "partition-both", fault: rehearse.Fault{Kind: rehearse.FaultPartition}, held: true, live: true, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultBlackhole, Direction: rehearse.Down}, held: true, want: reset, dose: ofBytes},
	{name: "blackhole-both", fault: rehearse.Fault{Kind: rehearse.FaultBlackhole}, held: true, live: true, want: reset, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultStall, Bytes: 1000}, held: true, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultHalfOpen}, held: true, want: reset, dose: ofConnections},
	{fault: rehearse.Fault{Kind: rehearse.FaultTimeout}, held: true, want: closed, dose: ofBytes},
	{name: "timeout-after", fault: rehearse.Fault{Kind: rehearse.FaultTimeout, Delay: ms(50)}, want: closed, dose: ofConnections},
	{fault: rehearse.Fault{Kind: rehearse.FaultReset}, want: reset, dose: ofConnections},
	{fault: rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 1000}, want: closed, dose: ofConnections},

	{fault: rehearse.Fault{Kind: rehearse.FaultRefuse}, fresh: true, want: refused, dose: unseen},
	{name: "refuse-live", fault: rehearse.Fault{Kind: rehearse.FaultRefuse}, live: true, want: works, dose: nothing},
	// The kernel cannot refuse some and not others: each is reset.
	{name: "refuse-some", fault: rehearse.Fault{Kind: rehearse.FaultRefuse, Probability: 0.999999}, fresh: true, want: reset, dose: ofConnections},
	{fault: rehearse.Fault{Kind: rehearse.FaultLimit, Count: 1}, fresh: true, occupied: true, want: reset, dose: ofConnections},
	{name: "limit-live", fault: rehearse.Fault{Kind: rehearse.FaultLimit, Count: 1}, live: true, want: works, dose: nothing},
	{name: "scheduled", fault: rehearse.Fault{Kind: rehearse.FaultReset, Schedule: rehearse.Schedule{After: rehearse.Duration(time.Hour)}}, want: works, dose: nothing},
}

// handshakes is a fault of streams that begin with a handshake of TLS.
var handshakes = breakage{
	name: "tls-stall", fault: rehearse.Fault{Kind: rehearse.FaultTLS, Code: "stall"}, fresh: true, held: true, want: works, dose: ofConnections,
}

// connects are faults that keep the whole of a connect, so that the link hears
// nothing of it: the client's kernel asks again after a second.
var connects = []breakage{
	{name: "partition-connect", fault: rehearse.Fault{Kind: rehearse.FaultPartition}, fresh: true, held: true, want: works, dose: unseen},
	{name: "blackhole-connect", fault: rehearse.Fault{Kind: rehearse.FaultBlackhole}, fresh: true, held: true, want: works, dose: unseen},
}

// bystander is set beside every fault and touches nothing, ever.
var bystander = rehearse.Fault{
	Name: "bystander", Kind: rehearse.FaultBlackhole, Schedule: rehearse.Schedule{After: rehearse.Duration(time.Hour)},
}

// matrix runs each peer through each fault, in each tier.
func matrix(t *testing.T, peers []peer, faults []breakage) {
	for _, p := range peers {
		for _, tier := range p.across() {
			for _, b := range faults {
				if b.tier != "" && b.tier != tier {
					continue
				}
				if b.fault.Kind == rehearse.FaultTLS && !p.handshakes {
					b.held, b.dose = false, nothing
				}
				if p.takes != nil {
					b = p.takes(b)
				}
				if b.fault.Kind == rehearse.FaultSlowClose && p.abrupt {
					b.dose = unseen
				}
				if !b.live {
					t.Run(fmt.Sprintf("%s/%s/%s", p.name, tier, b.id()), func(t *testing.T) {
						t.Parallel()
						cell{p, b, p.link(t, tier)}.fresh(t)
					})
				}
				if !b.fresh && p.open != nil {
					t.Run(fmt.Sprintf("%s/%s/%s/live", p.name, tier, b.id()), func(t *testing.T) {
						t.Parallel()
						cell{p, b, p.link(t, tier)}.live(t)
					})
				}
			}
		}
	}
}

func (p peer) across() []rehearse.Tier {
	if p.tiers != nil {
		return p.tiers
	}
	return []rehearse.Tier{rehearse.TierStream, rehearse.TierModel}
}

func (b breakage) id() string {
	if b.name != "" {
		return b.name
	}
	return string(b.fault.Kind)
}

// cell is one peer under one fault, on a link of its own.
type cell struct {
	peer  peer
	under breakage
	over  carried
}

// fresh is a client that comes when the fault is there.
func (c cell) fresh(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	if c.under.occupied {
		conn, err := net.Dial("tcp", c.over.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		eventually(t, "the link has a connection", func() bool { return c.over.Stats().Active == 1 })
	}
	c.over.set(t, c.under.fault, bystander)
	c.suffer(ctx, t, func(ctx context.Context) error { return c.peer.once(ctx, c.over) })
	c.recover(ctx, t)
}

// live is a client that is connected, and idle, when the fault comes.
func (c cell) live(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	v, err := c.peer.open(ctx, c.over)
	if err == nil {
		defer v.Close()
		err = v.exchange(ctx)
	}
	if err != nil {
		t.Fatalf("before the fault: %v", err)
	}
	c.over.set(t, c.under.fault, bystander)
	c.suffer(ctx, t, func(ctx context.Context) error {
		err := v.exchange(ctx)
		v.Close() // a fault of ends is not touched before
		return err
	})
	c.recover(ctx, t)
}

// suffer does an operation under the fault, which is taken away when that has
// ended, or in order that it ends.
func (c cell) suffer(ctx context.Context, t *testing.T, operation func(context.Context) error) {
	t.Helper()
	id := c.under.fault.ID()
	seen := c.under.dose != nothing && c.under.dose != unseen
	dosed := func() bool {
		d := c.over.dose(t, id)
		return d.Connections > 0 && (c.under.dose == ofConnections || d.Bytes > 0)
	}
	patient, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- operation(patient) }()
	if c.under.want == changed && !c.peer.checked {
		// A length that was changed has the other side wait for what does not
		// come, as on a real network: a client needs a patience of its own.
		if seen {
			eventually(t, "the fault touches the client, or it ends", func() bool { return dosed() || len(done) > 0 })
		}
		defer time.AfterFunc(time.Second, stop).Stop()
	}
	if c.under.held {
		if c.under.dose != unseen {
			eventually(t, "the fault touches the client", func() bool { return c.over.dose(t, id).Connections > 0 })
		}
		select {
		case err := <-done:
			t.Fatalf("it ended while the fault was there: %v", err)
		case <-time.After(20 * time.Millisecond): // in which it could, if it was not held
		}
		c.over.set(t)
	}
	err := <-done
	if ctx.Err() != nil {
		t.Fatalf("it hangs: %v; %+v", err, c.over.dose(t, id))
	}
	c.check(t, err)
	if seen {
		eventually(t, "the fault has a dose", dosed)
	}
	c.over.set(t)
}

// check compares how an operation ended with what the fault promises.
func (c cell) check(t *testing.T, err error) {
	t.Helper()
	want := c.under.want
	if errors.Is(err, errWrong) && (want != changed || c.peer.checked) {
		t.Fatal(err)
	}
	switch {
	case want == works && err != nil:
		t.Fatalf("it does not work: %v", err)
	case want == works || want == either:
	case err == nil:
		t.Fatalf("it works, though it should be %s", want)
	case want != changed && !regexp.MustCompile(c.peer.says[want]).MatchString(err.Error()):
		t.Errorf("the error for %s is: %v", want, err)
	}
}

// recover uses the link again, without the fault.
func (c cell) recover(ctx context.Context, t *testing.T) {
	t.Helper()
	before := c.over.dose(t, c.under.fault.ID())
	if err := c.peer.once(ctx, c.over); err != nil {
		t.Fatalf("after the fault: %v", err)
	}
	after := c.over.dose(t, c.under.fault.ID())
	if !after.Gone || after.Active || after.Holding != 0 {
		t.Errorf("the fault is not gone: %+v", after)
	}
	// A connection that ends while its fault is taken away may be counted late,
	// but none that came afterwards.
	if c.under.dose == nothing && after != (rehearse.Dose{Fault: after.Fault, Gone: true}) {
		t.Errorf("the fault has touched something: %+v, and before %+v", after, before)
	}
	if d := c.over.dose(t, bystander.ID()); d != (rehearse.Dose{Fault: bystander, Gone: true}) {
		t.Errorf("the fault that stood by has touched something: %+v", d)
	}
}

// payload is bytes that no protocol can guess.
func payload(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8(sha256.Sum256([]byte("payload")))
	r.Read(b)
	return b
}

// same compares what came back with what was sent.
func same(what string, got, want []byte) error {
	if sha256.Sum256(got) != sha256.Sum256(want) {
		return fmt.Errorf("%w: %s: %d bytes came of %d", errWrong, what, len(got), len(want))
	}
	return nil
}
