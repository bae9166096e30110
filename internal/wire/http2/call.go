package http2

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// call is a stream of a request that has no whole answer yet, as far as it has
// come.
type call struct {
	stream                    uint32
	method, path, host, agent string
	parent                    wire.Context
	rpc                       bool
	status, grpc              int
	final                     bool // the head of the answer has come, and was no interim one

	begun, said, answered, heard time.Duration
	saidAt                       int64
	up, down                     int64 // bytes of the request and of the answer
}

// ask reads a request's head. It reports false where the block is none.
func (c *call) ask(fields []hpack.HeaderField) bool {
	*c = call{stream: c.stream, parent: parent(fields)}
	kind := ""
	for _, f := range fields {
		switch f.Name {
		case ":method":
			c.method = f.Value
		case ":path":
			c.path = f.Value
			if i := strings.IndexAny(f.Value, "?#"); i >= 0 {
				c.path = f.Value[:i]
			}
		case ":authority":
			c.host = f.Value
		case "host":
			if c.host == "" {
				c.host = f.Value
			}
		case "user-agent":
			c.agent = f.Value
		case "content-type":
			kind = f.Value
		}
	}
	if c.rpc = isGRPC(kind); c.rpc {
		c.grpc = -1
	}
	return c.method != ""
}

// answer reads a head or the trailers of an answer, whose first byte came at a
// time.
func (c *call) answer(fields []hpack.HeaderField, at time.Duration) {
	if status := value(fields, ":status"); !c.final && !strings.HasPrefix(status, "1") {
		c.final, c.answered = true, at
		c.status, _ = strconv.Atoi(status)
	}
	if !c.rpc {
		return
	}
	if n, err := strconv.ParseUint(value(fields, "grpc-status"), 10, 31); err == nil {
		c.grpc = int(n)
	}
}

// exchange makes x of a call. It fills in what comes of the answer's end.
func (c *call) exchange(x *wire.Exchange) {
	*x = wire.Exchange{
		Protocol: wire.HTTP, ID: uint64(c.stream), Parent: c.parent,
		Begun: c.begun, Said: c.said, Answered: c.answered,
		SaidAt: c.saidAt, BytesUp: c.up, BytesDown: c.down,
		Method: c.method, Path: c.path, Host: c.host, Agent: c.agent, Version: "2",
		Status: c.status, RPC: c.rpc, GRPC: c.grpc,
	}
}
