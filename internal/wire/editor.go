package wire

import "github.com/rehearse-dev/rehearse"

// MaxHead is the most of one request or answer that an editor keeps while it
// waits for the rest of what it decides on: an HTTP head, the beginning of a
// statement, a command and its key.
const MaxHead = 64 << 10

// MaxOwed is how many requests may be unanswered at once. A connection with more
// is passed unchanged from there on.
const MaxOwed = 64 << 10

// Editor stands in one connection and sees every byte of it.
//
// It is used by one goroutine at a time. The caller holds a lock over a call and
// over putting what the call has handed out in its order for each side, since
// either call may hand out bytes for either side. It does not need to hold the
// lock while it writes them.
//
// A call appends to out and does not keep p. What it appends for the side that p
// was going to may lie in p, or in the editor's own memory until the next call
// with bytes from the same side. What it appends for the other side is the
// caller's to keep.
type Editor interface {
	// Up takes bytes from the client, in order.
	Up(p []byte, out *Out)
	// Down takes bytes from the upstream, in order.
	Down(p []byte, out *Out)
	// EndUp and EndDown say that a side has ended in good order: no more calls
	// of Up or Down will come. They hand out what was kept of it. The end
	// itself is the caller's to pass on, behind that.
	EndUp(out *Out)
	EndDown(out *Out)
	// Free reports that the editor keeps and owes nothing at the moment. The
	// caller may take it out, and nobody will see a difference.
	Free() bool
	// Opaque reports that everything will pass unchanged from here on. The
	// caller may take the editor out for good.
	Opaque() bool
}

// Decider is asked once for each request of a connection, in order, and answers
// with the faults that touch it, in the order in which they stand on the link.
// Whether a fault matches is told by its [Rule]; chance and schedule are the
// decider's own.
//
// An editor calls it from inside Up, and Touched also from inside Down.
type Decider interface {
	// Decide must not keep q or what it points to. The editor does not keep the
	// slice, but it keeps the faults until the request is answered; they must
	// not change.
	Decide(q *Request) []*rehearse.Fault
	// Touched tells what a fault has done: to how many requests, 1 when it
	// begins with one and else 0, and to how many bytes. A fault that Decide
	// has answered is not touched when one before it has taken the request.
	Touched(f *rehearse.Fault, requests, bytes int64)
}

// Stamper is a [Decider] that gives requests a trace context to go on with. The
// editors of HTTP ask it once for each request that goes to the upstream, after
// Decide. What it answers takes the place of the request's traceparent, or is
// added where it has none that is well formed. A request out of which a fault
// takes the traceparent goes without, and is not asked about.
type Stamper interface {
	// Stamp must not keep q or what it points to.
	Stamp(q *Request) (Context, bool)
}

// Nobody is the decider without faults.
type Nobody struct{}

// Decide finds no fault.
func (Nobody) Decide(*Request) []*rehearse.Fault { return nil }

// Touched does nothing.
func (Nobody) Touched(*rehearse.Fault, int64, int64) {}

// Request is one request, as a decider sees it. Its bytes are of the moment.
// Fields of other protocols are empty.
type Request struct {
	Protocol Protocol

	// HTTP. The path is without its query. Header holds the raw lines, each
	// with its end. ID and Parent are those that an [Exchange] has.
	Method, Path, Header []byte
	ID                   uint64
	Parent               Context

	// PostgreSQL. Statement is the beginning of the text, up to about MaxHead;
	// of a message with several statements it is all of them. Writes says that
	// the statement changes data or the schema, as far as its words can tell,
	// and Rollback that it is ROLLBACK or ABORT, which no server fails.
	// InTransaction says that the server is inside a transaction block with
	// nothing else under way, and Failed that it is inside one that has failed
	// and takes nothing but its end.
	Statement                               []byte
	Writes, Rollback, InTransaction, Failed bool

	// Redis. Key is the command's first key, empty where it has none. Queued
	// says that the command stands between MULTI and EXEC.
	Command, Key []byte
	Queued       bool
}
