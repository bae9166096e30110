package redis

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

// ending is a follower that says when a side has ended.
type ending struct {
	*Follower
	ended func()
}

func (e *ending) End(up bool, at time.Duration) {
	e.Follower.End(up, at)
	e.ended()
}

// TestFollowRealServer holds that a follower understands all that real programs
// say, and counts right.
func TestFollowRealServer(t *testing.T) {
	dial := server(t)
	var (
		mu        sync.Mutex
		ended     = sync.NewCond(&mu) // a side of a connection has
		open      = 0                 // such sides that have not
		followers []*Follower
		told      = map[string]int{}
	)
	port := wiretest.Listen(t, dial, func() wire.Editor {
		f := NewFollower(func(x *wire.Exchange) {
			mu.Lock()
			defer mu.Unlock()
			told[strings.TrimSpace(x.Command+" "+x.ErrorCode+x.Cut)]++
		})
		mu.Lock()
		defer mu.Unlock()
		open += 2
		followers = append(followers, f)
		return wiretest.Along(New(wire.Nobody{}, false), &ending{f, func() {
			mu.Lock()
			defer mu.Unlock()
			open--
			ended.Signal()
		}})
	})
	for _, c := range []struct {
		program, args, stdin string
		want                 map[string]int
	}{
		{program: "redis-benchmark", args: "-n 3200 -c 5 -P 16 -q -t set,get,incr,lpush,mset,hset,zadd", want: map[string]int{
			"SET": 3200, "GET": 3200, "INCR": 3200, "LPUSH": 3200, "MSET": 3200, "HSET": 3200, "ZADD": 3200, "CONFIG GET": 2,
		}},
		{program: "redis-benchmark", args: "-3 -n 300 -c 5 -q -d 70000 -t set,get", want: map[string]int{"SET": 300, "GET": 300, "CONFIG GET": 2, "HELLO": 10}},
		{program: "redis-cli", args: "", stdin: "multi\nset k v\nlpush k x\nexec\nlpush k x\nnonsense a\nconfig get maxmemory\neval \"return redis.error_reply('oops it is')\" 0\nblpop nothing 0.01\nhello 3\nhgetall h\nclient info\n", want: map[string]int{
			"MULTI": 1, "SET": 1, "LPUSH": 1, "EXEC": 1, "LPUSH WRONGTYPE": 1, "NONSENSE ERR": 1, "CONFIG GET": 1, "EVAL ERR": 1, "BLPOP": 1, "HELLO": 1, "HGETALL": 1, "CLIENT INFO": 1,
		}},
		{program: "redis-cli", args: "--pipe", stdin: strings.Repeat(cmd("INCR", "n"), 500), want: map[string]int{"INCR": 500, "ECHO": 1}},
	} {
		run := exec.Command(c.program, append([]string{"-h", "127.0.0.1", "-p", port}, strings.Fields(c.args)...)...)
		run.Stdin = strings.NewReader(c.stdin)
		if out, err := run.CombinedOutput(); err != nil {
			t.Errorf("%s %s: %v\n%s", c.program, c.args, err, out)
		}
		mu.Lock()
		for open > 0 {
			ended.Wait()
		}
		for key := range told {
			if strings.HasPrefix(key, "COMMAND") {
				delete(told, key) // redis-cli asks for help, as it likes
			}
		}
		if !cmp.Equal(told, c.want) {
			t.Errorf("%s %s:\n%s", c.program, c.args, cmp.Diff(c.want, told))
		}
		for _, f := range followers {
			if f.Opaque() != "" || f.Open() != 0 {
				t.Errorf("%s %s: the follower is opaque (%q) with %d open", c.program, c.args, f.Opaque(), f.Open())
			}
		}
		clear(told)
		followers = nil
		mu.Unlock()
	}
}

// TestFollowSubscribers holds that messages are no answers, whatever the version
// of the protocol.
func TestFollowSubscribers(t *testing.T) {
	dial := server(t)
	for _, hello := range []string{"2", "3"} {
		var told []string
		f := NewFollower(func(x *wire.Exchange) { told = append(told, x.Command) })
		publisher := dial()
		defer publisher.Close()
		c := wiretest.Carry(t, dial(), wiretest.Along(New(wire.Nobody{}, false), f))
		read := func(n int) {
			c.SetReadDeadline(time.Now().Add(20 * time.Second))
			buf := make([]byte, 1<<10)
			for n > 0 {
				k, err := c.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				n -= strings.Count(string(buf[:k]), "END")
			}
		}
		write := func(s string) {
			if _, err := fmt.Fprint(c, s); err != nil {
				t.Fatal(err)
			}
		}
		write(cmd("HELLO", hello) + cmd("SUBSCRIBE", "a", "bEND"))
		read(1)
		say(t, publisher, cmd("PUBLISH", "a", "x1END")+cmd("PUBLISH", "bEND", "x2"), ":1", ":1")
		read(2)
		write(cmd("PING", "END"))
		read(1)
		write(cmd("UNSUBSCRIBE") + cmd("ECHO", "END"))
		read(2)
		if want := []string{"HELLO", "SUBSCRIBE", "PING", "UNSUBSCRIBE", "ECHO"}; !cmp.Equal(told, want) || f.Opaque() != "" || f.Open() != 0 {
			t.Errorf("RESP%s: opaque is %q with %d open:\n%s", hello, f.Opaque(), f.Open(), cmp.Diff(want, told))
		}
		c.Close()
	}
}
