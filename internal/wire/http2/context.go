package http2

import (
	"golang.org/x/net/http2/hpack"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// traceparent is the header with a request's trace context.
const traceparent = "traceparent"

// ownContext is the place of the traceparent among a request's fields, or -1
// unless there is one that is well formed.
func ownContext(fields []hpack.HeaderField) int {
	own := -1
	for i := range fields {
		if fields[i].Name != traceparent {
			continue
		}
		if own >= 0 {
			return -1
		}
		own = i
	}
	if own >= 0 {
		if _, ok := parseContext(fields[own].Value); !ok {
			return -1
		}
	}
	return own
}

// parent is the trace context of a request, or zero where there is none.
func parent(fields []hpack.HeaderField) wire.Context {
	var memory [64]byte
	c, _ := wire.ParseB3(append(memory[:0], value(fields, "b3")...))
	if own := ownContext(fields); own >= 0 {
		c, _ = parseContext(fields[own].Value)
	}
	return c
}

func parseContext(s string) (wire.Context, bool) {
	var memory [64]byte
	return wire.ParseContext(append(memory[:0], s...))
}
