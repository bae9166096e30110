package environment

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/authority"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/link"
	"github.com/rehearse-dev/rehearse/internal/toxiproxy"
)

// Link is a link of an environment. Several may break it at once, each with
// faults of their own.
type Link struct {
	*link.Link
	spec      rehearse.LinkSpec
	endpoints []Endpoint

	tell func(rehearse.LinkEvent)

	mu     sync.Mutex
	faults map[string][]rehearse.Fault // by who has set them
}

// Endpoint is where a client reaches one port of its upstream.
type Endpoint struct {
	Port    int            // the upstream's
	Address driver.Address // in the client's view
}

// Endpoints are where the link's client reaches it, in the order of the ports.
func (l *Link) Endpoints() []Endpoint { return l.endpoints }

// Spec is the link as it was planned.
func (l *Link) Spec() rehearse.LinkSpec { return l.spec }

// Those who break links.
const (
	ByPlan       = "plan"
	ByExperiment = "experiment"
	ByPerson     = "person" // with rehearse link, or the environment's API
	byClients    = "toxiproxy"
)

// BreakBy makes the faults of one of those who break the link the ones that are
// given. Two of them cannot have a fault of the same name.
func (l *Link) BreakBy(who string, faults []rehearse.Fault) error {
	for _, f := range faults {
		switch f.Kind {
		case rehearse.FaultDNS, rehearse.FaultDuplicate, rehearse.FaultReorder:
			return &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("fault %s: it is of datagrams, and the links of environments carry streams", f.ID()),
				Hint: "rehearse link serve carries UDP.",
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []rehearse.Fault
	for _, w := range []string{ByPlan, ByExperiment, ByPerson, byClients} {
		if w == who {
			all = append(all, faults...)
		} else {
			all = append(all, l.faults[w]...)
		}
	}
	if err := l.Link.Break(all); err != nil {
		return err
	}
	before := l.faults[who]
	l.faults[who] = faults
	if ev := changed(before, faults); len(ev.Set)+len(ev.Cleared) > 0 {
		ev.Link, ev.By = l.spec.ID, who
		l.tell(ev)
	}
	return nil
}

// changed is what has become of a link's faults.
func changed(before, now []rehearse.Fault) rehearse.LinkEvent {
	var ev rehearse.LinkEvent
	for _, f := range now {
		if !slices.Contains(before, f) {
			ev.Set = append(ev.Set, f)
		}
	}
	for _, f := range before {
		if !slices.ContainsFunc(now, func(n rehearse.Fault) bool { return n.ID() == f.ID() }) {
			ev.Cleared = append(ev.Cleared, f.ID())
		}
	}
	return ev
}

// Set changes the link's shape at once, as a person asks.
func (l *Link) Set(s rehearse.Shape) {
	if s == l.Shape() {
		return
	}
	l.Link.Set(s)
	l.tell(rehearse.LinkEvent{Link: l.spec.ID, By: ByPerson, Shape: &s})
}

// FaultsBy are the faults that one of those who break the link has set.
func (l *Link) FaultsBy(who string) []rehearse.Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults[who]
}

// Reset takes away the faults that came after the plan's, but for an experiment's,
// which ends by itself, and puts the plan's shape back.
func (l *Link) Reset() error {
	l.Set(l.spec.Shape)
	return errors.Join(l.BreakBy(ByPerson, nil), l.BreakBy(byClients, nil))
}

// Tidy gives every link what the plan gives it, and says which had something else:
// whoever comes next finds the links as the plan has them.
func (e *Environment) Tidy(ctx context.Context) (left []rehearse.LinkID, err error) {
	for _, id := range e.linkOrder {
		l := e.links[id]
		if len(l.FaultsBy(byClients))+len(l.FaultsBy(ByPerson)) > 0 || l.Shape() != l.spec.Shape {
			left = append(left, id)
			err = errors.Join(err, l.Reset())
		}
	}
	return left, errors.Join(err, e.api.Reset(ctx))
}

// clients is a link as Toxiproxy's clients break it.
type clients struct{ *Link }

func (c clients) Break(faults []rehearse.Fault) error { return c.BreakBy(byClients, faults) }

// openLinks opens every link before any service starts: a client's names are fixed
// when it does.
func (e *Environment) openLinks(ctx, life context.Context) error {
	for _, spec := range e.o.Plan.Links {
		if err := e.openLink(ctx, life, spec); err != nil {
			return fmt.Errorf("open link %s: %w", spec.ID, err)
		}
	}
	return e.openAPI(ctx, life)
}

func (e *Environment) openLink(ctx, life context.Context, spec rehearse.LinkSpec) error {
	carriers, packets := e.inner.(driver.Carrier)
	if packets {
		packets = carriers.Carries(spec)
	}
	running := spec
	running.Faults = nil // until it can end TLS, and is carried
	switch {
	case packets:
		running.Tier = rehearse.TierPacket
	case spec.Tier == "" || spec.Tier == rehearse.TierPacket:
		running.Tier = rehearse.TierModel
	}
	l := &Link{
		Link: link.New(running, e.o.Plan.Seed^hash(string(spec.ID))), spec: spec, tell: e.tellLink,
		faults: map[string][]rehearse.Fault{},
	}
	if spec.EndTLS {
		l.EndTLS(e.endTLS(spec))
	}
	e.watch(l.Link, spec)
	if err := l.BreakBy(ByPlan, spec.Faults); err != nil {
		return err
	}
	e.links[spec.ID] = l
	e.linkOrder = append(e.linkOrder, spec.ID)
	for _, port := range spec.Ports {
		addr, err := e.listen(ctx, opening{client: spec.Client, names: spec.Names, port: port, link: true, serve: func(ln net.Listener) {
			_ = l.Serve(life, ln, func(ctx context.Context) (net.Conn, error) { // ends with the environment
				return e.inner.Dial(ctx, spec.Upstream, port)
			})
		}})
		if err != nil {
			return err
		}
		l.endpoints = append(l.endpoints, Endpoint{port, addr})
	}
	if packets {
		c, err := carriers.Carry(spec)
		if err != nil {
			return err
		}
		l.CarriedBy(link.Carrier{Set: c.Set, Delay: c.Delay})
	}
	return nil
}

// newAuthority makes the authority of an environment in which a link ends TLS. It
// lives in memory and dies with the environment.
func newAuthority(o Options) (*authority.Authority, error) {
	if !slices.ContainsFunc(o.Plan.Links, func(l rehearse.LinkSpec) bool { return l.EndTLS }) {
		return nil, nil
	}
	return authority.New("rehearse "+string(o.ID), time.Now)
}

// endTLS has a link show its client a certificate for the upstream's names. The
// upstream's own is not looked at: inside an environment the network says who
// somebody is, and test services sign for themselves.
func (e *Environment) endTLS(spec rehearse.LinkSpec) link.EndTLS {
	return func(ctx context.Context, client net.Conn, dial link.Dial, flaw string) (near, far net.Conn, err error) {
		n, f, err := authority.End(ctx, client, dial, authority.Options{
			Authority: e.tls, Names: spec.Names, Flaw: authority.Flaw(flaw), Upstream: authority.Upstream{Check: authority.Skip},
		})
		if err != nil {
			return nil, nil, err // not typed nils
		}
		return n, f, nil
	}
}

// openAPI answers Toxiproxy's API for the links on this host's loopback, and
// whatever else is to be answered there.
func (e *Environment) openAPI(ctx, life context.Context) error {
	ln, addr, err := e.inner.Listen(ctx, rehearse.Ingress, []string{"toxiproxy"}, 0)
	if err != nil {
		return fmt.Errorf("open the links' API: %w", err)
	}
	e.apiAddr = addr
	o := toxiproxy.Options{Seed: e.o.Plan.Seed, Confined: true}
	if e.o.API != nil {
		o.Around = func(links http.Handler) http.Handler { return e.o.API(e, links) }
	}
	e.api = toxiproxy.New(o)
	for _, id := range e.linkOrder {
		l := e.links[id]
		fixed := toxiproxy.Fixed{
			Name: ProxyName(id), Listen: l.endpoints[0].Address.String(),
			Upstream: net.JoinHostPort(string(l.spec.Upstream), strconv.Itoa(l.spec.Ports[0])), Link: clients{l},
		}
		if err := e.api.Add(fixed); err != nil {
			return errors.Join(fmt.Errorf("open the links' API: %w", err), ln.Close())
		}
	}
	e.running.Go(func() { _ = e.api.Serve(life, ln) }) // ends with the environment
	return nil
}

// ProxyName is what a link is called in the API: its ID, without the slash of
// "ingress/REGION", which would end a name there.
func ProxyName(id rehearse.LinkID) string { return strings.ReplaceAll(string(id), "/", ".") }

// API is where Toxiproxy's clients reach the links, and where Options.API answers.
func (e *Environment) API() string { return "http://" + e.apiAddr.String() }

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
