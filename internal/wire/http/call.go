package http

import (
	"time"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// call is a request that has no whole answer yet, as far as it has come.
type call struct {
	id                        uint64
	method, path, host, agent string
	minor                     byte // of the version: '0' or '1'
	parent                    wire.Context
	status                    int

	toHead  bool // HEAD has answers without a body
	tunnel  bool // CONNECT has a successful answer without an end
	upgrade bool // the client would go on in another protocol

	begun, said, answered time.Duration
	from, saidAt          int64 // the places of the request's first byte and behind its last
}

// switches reports whether the answer may be in another protocol.
func (c *call) switches() bool { return c.tunnel || c.upgrade }

// exchange makes x of a call. It fills in what comes after the request's end.
func (c *call) exchange(x *wire.Exchange) {
	*x = wire.Exchange{
		Protocol: wire.HTTP, ID: c.id, Parent: c.parent,
		Begun: c.begun, Said: c.said, Answered: c.answered,
		SaidAt: c.saidAt, BytesUp: c.saidAt - c.from,
		Method: c.method, Path: c.path, Host: c.host, Agent: c.agent, Status: c.status,
		Version: "1.1",
	}
	if c.minor == '0' {
		x.Version = "1.0"
	}
}

// texts keep the strings of the last request. The next one's are mostly the same,
// and then take no memory of their own.
type texts struct{ method, path, host, agent string }

// same is b as a string, which is the last one if that is equal.
func same(last *string, b []byte) string {
	if *last != string(b) {
		*last = string(b)
	}
	return *last
}
