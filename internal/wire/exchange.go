package wire

import "time"

// Exchange is one request with its answer, as the bytes of a connection show it.
// Times are those that the [Follower] was given with the bytes.
type Exchange struct {
	Protocol Protocol
	// ID tells the exchange from others of its connection: it counts requests
	// from 1, and in HTTP/2 is the stream's identifier.
	ID uint64

	Begun    time.Duration // the request's first byte
	Said     time.Duration // the request's last byte
	Answered time.Duration // the answer's first byte
	Ended    time.Duration // the answer's last byte, or when the exchange was given up
	// SaidAt and EndedAt are how many bytes had passed, up and down, with the
	// request's and the answer's last byte.
	SaidAt, EndedAt int64
	// BytesUp and BytesDown are the sizes of the request and the answer.
	BytesUp, BytesDown int64
	// Ahead is when the answer of the request before this one had ended, if that
	// was after Said: until then this one waited for its turn. Else 0.
	Ahead time.Duration
	// Cut says that the exchange has no whole answer: the side that ended or
	// broke it, "client" or "upstream".
	Cut string

	// Parent is the trace context that the request carried.
	Parent Context

	// HTTP. Path is without its query. Version is "1.0", "1.1" or "2". Status is
	// 0 where there was no answer. A gRPC call has its status in GRPC, -1 where
	// none came, and has RPC set.
	Method, Path, Host, Version, Agent string
	Status                             int
	RPC                                bool
	GRPC                               int

	// PostgreSQL. Statement is the beginning of the text, up to MaxHead bytes, as
	// the client wrote it; it is shared between executions of a prepared one.
	// Rows are those that the command's tag counts, or else those that were
	// sent. State is the SQLSTATE of the first error. Transaction is the state
	// after the exchange: 'I' idle, 'T' open, 'E' failed, 0 unknown. User,
	// Database and Application are those of the startup. COPY and a cancel
	// request are exchanges as well: the latter has the statement "CANCEL".
	Statement                   string
	Prepared                    bool
	Rows                        int64 // -1: none were told
	Tag                         string
	State                       string
	Transaction                 byte
	User, Database, Application string

	// Redis. Command is in capital letters, with its subcommand: "CLIENT SETNAME".
	// ErrorCode is the first word of an error: "WRONGTYPE".
	Command   string
	ErrorCode string
}

// Context is a W3C trace context, as traceparent carries it.
type Context struct {
	Trace   [16]byte
	Span    [8]byte
	Sampled bool
}

// IsZero reports whether there is none.
func (c Context) IsZero() bool { return c == Context{} }

// Follower reads along one connection and tells of its exchanges. It is used by
// one goroutine at a time, starts none, and keeps of a request at most [MaxHead]
// bytes, and none of what it is given beyond the call.
//
// The bytes may come in any pieces: the exchanges are the same. What it cannot
// understand makes it opaque for ever, and it says so; it never panics.
type Follower interface {
	// Up and Down take bytes of the client and of the upstream, in order, that
	// passed at a time.
	Up(p []byte, at time.Duration)
	Down(p []byte, at time.Duration)
	// End says that a side has ended, in good order or not: no more of its bytes
	// will come. An exchange without a whole answer is told of when its answer
	// cannot come any more.
	End(up bool, at time.Duration)
	// Opaque is why nothing is understood from here on: "tls", "replication",
	// "unknown", "lost" (in the middle); empty while something is.
	Opaque() string
	// Open is how many requests have no whole answer yet.
	Open() int
}

// Tell is told of each exchange when it has ended. The exchange is the
// follower's and good for the call alone; its strings may be kept.
type Tell func(*Exchange)
