package wire

import "github.com/rehearse-dev/rehearse"

// Out is what an editor's call hands out, in order for each side. The order of
// one side against the other means nothing.
type Out struct {
	Server, Client []Op
	// Reset says that both connections are to be reset, after what is handed
	// out here: see the package's comment.
	Reset bool
}

// Op is one thing to do on one side.
type Op struct {
	Do Do
	// Bytes are what to send.
	Bytes []byte
	// Fault is whose Delay, Jitter and Distribution say how long to hold, and
	// for a close whose doing it is.
	Fault *rehearse.Fault
}

// Do is what an op does.
type Do int

const (
	// Send passes Bytes on.
	Send Do = iota
	// Hold keeps everything behind it on this side until a delay later than it
	// would have gone without, whatever follows: holds add up.
	Hold
	// Close ends both connections in good order, once everything in front of it
	// on this side was delivered. Nothing follows it on either side, and what
	// the editor is called with from then on vanishes.
	Close
)

// Clear empties the lists and keeps their memory.
func (o *Out) Clear() {
	clear(o.Server)
	clear(o.Client)
	o.Server, o.Client, o.Reset = o.Server[:0], o.Client[:0], false
}

// ToServer sends p to the upstream.
func (o *Out) ToServer(p []byte) { o.Server = send(o.Server, p) }

// ToClient sends p to the client.
func (o *Out) ToClient(p []byte) { o.Client = send(o.Client, p) }

// HoldServer holds what goes to the upstream.
func (o *Out) HoldServer(f *rehearse.Fault) { o.Server = append(o.Server, Op{Do: Hold, Fault: f}) }

// HoldClient holds what goes to the client.
func (o *Out) HoldClient(f *rehearse.Fault) { o.Client = append(o.Client, Op{Do: Hold, Fault: f}) }

// CloseClient ends the connection behind what the client is given.
func (o *Out) CloseClient(f *rehearse.Fault) { o.Client = append(o.Client, Op{Do: Close, Fault: f}) }

// send joins p to the op before it where it continues the same memory, so that
// bytes that pass unchanged stay one write however many messages they hold.
func send(ops []Op, p []byte) []Op {
	if len(p) == 0 {
		return ops
	}
	if n := len(ops); n > 0 && ops[n-1].Do == Send {
		b := ops[n-1].Bytes
		if k := len(b); k < cap(b) && cap(b)-k >= len(p) && &b[: k+1 : k+1][k] == &p[0] {
			ops[n-1].Bytes = b[:k+len(p)]
			return ops
		}
	}
	return append(ops, Op{Do: Send, Bytes: p})
}
