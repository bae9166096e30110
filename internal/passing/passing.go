//go:build unix

// Package passing carries JSON messages and open files between two processes on
// one kernel, over a Unix stream socket, and uses the sockets that come that way.
//
// A socket belongs to the network namespace in which it was made, not to that of
// whoever uses it. So a small helper inside of a namespace makes listeners and
// unconnected sockets and sends them out over a [Channel]; the process outside
// accepts from the ones and connects the others ([Pool], [Connect]) as if it
// stood inside, and no byte takes a detour.
package passing

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Channel is one end of the socket. A message is four bytes of length, sent
// together with its files, and then its body; the kernel never joins two
// messages' files. Any goroutine may Write, and one at a time may Read.
type Channel struct {
	conn *net.UnixConn
	send sync.Mutex
}

// The most that a message may hold. The number of files is the kernel's limit,
// SCM_MAX_FD.
const (
	maxMessage = 4 << 20
	maxFiles   = 253
)

// Socketpair makes the two ends of a channel: one to keep, one to hand to a
// child as a file.
func Socketpair() (*Channel, *os.File, error) {
	// No process may be started between the making and the marking: it would hold
	// the socket open, and the child that waits for its end would wait for ever.
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make a control socket: %w", err)
	}
	mine, err := FromFile(os.NewFile(uintptr(fds[0]), "control"))
	theirs := os.NewFile(uintptr(fds[1]), "control")
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return mine, theirs, nil
}

// FromFile takes over a socket, also when it fails.
func FromFile(f *os.File) (*Channel, error) {
	defer f.Close() // FileConn duplicates it
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("open the control socket: it is a %T", c)
	}
	return FromConn(u), nil
}

// FromConn makes a channel of a connection, which the caller may still set
// deadlines on.
func FromConn(c *net.UnixConn) *Channel { return &Channel{conn: c} }

// Write sends a message. The files stay the caller's.
func (c *Channel) Write(v any, files ...*os.File) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(body)))
	c.send.Lock()
	defer c.send.Unlock()
	if _, _, err := c.conn.WriteMsgUnix(head[:], rights, nil); err != nil {
		return err
	}
	_, err = c.conn.Write(body)
	return err
}

// Read receives a message and its files, which become the caller's. It returns
// [io.EOF] when the other side has gone.
func (c *Channel) Read(v any) ([]*os.File, error) {
	var head [4]byte
	oob := make([]byte, unix.CmsgSpace(maxFiles*4))
	n, oobn, _, _, err := c.conn.ReadMsgUnix(head[:], oob)
	switch {
	case err == nil && n == 0, errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, err
	}
	files, err := received(oob[:oobn])
	if err == nil {
		err = c.body(head, n, v)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		CloseAll(files)
		return nil, err
	}
	return files, nil
}

// body reads the rest of a message of whose length n bytes are there.
func (c *Channel) body(head [4]byte, n int, v any) error {
	if _, err := io.ReadFull(c.conn, head[n:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxMessage {
		return fmt.Errorf("a message of %d bytes", size)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(c.conn, data); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// Close ends the channel for both sides.
func (c *Channel) Close() error { return c.conn.Close() }

// received takes the files out of a message's ancillary data. After an error
// the files that were found are still the caller's.
func received(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

// CloseAll closes files that came with a message.
func CloseAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
