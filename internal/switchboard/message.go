//go:build unix

package switchboard

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"github.com/hashicorp/yamux"
	"golang.org/x/sys/unix"
)

// request is what the host asks of the container. The first stream that the host
// opens carries requests and replies in turn; so does the Unix socket, for the
// requests that files answer.
type request struct {
	// Op is "hello", "listen", "unlisten", "sockets", "names", "neighbour" or
	// "gateway".
	Op string `json:"op"`

	Token   string                `json:"token,omitempty"`   // hello: how to prove who one is
	Sockets bool                  `json:"sockets,omitempty"` // hello: there is a Unix socket; listen: pass the listener
	To      netip.AddrPort        `json:"to,omitzero"`       // listen
	ID      int                   `json:"id,omitempty"`      // unlisten: which
	Count   int                   `json:"count,omitempty"`   // sockets
	Addr    netip.Addr            `json:"addr,omitzero"`     // names: the client; neighbour, gateway
	Names   map[string]netip.Addr `json:"names,omitempty"`   // names
	MAC     string                `json:"mac,omitempty"`     // neighbour
}

// reply answers a request.
type reply struct {
	Error string `json:"error,omitempty"`
	Errno string `json:"errno,omitempty"` // "ECONNREFUSED": numbers differ between systems

	Connected bool           `json:"connected,omitempty"` // hello: to the Unix socket
	Notes     []string       `json:"notes,omitempty"`     // hello: what this container cannot do
	ID        int            `json:"id,omitempty"`        // listen, through the tunnel
	Addr      netip.AddrPort `json:"addr,omitzero"`       // listen: as bound; dial: our end
}

// greeting is the first message on the Unix socket, from the container.
type greeting struct {
	Token string `json:"token"`
}

// opening is the first message of a stream that the container opens: refusals
// follow, or the bytes of an accepted connection.
type opening struct {
	Events   bool           `json:"events,omitempty"`
	Listener int            `json:"listener,omitempty"`
	Client   netip.AddrPort `json:"client,omitzero"`
}

// dial is the first message of a stream that the host opens. A reply follows,
// and then the connection's bytes.
type dial struct {
	To netip.AddrPort `json:"to"`
}

const maxMessage = 1 << 20

// writeMessage sends a message over a stream.
func writeMessage(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

// readMessage receives a message, and reads nothing beyond.
func readMessage(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxMessage {
		return fmt.Errorf("a message of %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// channel carries messages, with files where it can: a [passing.Channel], or
// messages.
type channel interface {
	Write(v any, files ...*os.File) error
	Read(v any) ([]*os.File, error)
}

// messages is the channel that a stream is.
type messages struct{ stream *yamux.Stream }

// Write sends a message. Files do not pass.
func (m messages) Write(v any, files ...*os.File) error {
	if len(files) > 0 {
		return errors.New("switchboard: internal error: files do not pass through a stream")
	}
	return writeMessage(m.stream, v)
}

// Read receives a message.
func (m messages) Read(v any) ([]*os.File, error) { return nil, readMessage(m.stream, v) }

// caller is the asking side of a channel. Any goroutine may call.
type caller struct {
	mu sync.Mutex
	ch channel
}

// call asks and waits for the answer. It comes in milliseconds or never, in
// which case the container is gone and the channel says so: there is no need for
// a context.
func (c *caller) call(q request) (reply, []*os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var r reply
	if err := c.ch.Write(q); err != nil {
		return r, nil, errGone
	}
	files, err := c.ch.Read(&r)
	if err != nil {
		return r, nil, errGone
	}
	return r, files, r.err()
}

// fail puts an error into a reply.
func (r *reply) fail(err error) {
	if err == nil {
		return
	}
	r.Error = err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		r.Errno = unix.ErrnoName(errno)
	}
}

// err is the error in a reply. It keeps what kind of system error it was, so
// that errors.Is works across processes and systems.
func (r *reply) err() error {
	if r.Error == "" {
		return nil
	}
	return &remoteError{r.Error, errnoOf(r.Errno)}
}

type remoteError struct {
	msg   string
	errno syscall.Errno // 0: none that this system has
}

// Error is what the container said.
func (e *remoteError) Error() string { return e.msg }

// Unwrap is the system's error.
func (e *remoteError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

// errnoOf finds an error by its name; 0 when this system has none.
func errnoOf(name string) syscall.Errno {
	if name == "" {
		return 0
	}
	for e := syscall.Errno(1); e < 256; e++ {
		if unix.ErrnoName(e) == name {
			return e
		}
	}
	return 0
}
