package toxiproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/link"
)

// places are the addresses of a proxy, read and looked up before s.mu is taken.
type places struct {
	asked    string // to listen on, as it was asked for
	listen   address
	upstream address
}

func (s *Server) findPlaces(ctx context.Context, listen, upstream string, enabled bool) (places, *failure) {
	from, err := parseAddress(listen)
	if err != nil {
		return places{}, errBadBody.with("listen: " + err.Error())
	}
	to, err := parseAddress(upstream)
	if err != nil {
		return places{}, errBadBody.with("upstream: " + err.Error())
	}
	if s.options.Confined && (from.network == "unix" || to.network == "unix") {
		return places{}, errBadBody.with("Unix sockets are not proxied here, where the server may reach more of them than its clients may")
	}
	if (from.network == "udp") != (to.network == "udp") {
		return places{}, errBadBody.with("a proxy carries UDP on both sides, or on neither")
	}
	found, err := from.resolve(ctx)
	switch {
	case err == nil:
		from = found
	case enabled:
		return places{}, &failure{Message: err.Error(), Status: http.StatusInternalServerError}
	}
	if s.options.Confined && !from.loopback() {
		return places{}, errBadBody.with("proxies listen on the loopback only here, as in localhost:0")
	}
	return places{asked: listen, listen: from, upstream: to}, nil
}

// build makes a proxy that is in no set yet and does not listen. s.mu is held.
func (s *Server) build(in proxyInput, at places) (*proxy, *failure) {
	if s.closed {
		return nil, errClosed
	}
	p := &proxy{name: in.Name, listen: at.listen.String(), upstream: *in.Upstream, asked: at.asked, tier: in.Tier}
	if in.Shape != nil {
		p.shape = *in.Shape
	}
	if err := p.shape.Validate(); err != nil {
		return nil, refused(err)
	}
	switch p.tier {
	case "":
		p.tier = s.tierOf(p.shape, at)
	case rehearse.TierStream, rehearse.TierModel:
	case rehearse.TierPacket:
		return nil, errBadBody.with(`tier "packet" needs a network namespace; a proxy has "stream" and "model"`)
	default:
		return nil, errBadBody.with(fmt.Sprintf(`tier %q is not one of "stream" and "model"`, p.tier))
	}
	if err := p.tier.Carries(p.shape); err != nil {
		return nil, refused(err)
	}
	if in.Enabled != nil && !*in.Enabled {
		p.listen = at.asked
	}
	p.carrier = link.New(rehearse.LinkSpec{ID: rehearse.LinkID(in.Name), Shape: p.shape, Tier: p.tier}, s.seed(in.Name))
	p.link = p.carrier
	switch in.TLS {
	case "", "pass":
	case "end":
		if s.options.EndTLS == nil {
			return nil, errBadBody.with(`tls "end" needs an authority; start the server with one`)
		}
		p.carrier.EndTLS(s.options.EndTLS)
	default:
		return nil, errBadBody.with(fmt.Sprintf(`tls %q is not one of "pass" and "end"`, in.TLS))
	}
	var toxics []*toxic
	names := map[string]bool{}
	for _, input := range in.Toxics {
		t, f := newToxic(input)
		if f != nil {
			return nil, f
		}
		if names[t.name] {
			return nil, errToxicExists.with(t.name)
		}
		names[t.name] = true
		toxics = append(toxics, t)
	}
	// The toxics are there before the first connection is.
	return p, p.setToxics(toxics)
}

// tierOf is the tier of a proxy that names none. Toxiproxy delays chunks of a
// stream, and its clients' tests bound how long that takes, so a proxy without a
// shape is no truer than that: the model would have a large answer pay a latency
// several times. Datagrams, which Toxiproxy does not have, are lost as they are.
func (s *Server) tierOf(shape rehearse.Shape, at places) rehearse.Tier {
	switch {
	case s.options.Tier != "":
		return s.options.Tier
	case shape.IsZero() && at.listen.network != "udp":
		return rehearse.TierStream
	}
	return rehearse.TierModel
}

// create makes one proxy.
func (s *Server) create(ctx context.Context, in proxyInput) (Proxy, *failure) {
	if f := in.complete(""); f != nil {
		return Proxy{}, f
	}
	enabled := in.Enabled == nil || *in.Enabled
	at, f := s.findPlaces(ctx, given(in.Listen, ""), *in.Upstream, enabled)
	if f != nil {
		return Proxy{}, f
	}
	shown, err := s.insert(in, at, enabled)
	return shown, asFailure(err)
}

func (s *Server) insert(in proxyInput, at places, enabled bool) (Proxy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proxies[in.Name] != nil {
		return Proxy{}, failed{errProxyExists}
	}
	p, f := s.build(in, at)
	if f != nil {
		return Proxy{}, failed{f}
	}
	if enabled {
		if err := s.start(p, at.listen, at.upstream); err != nil {
			return Proxy{}, err
		}
	}
	s.proxies[p.name] = p
	s.tell("created", p, nil, nil)
	return p.show(), nil
}

// populate makes proxies, in order, until one fails. A proxy that is there and
// listens and dials as asked is left alone, with its toxics; one that does not is
// replaced.
func (s *Server) populate(ctx context.Context, input []proxyInput) ([]Proxy, *failure) {
	done := make([]Proxy, 0, len(input))
	for _, in := range input {
		enabled := in.Enabled == nil || *in.Enabled
		at, f := s.findPlaces(ctx, given(in.Listen, ""), *in.Upstream, enabled)
		if f != nil {
			return done, f
		}
		shown, ended, err := s.insertOrReplace(in, at, enabled)
		settle(ended)
		if err != nil {
			return done, asFailure(err)
		}
		done = append(done, shown)
	}
	return done, nil
}

func (s *Server) insertOrReplace(in proxyInput, at places, enabled bool) (Proxy, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.proxies[in.Name]
	if old != nil && !old.differs(at.listen, at.asked, *in.Upstream) {
		return old.show(), nil, nil
	}
	if old != nil && old.fixed {
		return Proxy{}, nil, failed{old.immovable()}
	}
	p, f := s.build(in, at)
	if f != nil {
		return Proxy{}, nil, failed{f}
	}
	var ended <-chan struct{}
	was := old != nil && old.enabled
	if was {
		// It may hold the address that its successor wants.
		ended = old.stop()
	}
	if enabled {
		if err := s.start(p, at.listen, at.upstream); err != nil {
			if was {
				s.restore(old)
			}
			return Proxy{}, ended, err
		}
	}
	s.proxies[p.name] = p
	s.tell("created", p, nil, nil)
	return p.show(), ended, nil
}

// restore starts a proxy again that was stopped for a successor which could not
// start, so that a change that fails changes nothing but its connections.
func (s *Server) restore(p *proxy) {
	at, err := parseAddress(p.listen)
	if err != nil {
		panic(fmt.Sprintf("toxiproxy: internal error: %v", err)) // it has been listened on
	}
	upstream, err := parseAddress(p.upstream)
	if err != nil {
		panic(fmt.Sprintf("toxiproxy: internal error: %v", err)) // it was read before
	}
	if err := s.start(p, at, upstream); err != nil {
		s.tell("failed", p, nil, err)
	}
}

// update changes a proxy. What is not given stays.
func (s *Server) update(ctx context.Context, name string, in proxyInput) (Proxy, *failure) {
	s.mu.Lock()
	p := s.proxies[name]
	if p == nil {
		s.mu.Unlock()
		return Proxy{}, errProxyNotFound
	}
	listen, upstream, enabled := given(in.Listen, p.listen), given(in.Upstream, p.upstream), given(in.Enabled, p.enabled)
	fixed := p.fixed
	s.mu.Unlock()

	if upstream == "" {
		return Proxy{}, errMissingField.with("upstream")
	}
	if in.Shape != nil {
		if err := errors.Join(in.Shape.Validate(), p.tier.Carries(*in.Shape)); err != nil {
			return Proxy{}, refused(err)
		}
	}
	var at places
	if fixed {
		at = places{asked: listen, listen: address{"tcp", listen}}
	} else {
		var f *failure
		if at, f = s.findPlaces(ctx, listen, upstream, enabled); f != nil {
			return Proxy{}, f
		}
	}
	shown, ended, err := s.change(name, in, at, upstream, enabled)
	settle(ended)
	return shown, asFailure(err)
}

func (s *Server) change(name string, in proxyInput, at places, upstream string, enabled bool) (Proxy, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.proxies[name]
	if p == nil {
		return Proxy{}, nil, failed{errProxyNotFound} // deleted meanwhile
	}
	moves := p.differs(at.listen, at.asked, upstream)
	if p.fixed {
		if moves || in.Shape != nil || in.Tier != "" {
			return Proxy{}, nil, failed{p.immovable()}
		}
		f := s.enable(p, enabled)
		return p.show(), nil, orNil(f)
	}
	if in.Tier != "" && in.Tier != p.tier {
		return Proxy{}, nil, failed{errBadBody.with("the tier of a proxy that is there cannot change; delete it first")}
	}
	var ended <-chan struct{}
	was := p.enabled
	if was && (moves || !enabled) {
		ended = p.stop()
	}
	if enabled && !p.enabled {
		if err := s.start(p, at.listen, at.upstream); err != nil {
			if was {
				s.restore(p)
			}
			return Proxy{}, ended, err
		}
	}
	if moves {
		p.asked, p.upstream = at.asked, upstream
		if !enabled {
			p.listen = at.asked
		}
	}
	if in.Shape != nil {
		p.shape = *in.Shape
		p.carrier.Set(p.shape)
	}
	switch {
	case enabled && !was:
		s.tell("enabled", p, nil, nil)
	case was && !enabled:
		s.tell("disabled", p, nil, nil)
	case moves || in.Shape != nil:
		s.tell("changed", p, nil, nil)
	}
	return p.show(), ended, nil
}

// enable takes a fixed proxy up or down.
func (s *Server) enable(p *proxy, enabled bool) *failure {
	if p.enabled == enabled {
		return nil
	}
	p.enabled = enabled
	if f := p.setToxics(p.toxics); f != nil {
		p.enabled = !enabled
		return f
	}
	if enabled {
		s.tell("enabled", p, nil, nil)
	} else {
		s.tell("disabled", p, nil, nil)
	}
	return nil
}

// remove deletes a proxy.
func (s *Server) remove(name string) *failure {
	s.mu.Lock()
	p := s.proxies[name]
	if p == nil {
		s.mu.Unlock()
		return errProxyNotFound
	}
	if p.fixed {
		s.mu.Unlock()
		return p.immovable()
	}
	ended := p.stop()
	delete(s.proxies, name)
	s.tell("deleted", p, nil, nil)
	s.mu.Unlock()
	settle(ended)
	return nil
}

// reset enables every proxy and takes all toxics away. It goes on past a proxy
// that cannot be enabled, and returns the first failure.
func (s *Server) reset(ctx context.Context) *failure {
	s.mu.Lock()
	var names []string
	for _, name := range s.names() {
		p := s.proxies[name]
		if f := p.setToxics(nil); f != nil && !p.fixed {
			s.mu.Unlock()
			return f
		}
		if !p.enabled {
			names = append(names, name)
		}
	}
	s.mu.Unlock()
	var first *failure
	enabled := true
	for _, name := range names {
		if _, f := s.update(ctx, name, proxyInput{Enabled: &enabled}); f != nil && f != errProxyNotFound && first == nil {
			first = f
		}
	}
	return first
}

// immovable is the failure for a change that a fixed proxy does not take.
func (p *proxy) immovable() *failure {
	return &failure{
		Message: fmt.Sprintf("proxy %s is a link of an environment", p.name), Status: http.StatusForbidden,
		Hint: "It can be enabled, disabled and given toxics; its addresses and its shape are the environment's.",
	}
}

// failed carries a failure as an error.
type failed struct{ *failure }

func (f failed) Error() string { return f.Message }

func orNil(f *failure) error {
	if f == nil {
		return nil
	}
	return failed{f}
}

func asFailure(err error) *failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[failed](err); ok {
		return f.failure
	}
	return explain(err)
}

// given is what was given, or else what is.
func given[T any](value *T, is T) T {
	if value == nil {
		return is
	}
	return *value
}
