package redis

import (
	"time"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Follower reads along one connection, from its first byte. In the steady state
// it allocates nothing. Of a command it reads the name and what it is a container
// for; arguments and values pass it by.
//
// Every command is an exchange, those of a pipeline and those between MULTI and
// EXEC too. One that has no answer, because of CLIENT REPLY, is ended when it is
// said. SUBSCRIBE and its like end with the confirmation of the last channel that
// they name; without one, with the first. Messages, invalidations and what
// MONITOR shows are no answers, and of no exchange. What is cut before its answer
// begins has not been Answered, which is 0 then.
type Follower struct {
	tell wire.Tell
	told wire.Exchange

	now    time.Duration
	ended  time.Duration // of the exchange before
	count  uint64
	asked  wire.Queue[asked]
	upAt   int64 // bytes that have passed
	downAt int64

	call      call
	callBegun time.Duration
	callAt    int64
	silent    bool // CLIENT REPLY OFF
	skips     bool // CLIENT REPLY SKIP
	names     map[string]string

	reply      reply
	replyBegun time.Duration
	replyAt    int64
	resp3      bool
	monitors   bool
	channels   int64 // that are subscribed to, patterns included
	shards     int64

	upOver, downOver bool
	upEnd            time.Duration
	opaque           string
}

var _ wire.Follower = (*Follower)(nil)

// asked is a command that has no whole answer yet.
type asked struct {
	id                    uint64
	begun, said, answered time.Duration
	saidAt, up, down      int64
	command               string
	hasAnswer             bool
	confirms              int // answers that are still to come, of SUBSCRIBE and its like
}

// NewFollower follows a new connection.
func NewFollower(tell wire.Tell) *Follower {
	f := &Follower{tell: tell, names: map[string]string{}}
	f.told.Protocol, f.told.Rows = wire.Redis, -1
	return f
}

// Opaque implements [wire.Follower].
func (f *Follower) Opaque() string { return f.opaque }

// Open implements [wire.Follower]. A command is open from its first byte.
func (f *Follower) Open() int {
	n := f.asked.Len()
	if f.call.begun() && !f.upOver {
		n++
	}
	return n
}

// tlsRecord is the first byte of a connection that begins with TLS.
const tlsRecord = 0x16

// Up implements [wire.Follower].
func (f *Follower) Up(p []byte, at time.Duration) {
	f.now = at
	for len(p) > 0 && f.opaque == "" {
		if !f.call.begun() {
			if f.upAt == 0 && p[0] == tlsRecord {
				f.hide("tls")
				return
			}
			f.callBegun, f.callAt = at, f.upAt
		}
		n, done, ok := f.call.next(p)
		f.upAt += int64(n)
		switch {
		case !ok:
			f.lost()
		case done && f.call.count > 0:
			f.said()
			if f.downOver {
				f.cut()
			}
		}
		p = p[n:]
	}
}

// Down implements [wire.Follower].
func (f *Follower) Down(p []byte, at time.Duration) {
	f.now = at
	for len(p) > 0 && f.opaque == "" {
		if !f.reply.begun {
			f.replyBegun, f.replyAt = at, f.downAt
		}
		n, done, ok := f.reply.next(p)
		f.downAt += int64(n)
		switch {
		case !ok:
			f.lost()
		case done:
			f.heard()
		}
		p = p[n:]
	}
}

// End implements [wire.Follower].
func (f *Follower) End(up bool, at time.Duration) {
	f.now = at
	if up {
		f.upOver, f.upEnd = true, at
		return
	}
	f.downOver = true
	if f.opaque == "" {
		f.cut()
	}
}

// lost is the end of understanding.
func (f *Follower) lost() {
	if f.count == 0 {
		f.hide("unknown")
	} else {
		f.hide("lost")
	}
}

// hide makes f opaque. It forgets everything.
func (f *Follower) hide(why string) { *f = Follower{opaque: why} }

// said takes a whole command.
func (f *Follower) said() {
	c := &f.call
	if c.words[0].is("SYNC") || c.words[0].is("PSYNC") {
		f.hide("replication")
		return
	}
	if f.asked.Len() >= wire.MaxOwed {
		f.lost()
		return
	}
	var b [2*len(word{}.text) + 1]byte
	f.count++
	a := asked{
		id: f.count, begun: f.callBegun, said: f.now, saidAt: f.upAt, up: f.upAt - f.callAt,
		command: f.intern(c.name(b[:0])),
	}
	if subscribes(a.command) {
		a.confirms = max(1, c.count-1)
	}
	if f.answers(c) {
		f.asked.Push(a)
		return
	}
	a.answered, a.hasAnswer = f.now, true
	f.tellOf(&a, f.now, "", "")
}

// answers reports whether a command is answered at all.
func (f *Follower) answers(c *call) bool {
	if c.words[0].is("CLIENT") && c.words[1].is("REPLY") && c.count == 3 {
		switch {
		case c.words[2].is("ON"):
			f.silent, f.skips = false, false
			return true
		case c.words[2].is("OFF"):
			f.silent = true
			return false
		case c.words[2].is("SKIP"):
			f.skips = !f.silent
			return false
		}
	}
	skips := f.skips
	f.skips = false
	return !f.silent && !skips
}

func subscribes(command string) bool {
	switch command {
	case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE":
		return true
	}
	return false
}

// maxNames is how many names are remembered to be shared. Redis has fewer than
// 500 commands.
const maxNames = 500

// intern makes a string of a name, as a rule one that there is already.
func (f *Follower) intern(name []byte) string {
	if s, ok := f.names[string(name)]; ok {
		return s
	}
	s := string(name)
	if len(f.names) < maxNames {
		f.names[s] = s
	}
	return s
}

// heard takes a whole answer, or what looks like one.
func (f *Follower) heard() {
	r := &f.reply
	var a *asked
	if f.asked.Len() > 0 {
		a = f.asked.Front()
	}
	confirms := a != nil && a.confirms > 0 && f.confirms(a)
	switch {
	case r.top == '%' || r.push:
		f.resp3 = true
	case a != nil && a.command == "HELLO" && r.top == '*':
		f.resp3 = false
	}
	switch {
	case !confirms && f.unasked():
		return
	case a == nil && r.top == '-':
		return // the server ends the connection
	case a == nil:
		f.lost()
		return
	}
	a.down += f.downAt - f.replyAt
	if !a.hasAnswer {
		a.hasAnswer, a.answered = true, f.replyBegun
	}
	if confirms {
		if a.confirms--; a.confirms > 0 {
			return
		}
	}
	f.changes(a)
	f.tellOf(a, f.now, f.errorCode(), "")
	f.asked.Pop()
}

// confirms reports whether what was heard confirms a SUBSCRIBE or the like, and
// takes down how many channels there are now.
func (f *Follower) confirms(a *asked) bool {
	return (f.reply.push || f.reply.top == '*') && f.reply.first.is(a.command) && f.subscribed()
}

// subscribed takes down how many channels a confirmation counts. It reports
// whether it is one.
func (f *Follower) subscribed() bool {
	w := &f.reply.first
	switch {
	case w.is("SUBSCRIBE"), w.is("PSUBSCRIBE"), w.is("UNSUBSCRIBE"), w.is("PUNSUBSCRIBE"):
		f.channels = f.reply.last
	case w.is("SSUBSCRIBE"), w.is("SUNSUBSCRIBE"):
		f.shards = f.reply.last
	default:
		return false
	}
	return true
}

// unasked reports whether what was heard is no answer.
func (f *Follower) unasked() bool {
	r := &f.reply
	switch {
	case r.push:
		f.subscribed()
		return true
	case r.top == '+':
		return f.monitors && r.first.n > 0 && r.first.text[0] >= '0' && r.first.text[0] <= '9'
	case r.top != '*' || f.resp3 || f.channels+f.shards == 0:
		return false
	}
	return f.subscribed() || r.first.is("MESSAGE") || r.first.is("PMESSAGE") || r.first.is("SMESSAGE")
}

// changes takes down what a command that was answered changes about those behind
// it.
func (f *Follower) changes(a *asked) {
	switch {
	case f.reply.top == '-':
	case a.command == "MONITOR":
		f.monitors = !f.reply.queued
	case a.command == "RESET":
		f.monitors, f.resp3, f.channels, f.shards = false, false, 0, 0
	}
}

// errorCode is the first word of an error, "ERR" where that is no code; empty for
// another answer.
func (f *Follower) errorCode() string {
	if f.reply.top != '-' && f.reply.top != '!' {
		return ""
	}
	code := f.reply.first.bytes()
	for i, c := range code {
		if c == ' ' && i > 0 {
			code = code[:i]
			break
		}
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return "ERR"
		}
	}
	return f.intern(code)
}

// cut tells of all commands, whose answers cannot come any more.
func (f *Follower) cut() {
	for f.asked.Len() > 0 {
		a := f.asked.Front()
		if f.reply.begun && !f.reply.push && !a.hasAnswer {
			a.hasAnswer, a.answered = true, f.replyBegun
			a.down = f.downAt - f.replyAt
		}
		f.reply = reply{}
		by, ended := "upstream", f.now
		if f.upOver {
			by = "client"
			if !a.hasAnswer || a.answered < f.upEnd {
				ended = f.upEnd
			}
		}
		f.tellOf(a, ended, "", by)
		f.asked.Pop()
	}
}

// tellOf tells of a command that has ended at a time.
func (f *Follower) tellOf(a *asked, ended time.Duration, code, cut string) {
	x := &f.told
	x.ID, x.Command, x.ErrorCode, x.Cut = a.id, a.command, code, cut
	x.Begun, x.Said, x.Answered, x.Ended = a.begun, a.said, a.answered, max(ended, a.said)
	x.SaidAt, x.EndedAt, x.BytesUp, x.BytesDown = a.saidAt, f.downAt, a.up, a.down
	x.Ahead = 0
	if f.ended > a.said {
		x.Ahead = f.ended
	}
	f.ended = max(f.ended, x.Ended)
	f.tell(x)
}
