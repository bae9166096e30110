package redis

import (
	"bytes"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// command is the beginning of a command, with what a fault may ask for.
type command struct {
	verb  verb
	name  []byte
	first []byte // the first argument, where it was read
	key   []byte
	n     int // bytes it takes so far
	left  int // arguments that are still to come
}

// verb is what the editor knows about a command, its name in capital letters.
type verb [20]byte

func verbOf(name []byte) (v verb) {
	if len(name) >= len(v) {
		return verb{}
	}
	for i, c := range name {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		v[i] = c
	}
	return v
}

// is must stay small enough to be inlined: it makes no string.
func (v *verb) is(names ...string) bool {
	for _, n := range names {
		if string(v[:len(n)]) == n && v[len(n)] == 0 {
			return true
		}
	}
	return false
}

// outcome is how reading went.
type outcome int

const (
	more outcome = iota // the rest is needed
	ready
	bad
)

// maxArguments is Redis's own bound.
const maxArguments = 1 << 20 * 1024

// parse reads a command from the start of b as far as its key, or as far as it
// has come when b is as large as it may grow. An empty line and an empty array
// are commands without a name, which Redis does not answer.
func (c *command) parse(b []byte) outcome {
	*c = command{}
	if b[0] != '*' {
		return c.inline(b)
	}
	argc, at, got := number(b, 1)
	if got != ready {
		return got
	}
	c.n = at
	if argc <= 0 {
		return ready
	}
	if argc > maxArguments {
		return bad
	}
	c.left = int(argc)
	key := keyAt{at: 1}
	for i := 0; c.left > 0 && (i <= 1 && c.verb.is("CLIENT") || key.at >= i || i == 0); i++ {
		arg, next, got := bulk(b, c.n)
		if got == bad {
			return bad
		}
		if got == more {
			if len(b) >= wire.MaxHead && c.name != nil {
				return ready
			}
			return more
		}
		c.n = next
		c.left--
		switch {
		case i == 0:
			c.name, c.verb = arg, verbOf(arg)
			key = keyOf(&c.verb)
			continue
		case i == 1:
			c.first = arg
		}
		if i == key.at {
			c.key = arg
		}
		key.read(i, arg)
	}
	return ready
}

// inline reads a command of words on a line.
func (c *command) inline(b []byte) outcome {
	if first := b[0]; first != '\r' && first != '\n' && first != ' ' && (first|0x20 < 'a' || first|0x20 > 'z') {
		return bad // another protocol, whose bytes must not be kept
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return more
	}
	c.n = end + 1
	words := bytes.Fields(b[:end])
	if len(words) == 0 {
		return ready
	}
	c.name, c.verb = words[0], verbOf(words[0])
	key := keyOf(&c.verb)
	for i := 1; i < len(words); i++ {
		if i == 1 {
			c.first = words[1]
		}
		if i == key.at {
			c.key = words[i]
		}
		key.read(i, words[i])
	}
	return ready
}

// keyAt is where a command's first key stands.
type keyAt struct {
	at    int // the argument's number; 0: nowhere
	count int // the argument that says how many keys there are; 0: none does
	after bool
}

// keyOf is where the first key of a command stands. A command that is not listed
// has it at 1, as nearly all have that are about a key.
func keyOf(v *verb) keyAt {
	switch {
	case v.is("GET", "SET", "DEL", "EXISTS", "INCR", "EXPIRE", "HGET", "HSET", "LPUSH", "RPOP", "ZADD", "MGET", "SADD"):
		return keyAt{at: 1}
	case v.is("PING", "ECHO", "AUTH", "HELLO", "SELECT", "QUIT", "MULTI", "EXEC", "DISCARD", "UNWATCH", "RESET",
		"INFO", "DBSIZE", "FLUSHDB", "FLUSHALL", "KEYS", "SCAN", "RANDOMKEY", "TIME", "CONFIG", "CLIENT", "COMMAND",
		"SCRIPT", "FUNCTION", "ACL", "CLUSTER", "LATENCY", "SLOWLOG", "MODULE", "SAVE", "BGSAVE", "BGREWRITEAOF",
		"LASTSAVE", "ROLE", "REPLICAOF", "SLAVEOF", "FAILOVER", "SWAPDB", "WAIT", "WAITAOF", "LOLWUT", "DEBUG",
		"PUBLISH", "SPUBLISH", "PUBSUB", "ASKING", "READONLY", "READWRITE", "SHUTDOWN", "REPLCONF",
		"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE",
		"MONITOR", "SYNC", "PSYNC"):
		return keyAt{}
	case v.is("OBJECT", "MEMORY", "XGROUP", "XINFO", "BITOP"):
		return keyAt{at: 2}
	case v.is("ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD", "SINTERCARD", "LMPOP", "ZMPOP"):
		return keyAt{at: 2, count: 1}
	case v.is("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"):
		return keyAt{at: 3, count: 2}
	case v.is("BLMPOP", "BZMPOP"):
		return keyAt{at: 3, count: 2}
	case v.is("MIGRATE"):
		return keyAt{at: 3}
	case v.is("XREAD", "XREADGROUP"):
		return keyAt{at: maxArguments, after: true}
	}
	return keyAt{at: 1}
}

// read learns from an argument in front of the key.
func (k *keyAt) read(i int, arg []byte) {
	switch {
	case k.count > 0 && i == k.count && string(arg) == "0":
		k.at = 0
	case k.after && i < k.at && bytes.EqualFold(arg, []byte("STREAMS")):
		k.at, k.after = i+1, false
	}
}

// number reads a length and its line's end. Redis takes CR for the end and skips
// the byte behind it.
func number(b []byte, at int) (n int64, next int, got outcome) {
	negative := false
	for i := at; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\r' && i > at:
			if i+1 == len(b) {
				return 0, 0, more
			}
			if b[i+1] != '\n' {
				return 0, 0, bad
			}
			if negative {
				n = -n
			}
			return n, i + 2, ready
		case c == '-' && i == at:
			negative = true
		case c < '0' || c > '9' || i-at > 12:
			return 0, 0, bad
		default:
			n = 10*n + int64(c-'0')
		}
	}
	return 0, 0, more
}

// bulk reads one argument.
func bulk(b []byte, at int) (arg []byte, next int, got outcome) {
	if at >= len(b) {
		return nil, 0, more
	}
	if b[at] != '$' {
		return nil, 0, bad
	}
	n, at, got := number(b, at+1)
	switch {
	case got != ready:
		return nil, 0, got
	case n < 0:
		return nil, 0, bad
	case n > int64(len(b)-at-2):
		return nil, 0, more
	}
	end := at + int(n)
	return b[at:end], end + 2, ready
}

// arguments follows the rest of a command through the bytes.
type arguments struct {
	left   int
	state  argumentState
	n      int64 // of the data and its line's end
	digits int
}

type argumentState byte

const (
	argumentType argumentState = iota
	argumentSize
	argumentSizeEnd
	argumentData
)

// next takes as much of p as belongs to the arguments. They are over when none
// is left.
func (a *arguments) next(p []byte) (n int, ok bool) {
	for i := 0; i < len(p); {
		if a.state == argumentData {
			k := int(min(a.n, int64(len(p)-i)))
			i += k
			a.n -= int64(k)
			if a.n == 0 {
				a.state = argumentType
				if a.left--; a.left == 0 {
					return i, true
				}
			}
			continue
		}
		c := p[i]
		i++
		switch {
		case a.state == argumentType && c == '$':
			a.state, a.n, a.digits = argumentSize, 0, 0
		case a.state == argumentSize && c >= '0' && c <= '9' && a.digits < 12:
			a.n = 10*a.n + int64(c-'0')
			a.digits++
		case a.state == argumentSize && c == '\r' && a.digits > 0:
			a.state = argumentSizeEnd
		case a.state == argumentSizeEnd && c == '\n':
			a.state, a.n = argumentData, a.n+2
		default:
			return i - 1, false
		}
	}
	return len(p), true
}
