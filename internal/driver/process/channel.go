package process

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// channel carries JSON messages and open files over a stream socket between two
// of our own processes. A message is four bytes of length, sent together with
// its files, and then its body; the kernel never joins two messages' files.
type channel struct {
	conn *net.UnixConn
	send sync.Mutex
}

const maxMessage = 4 << 20

// socketpair makes the two ends of a channel: one to keep, one to hand to a
// child as a file.
func socketpair() (*channel, *os.File, error) {
	// No process may be started between the making and the marking: it would hold
	// the socket open, and the shim that waits for its end would wait for ever.
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
	mine, err := newChannel(os.NewFile(uintptr(fds[0]), "control"))
	theirs := os.NewFile(uintptr(fds[1]), "control")
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return mine, theirs, nil
}

// newChannel takes over a socket.
func newChannel(f *os.File) (*channel, error) {
	defer f.Close() // FileConn duplicates it
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	return &channel{conn: c.(*net.UnixConn)}, nil
}

// write sends a message. The files stay the caller's.
func (c *channel) write(v any, files ...*os.File) error {
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

// read receives a message and its files, which become the caller's. It returns
// io.EOF when the other side has gone.
func (c *channel) read(v any) ([]*os.File, error) {
	var head [4]byte
	oob := make([]byte, unix.CmsgSpace(256*4))
	n, oobn, _, _, err := c.conn.ReadMsgUnix(head[:], oob)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(c.conn, head[n:]); err != nil {
		return nil, err
	}
	files, err := receivedFiles(oob[:oobn])
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxMessage {
		closeAll(files)
		return nil, fmt.Errorf("control message of %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(c.conn, body); err != nil {
		closeAll(files)
		return nil, err
	}
	if err := json.Unmarshal(body, v); err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

func (c *channel) close() error { return c.conn.Close() }

func receivedFiles(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			closeAll(files)
			return nil, err
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// request is what the host asks of a guest or of a shim.
type request struct {
	ID int    `json:"id"`
	Op string `json:"op"`

	Netns string `json:"netns,omitempty"` // listen, sockets, shim: whose network
	Addr  string `json:"addr,omitempty"`  // listen
	Count int    `json:"count,omitempty"` // sockets: how many; listen: the client's number

	Jail    *jailSpec `json:"jail,omitempty"`    // shim
	Program *program  `json:"program,omitempty"` // run, in a shim
	PID     int       `json:"pid,omitempty"`     // signal, in a shim
	Signal  int       `json:"signal,omitempty"`
}

// reply answers a request, or tells of an event when ID is 0.
type reply struct {
	ID    int    `json:"id"`
	Error string `json:"error,omitempty"`
	Errno int    `json:"errno,omitempty"`

	PID    int    `json:"pid,omitempty"`
	Event  string `json:"event,omitempty"`  // "exit": a program or a shim ended
	Status int    `json:"status,omitempty"` // 128+N after signal N
	Note   string `json:"note,omitempty"`
}

// program is a command to run inside a jail. Its three streams travel with it.
type program struct {
	Args []string `json:"args"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	// Main is true for the service itself: when it ends, its jail does.
	Main bool `json:"main,omitempty"`
}

// client is the asking side of a channel.
type client struct {
	ch      *channel
	onEvent func(reply)
	done    chan struct{} // closed when the other side has gone

	mu      sync.Mutex
	next    int
	waiting map[int]chan answer
	gone    error
}

type answer struct {
	reply reply
	files []*os.File
}

// newClient starts reading answers; onEvent is called from one goroutine, and
// must not call.
func newClient(ch *channel, onEvent func(reply)) *client {
	c := &client{ch: ch, onEvent: onEvent, done: make(chan struct{}), waiting: map[int]chan answer{}}
	go c.run()
	return c
}

func (c *client) run() {
	defer close(c.done)
	for {
		var r reply
		files, err := c.ch.read(&r)
		if err != nil {
			c.mu.Lock()
			c.gone = err
			for id, w := range c.waiting {
				delete(c.waiting, id)
				close(w)
			}
			c.mu.Unlock()
			return
		}
		if r.ID == 0 {
			closeAll(files)
			c.onEvent(r)
			continue
		}
		c.mu.Lock()
		w := c.waiting[r.ID]
		delete(c.waiting, r.ID)
		c.mu.Unlock()
		if w == nil {
			closeAll(files)
			continue
		}
		w <- answer{r, files}
	}
}

// call asks and waits for the answer. Answers come in milliseconds or never, in
// which case the other side is gone and the channel says so: there is no need
// for a context.
func (c *client) call(q request, files ...*os.File) (reply, []*os.File, error) {
	w := make(chan answer, 1)
	c.mu.Lock()
	if c.gone != nil {
		c.mu.Unlock()
		return reply{}, nil, errGone
	}
	c.next++
	q.ID = c.next
	c.waiting[q.ID] = w
	c.mu.Unlock()
	if err := c.ch.write(q, files...); err != nil {
		c.mu.Lock()
		delete(c.waiting, q.ID)
		c.mu.Unlock()
		return reply{}, nil, fmt.Errorf("%s: %w", q.Op, errGone)
	}
	a, ok := <-w
	if !ok {
		return reply{}, nil, fmt.Errorf("%s: %w", q.Op, errGone)
	}
	if a.reply.Error != "" {
		closeAll(a.files)
		return a.reply, nil, remoteError(a.reply)
	}
	return a.reply, a.files, nil
}

// remoteError keeps the error number, so that errors.Is works across processes.
func remoteError(r reply) error {
	if r.Errno != 0 {
		return fmt.Errorf("%s%w", trimErrno(r.Error, syscall.Errno(r.Errno)), syscall.Errno(r.Errno))
	}
	return fmt.Errorf("%s", r.Error)
}

func trimErrno(msg string, errno syscall.Errno) string {
	if text := errno.Error(); len(msg) >= len(text) && msg[len(msg)-len(text):] == text {
		return msg[:len(msg)-len(text)]
	}
	return msg + ": "
}

var errGone = fmt.Errorf("the environment's helper process has ended")
