package process

import (
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/rehearse-dev/rehearse/internal/passing"
)

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
	All     bool      `json:"all,omitempty"`  // signal: every process in the jail
	Dir     string    `json:"dir,omitempty"`  // scratch, fill: where a file system is
	Full    bool      `json:"full,omitempty"` // fill: or with room again
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
	// Self is true for our own program, which Args only call by another name.
	Self bool     `json:"self,omitempty"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	// Main is true for the service itself: when it ends, its jail does.
	Main bool `json:"main,omitempty"`
}

// client is the asking side of a channel.
type client struct {
	ch      *passing.Channel
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
func newClient(ch *passing.Channel, onEvent func(reply)) *client {
	c := &client{ch: ch, onEvent: onEvent, done: make(chan struct{}), waiting: map[int]chan answer{}}
	go c.run()
	return c
}

func (c *client) run() {
	defer close(c.done)
	for {
		var r reply
		files, err := c.ch.Read(&r)
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
			passing.CloseAll(files)
			c.onEvent(r)
			continue
		}
		c.mu.Lock()
		w := c.waiting[r.ID]
		delete(c.waiting, r.ID)
		c.mu.Unlock()
		if w == nil {
			passing.CloseAll(files)
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
	if err := c.ch.Write(q, files...); err != nil {
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
		passing.CloseAll(a.files)
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
