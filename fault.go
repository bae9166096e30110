package rehearse

// Fault is one way in which a link breaks what it carries. Faults compose: a
// link has any number, and each touches what the ones before it let through.
//
// Whether a fault touches a connection, a request or a packet is decided by
// the link's seed, the fault's name and the number of the connection, request or
// packet, and by nothing else: the same seed breaks the same ones again.
type Fault struct {
	// Name is unique on its link; empty is the kind's.
	Name string    `json:"name,omitempty"`
	Kind FaultKind `json:"kind"`
	// Direction is which way the bytes go that it touches; empty is both.
	Direction Direction `json:"direction,omitempty"`
	// Probability is the share of connections that it touches, or of requests
	// where Match or the kind speaks of requests; 0 is all of them.
	Probability float64  `json:"probability,omitempty"`
	Match       Match    `json:"match,omitzero"`
	Schedule    Schedule `json:"schedule,omitzero"`

	// What a kind does with these stands at the kind.
	Delay        Duration     `json:"delay,omitempty"`
	Jitter       Duration     `json:"jitter,omitempty"`
	Distribution Distribution `json:"distribution,omitempty"`
	Correlation  float64      `json:"correlation,omitempty"`
	Share        float64      `json:"share,omitempty"` // of packets, from 0 to 1
	Burst        float64      `json:"burst,omitempty"` // packets in a row
	Rate         Rate         `json:"rate,omitempty"`
	Shared       bool         `json:"shared,omitempty"`
	Bytes        int64        `json:"bytes,omitempty"`
	Size         int          `json:"size,omitempty"`
	Variation    int          `json:"variation,omitempty"`
	Count        int          `json:"count,omitempty"`
	Status       int          `json:"status,omitempty"`
	Code         string       `json:"code,omitempty"`
	Header       string       `json:"header,omitempty"`
	Body         string       `json:"body,omitempty"`
}

// ID is the fault's name, or its kind where it has none.
func (f Fault) ID() string {
	if f.Name != "" {
		return f.Name
	}
	return string(f.Kind)
}

// Direction is which way bytes go. The empty direction is both.
type Direction string

// The directions.
const (
	Up   Direction = "up"   // client to upstream
	Down Direction = "down" // upstream to client
)

// Has reports whether the direction includes up, or down.
func (d Direction) Has(up bool) bool {
	return d == "" || (d == Up) == up
}

// Schedule is when a fault is in force, counted from when it was set. The zero
// value is at once and until it is taken away.
type Schedule struct {
	After Duration `json:"after,omitempty"` // starts so much later
	For   Duration `json:"for,omitempty"`   // and lasts so long; 0: until it is taken away
	Every Duration `json:"every,omitempty"` // and comes again so long after its last start: flapping
}

// IsZero reports whether the fault is simply in force.
func (s Schedule) IsZero() bool { return s == Schedule{} }

// Match says which requests a fault touches. Every field that is given must
// match; the zero value matches everything and speaks of no request.
type Match struct {
	Method    string `json:"method,omitempty"`    // HTTP: "POST"
	Path      string `json:"path,omitempty"`      // HTTP: path, where * stands for anything
	Header    string `json:"header,omitempty"`    // HTTP: "Name: value", where * stands for anything; "Name" is any value
	Statement string `json:"statement,omitempty"` // PostgreSQL: a regular expression on the statement's text
	Command   string `json:"command,omitempty"`   // Redis: the command's name, as in "GET"
	Key       string `json:"key,omitempty"`       // Redis: its first key, where * stands for anything
}

// IsZero reports whether the match speaks of no request.
func (m Match) IsZero() bool { return m == Match{} }

// FaultKind is what a fault does.
type FaultKind string

// The faults of a path. They touch every connection at once, live ones too.
const (
	// Delay adds Delay ± Jitter (Distribution, Correlation). With a Match, it
	// delays the requests that match, and what follows them on the connection.
	FaultDelay FaultKind = "delay"
	// Loss loses a Share of packets, Burst of them in a row.
	FaultLoss FaultKind = "loss"
	// Rate caps each connection at Rate, or all of them together when Shared.
	FaultRate FaultKind = "rate"
	// Duplicate and Reorder touch a Share of datagrams, and no stream.
	FaultDuplicate FaultKind = "duplicate"
	FaultReorder   FaultKind = "reorder"
	// Corrupt flips one bit in a Share of packets: datagrams, or stretches of
	// 1448 bytes of a stream.
	FaultCorrupt FaultKind = "corrupt"
	// Slice cuts a stream into pieces of Size ± Variation bytes, Delay apart.
	FaultSlice FaultKind = "slice"
	// Partition lets nothing pass in its directions, connects included when
	// the client's side is one of them. What was sent arrives when it is over.
	FaultPartition FaultKind = "partition"
	// Blackhole takes what is sent and lets it vanish, connects included. A
	// stream that it has touched has lost bytes, and passes no more.
	FaultBlackhole FaultKind = "blackhole"
	// Stall passes Bytes of each connection and then nothing until it is over.
	FaultStall FaultKind = "stall"
)

// The faults of connections.
const (
	// Refuse resets every new connection as if nobody listened.
	FaultRefuse FaultKind = "refuse"
	// Limit refuses connections beyond Count open ones.
	FaultLimit FaultKind = "limit"
	// Reset resets connections after Delay, idle ones too.
	FaultReset FaultKind = "reset"
	// HalfOpen takes the upstream away without a word to the client.
	FaultHalfOpen FaultKind = "half-open"
	// Timeout drops all bytes, and ends the connection after Delay; 0 never.
	FaultTimeout FaultKind = "timeout"
	// SlowClose passes the end of a stream on Delay late.
	FaultSlowClose FaultKind = "slow-close"
	// Truncate ends a connection after Bytes. With a Match it ends the body of
	// the answers to requests that match.
	FaultTruncate FaultKind = "truncate"
	// TLS breaks the handshake of new connections. Code is "expired",
	// "wrong-name", "untrusted" or "stall"; all but the last need a link that
	// ends TLS.
	FaultTLS FaultKind = "tls"
	// DNS answers queries itself. Code is "NXDOMAIN", "SERVFAIL", "REFUSED",
	// "FORMERR", or "empty" for no records.
	FaultDNS FaultKind = "dns"
)

// The faults of requests. The bytes of their protocol are understood, on
// connections that are open already from their next request on.
const (
	// Abort answers with Status and Body in the upstream's place (HTTP).
	FaultAbort FaultKind = "abort"
	// DropHeader takes Header out of requests (up) and answers (down) (HTTP).
	FaultDropHeader FaultKind = "drop-header"
	// SQLError makes statements fail with the SQLSTATE in Code, as the server
	// would: a transaction is aborted by it (PostgreSQL).
	FaultSQLError FaultKind = "sql-error"
	// SQLKill ends the connection as an administrator would, in front of the
	// first matching statement inside a transaction (PostgreSQL).
	FaultSQLKill FaultKind = "sql-kill"
	// ReadOnly makes statements that write fail with SQLSTATE 25006 (PostgreSQL).
	FaultReadOnly FaultKind = "read-only"
	// RedisError answers with the error in Code, as in "LOADING …" (Redis).
	FaultRedisError FaultKind = "redis-error"
	// Evict removes a command's key in front of it (Redis).
	FaultEvict FaultKind = "evict"
)

// Dose is what a fault has really touched. Counters only grow. Connects that the
// kernel refuses or leaves unanswered in our name are not among them: it tells
// nobody.
type Dose struct {
	Fault Fault `json:"fault"`
	// Active is whether it is in force, its schedule considered.
	Active bool `json:"active"`
	// Gone is whether it was taken away. Then Holding is 0, or it is not gone
	// in truth: that is how many connections still bear its effect.
	Gone        bool  `json:"gone,omitempty"`
	Holding     int64 `json:"holding"`
	Connections int64 `json:"connections"` // touched, each once
	Requests    int64 `json:"requests"`
	Packets     int64 `json:"packets"` // datagrams, or stretches of a stream
	Bytes       int64 `json:"bytes"`   // delayed, held, dropped or changed
}
