package wire

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// Protocol is what an editor understands.
type Protocol string

// The protocols.
const (
	HTTP       Protocol = "http"
	PostgreSQL Protocol = "postgres"
	Redis      Protocol = "redis"
)

// ProtocolOf is the protocol whose requests a fault touches, or empty where it
// touches connections or bytes.
func ProtocolOf(f rehearse.Fault) Protocol {
	switch f.Kind {
	case rehearse.FaultAbort, rehearse.FaultDropHeader:
		return HTTP
	case rehearse.FaultSQLError, rehearse.FaultSQLKill, rehearse.FaultReadOnly:
		return PostgreSQL
	case rehearse.FaultRedisError, rehearse.FaultEvict:
		return Redis
	case rehearse.FaultTruncate:
		if !f.Match.IsZero() {
			return HTTP
		}
	case rehearse.FaultDelay:
		switch m := f.Match; {
		case m.Statement != "":
			return PostgreSQL
		case m.Command != "" || m.Key != "":
			return Redis
		case !m.IsZero():
			return HTTP
		}
	}
	return ""
}

// Rule tells which requests a fault touches. It does not change, and any number
// of goroutines may ask it at once.
type Rule struct {
	fault         rehearse.Fault
	protocol      Protocol
	method, path  []byte
	header, value []byte // the value is a pattern, nil for any
	statement     *regexp.Regexp
	command, key  []byte
}

// NewRule reads a fault of requests. Its error is an [*rehearse.Error] of the
// kind Invalid: the fault is not of requests, what it needs is not there, or its
// match speaks of another protocol.
func NewRule(f rehearse.Fault) (*Rule, error) {
	r := &Rule{fault: f, protocol: ProtocolOf(f)}
	if r.protocol == "" {
		return nil, invalid(f, "it is not a fault of requests", "Use a kind that speaks of requests, or a delay or truncate with a match.")
	}
	m := f.Match
	for _, c := range []struct {
		field, value string
		protocol     Protocol
	}{
		{"method", m.Method, HTTP}, {"path", m.Path, HTTP}, {"header", m.Header, HTTP},
		{"statement", m.Statement, PostgreSQL}, {"command", m.Command, Redis}, {"key", m.Key, Redis},
	} {
		if c.value != "" && c.protocol != r.protocol {
			return nil, invalid(f, fmt.Sprintf("its match's %s is of %s, but the fault of %s", c.field, c.protocol, r.protocol), "Take it out of the match.")
		}
	}
	r.method, r.path, r.command, r.key = []byte(m.Method), []byte(m.Path), []byte(m.Command), []byte(m.Key)
	if m.Header != "" {
		name, value, has := strings.Cut(m.Header, ":")
		if !token(name) {
			return nil, invalid(f, fmt.Sprintf("its match's header %q has no name", m.Header), `Write it as "Name: value" or "Name".`)
		}
		r.header = []byte(name)
		if has {
			r.value = append([]byte{}, strings.TrimSpace(value)...)
		}
	}
	if m.Statement != "" {
		re, err := regexp.Compile(m.Statement)
		if err != nil {
			return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("fault %q: its match's statement is not a regular expression", f.ID()), Hint: "Use the syntax of RE2: https://github.com/google/re2/wiki/Syntax.", Err: err}
		}
		r.statement = re
	}
	if err := check(f); err != nil {
		return nil, err
	}
	return r, nil
}

// check refuses what the fault's kind cannot do.
func check(f rehearse.Fault) error {
	switch f.Kind {
	case rehearse.FaultAbort:
		if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
			return invalid(f, fmt.Sprintf("status %d does not end a request", f.Status), "Use a status from 200 to 599.")
		}
		if f.Body != "" && (f.Status == 204 || f.Status == 304) {
			return invalid(f, fmt.Sprintf("an answer with status %d has no body", f.Status), "Take the body out, or use another status.")
		}
	case rehearse.FaultDropHeader:
		if !token(f.Header) {
			return invalid(f, fmt.Sprintf("%q is not a header's name", f.Header), `Give the name alone, as in "Authorization".`)
		}
		if strings.EqualFold(f.Header, "Content-Length") || strings.EqualFold(f.Header, "Transfer-Encoding") {
			return invalid(f, "without "+f.Header+" the body's end cannot be told", "Use truncate to break a body.")
		}
	case rehearse.FaultSQLError:
		if !sqlState.MatchString(f.Code) {
			return invalid(f, fmt.Sprintf("%q is not a SQLSTATE", f.Code), `Use five digits or capital letters, as in "40001".`)
		}
		if class := f.Code[:2]; class == "00" || class == "01" || class == "02" {
			return invalid(f, fmt.Sprintf("SQLSTATE %s is of class %s, which is no error", f.Code, class), `Use the code of an error, as in "40001".`)
		}
	case rehearse.FaultRedisError:
		if f.Code == "" || strings.ContainsAny(f.Code, "\r\n") || f.Code[0] == '-' {
			return invalid(f, fmt.Sprintf("%q is not a Redis error", f.Code), `Use one line without the leading minus, as in "LOADING Redis is loading the dataset in memory".`)
		}
	case rehearse.FaultTruncate:
		if f.Bytes < 0 {
			return invalid(f, "a body cannot be shorter than nothing", "Use 0 bytes or more.")
		}
	case rehearse.FaultDelay:
		if f.Delay < 0 || f.Jitter < 0 {
			return invalid(f, "a delay cannot be negative", "Use 0 or more.")
		}
	}
	return nil
}

var sqlState = regexp.MustCompile(`^[0-9A-Z]{5}$`)

func invalid(f rehearse.Fault, msg, hint string) error {
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("fault %q: %s", f.ID(), msg), Hint: hint}
}

// Matches reports whether the fault speaks of a request: whether its match does,
// and whether the kind can touch it at all. A sql-kill needs an open
// transaction, a read-only a statement that writes, an evict a key outside of
// MULTI, and a sql-error anything but a ROLLBACK. Inside a transaction that has
// failed, every statement fails anyway.
func (r *Rule) Matches(q *Request) bool {
	if q.Protocol != r.protocol {
		return false
	}
	switch r.fault.Kind {
	case rehearse.FaultSQLKill:
		if !q.InTransaction {
			return false
		}
	case rehearse.FaultReadOnly:
		if !q.Writes || q.Failed {
			return false
		}
	case rehearse.FaultSQLError:
		if q.Rollback || q.Failed {
			return false
		}
	case rehearse.FaultEvict:
		if len(q.Key) == 0 || q.Queued {
			return false
		}
	}
	switch {
	case len(r.method) > 0 && !bytes.Equal(r.method, q.Method),
		len(r.path) > 0 && !glob(r.path, q.Path),
		len(r.header) > 0 && !r.hasHeader(q.Header),
		r.statement != nil && !r.statement.Match(q.Statement),
		len(r.command) > 0 && !bytes.EqualFold(r.command, q.Command),
		len(r.key) > 0 && (len(q.Key) == 0 || !glob(r.key, q.Key)):
		return false
	}
	return true
}

func (r *Rule) hasHeader(lines []byte) bool {
	for line := range bytes.Lines(lines) {
		name, value, ok := bytes.Cut(line, colon)
		if ok && bytes.EqualFold(name, r.header) && (r.value == nil || glob(r.value, bytes.TrimSpace(value))) {
			return true
		}
	}
	return false
}

var colon = []byte(":")

// glob reports whether a pattern, where * stands for anything, matches all of s.
func glob(pattern, s []byte) bool {
	star, mark := -1, 0 // the last star, and how far it reaches so far
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// token reports whether s can be a header's name (RFC 9110, section 5.6.2).
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
