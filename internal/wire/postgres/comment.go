package postgres

import (
	"strings"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// parentKey is what a trace context is called in a comment.
const parentKey = "traceparent="

// Comment finds the trace context that sqlcommenter has left in a comment of a
// statement, as in SELECT 1 /*traceparent='00-…-01'*/.
func Comment(sql string) (wire.Context, bool) {
	at := strings.Index(sql, parentKey+"'")
	if at < 0 {
		return wire.Context{}, false
	}
	s := scanner{rest: []byte(sql)}
	for {
		t, ok := s.next()
		end := len(sql) - len(s.rest)
		if ok && end <= at {
			continue
		}
		if ok && end-len(t.text) <= at {
			// It is inside of a string.
			next := strings.Index(sql[end:], parentKey+"'")
			if next < 0 {
				return wire.Context{}, false
			}
			at = end + next
			continue
		}
		value := sql[at+len(parentKey)+1:]
		length := strings.IndexByte(value, '\'')
		if length < 0 {
			return wire.Context{}, false
		}
		return wire.ParseContext([]byte(value[:length]))
	}
}
