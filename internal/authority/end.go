package authority

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"reflect"
	"slices"
)

// Options are how End ends TLS.
type Options struct {
	Authority *Authority // signs what the client is shown
	// Names are what the client is shown a certificate for; see [Server].
	Names []string
	// Flaw is in the client's certificate. Sound leaves it to Upstream.Check.
	Flaw Flaw
	// Protocols are those of the client's offer that are passed on to the
	// upstream; empty is all of them.
	Protocols []string
	Upstream  Upstream
}

// HandshakeError is a handshake that failed.
type HandshakeError struct {
	Upstream bool // with the upstream; else with the client
	Err      error
}

// Error says which handshake failed.
func (e *HandshakeError) Error() string {
	if e.Upstream {
		return "TLS handshake with the upstream: " + e.Err.Error()
	}
	return "TLS handshake with the client: " + e.Err.Error()
}

// Unwrap gives the cause, as crypto/tls, crypto/x509 or the connection gave it.
func (e *HandshakeError) Unwrap() error { return e.Err }

// End dials the upstream, makes both handshakes and returns the two connections,
// from which plain bytes are read.
//
//	client           End            upstream
//	   │              │── connect ────▶│    so that a refusal comes before any TLS
//	   │─── hello ───▶│                │
//	   │              │──── hello ────▶│    same name, protocols and versions
//	   │              │◀─ certificate ─│    speaks h2, TLS 1.3
//	   │◀ certificate─│                │    so does ours
//
// A dial that fails is returned as its error, and the client has seen nothing.
// If the upstream's handshake fails, the client has seen the alert that the
// upstream sent, if it sent one, and nothing else. Both other failures are a
// [*HandshakeError]. After an error the upstream's connection is closed, and the
// client's is the caller's to close or to reset.
//
// End waits for a client that is slow to speak for as long as ctx allows, and
// closes both connections when ctx ends before it returns. It starts nothing
// that outlives it.
func End(ctx context.Context, client net.Conn, dial func(context.Context) (net.Conn, error), o Options) (near, far *Conn, err error) {
	upstream, err := dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			upstream.Close()
		}
	}()
	near, far = &Conn{wire: &wire{Conn: client}}, &Conn{wire: &wire{Conn: upstream}}
	near.peer, far.peer = far, near

	var refused *HandshakeError
	near.Conn = tls.Server(near.wire, &tls.Config{
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			config, err := o.meet(ctx, far, hello)
			if err != nil {
				refused = &HandshakeError{Upstream: true, Err: err}
				near.wire.silence(alertOf(err))
			}
			return config, err
		},
	})
	err = near.HandshakeContext(ctx)
	switch {
	case err == nil:
		return near, far, nil
	case refused != nil:
		return nil, nil, refused
	}
	return nil, nil, &HandshakeError{Err: err}
}

// meet makes the upstream's handshake for a client's hello, and gives the
// configuration that leads the client to the same result.
func (o Options) meet(ctx context.Context, far *Conn, hello *tls.ClientHelloInfo) (*tls.Config, error) {
	u := o.Upstream
	if u.Name == "" {
		u.Name = hello.ServerName
	}
	config := u.Client(o.offer(hello.SupportedProtos))
	config.MinVersion, config.MaxVersion = versions(hello.SupportedVersions)
	far.Conn = tls.Client(far.wire, config)
	if err := far.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	state := far.ConnectionState()
	s := Server{Names: o.Names, Flaw: o.Flaw}
	if u.Check == Mirror && s.Flaw == Sound {
		err := u.Verify(state)
		flaw, ok := FlawOf(err)
		if !ok {
			return nil, err
		}
		s.Flaw = flaw
	}
	if state.NegotiatedProtocol != "" {
		s.Protocols = []string{state.NegotiatedProtocol}
	}
	shown := o.Authority.Server(s)
	shown.MinVersion, shown.MaxVersion = state.Version, state.Version
	return shown, nil
}

// offer is what of a client's protocols is passed on.
func (o Options) offer(protocols []string) []string {
	if len(o.Protocols) == 0 {
		return protocols
	}
	return slices.DeleteFunc(slices.Clone(protocols), func(p string) bool {
		return !slices.Contains(o.Protocols, p)
	})
}

// versions are the lowest and the highest version of TLS among those offered.
// Clients also offer versions that do not exist, to keep servers from breaking
// when there are more (RFC 8701).
func versions(offered []uint16) (lowest, highest uint16) {
	for _, v := range offered {
		if v < tls.VersionTLS10 || v > tls.VersionTLS13 {
			continue
		}
		if lowest == 0 || v < lowest {
			lowest = v
		}
		highest = max(highest, v)
	}
	return lowest, highest
}

// alertOf is the alert with which a peer ended a handshake, or 0, which in a
// handshake none is. crypto/tls does not export the alert's type, but it is a
// number.
func alertOf(err error) byte {
	var remote *net.OpError
	if !errors.As(err, &remote) || remote.Op != "remote error" {
		return 0
	}
	if v := reflect.ValueOf(remote.Err); v.Kind() == reflect.Uint8 {
		return byte(v.Uint())
	}
	return 0
}
