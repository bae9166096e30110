package redis

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

// server starts a real Redis and returns a way to dial it.
func server(t *testing.T) func() net.Conn {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not on this host: apt-get install redis-server")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(bin, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	dial := func() net.Conn {
		deadline := time.After(20 * time.Second)
		for {
			c, err := net.Dial("unix", socket)
			if err == nil {
				return c
			}
			select {
			case <-deadline:
				t.Fatal(err)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return dial
}

// say sends commands and compares the lines of their answers.
func say(t *testing.T, c net.Conn, commands string, want ...string) {
	t.Helper()
	go io.WriteString(c, commands)
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(c)
	for _, w := range want {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("waiting for %q: %v", w, err)
		}
		if got := line[:len(line)-2]; got != w {
			t.Fatalf("got %q, want %q", got, w)
		}
	}
}

func TestRealServer(t *testing.T) {
	dial := server(t)
	plain := dial()
	defer plain.Close()
	d := wiretest.NewDecider(t,
		rehearse.Fault{Kind: rehearse.FaultEvict, Match: rehearse.Match{Command: "GET", Key: "gone"}},
		rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "LOADING wait", Match: rehearse.Match{Key: "broken"}},
	)
	c := wiretest.Carry(t, dial(), New(d, false))

	say(t, c, cmd("SET", "gone", "1")+cmd("GET", "gone")+cmd("SET", "broken", "1")+cmd("PING"), "+OK", "$-1", "-LOADING wait", "+PONG")
	say(t, plain, cmd("EXISTS", "gone", "broken"), ":0")

	// An error between MULTI and EXEC leaves nothing of the transaction.
	say(t, c, cmd("MULTI")+cmd("SET", "x", "1")+cmd("SET", "broken", "1")+cmd("EXEC"),
		"+OK", "+QUEUED", "-LOADING wait", "-EXECABORT Transaction discarded because of previous errors.")
	say(t, plain, cmd("EXISTS", "x"), ":0")
	say(t, c, cmd("PING"), "+PONG")
	if got, want := fmt.Sprint(d.Dose("evict"), "; ", d.Dose("redis-error")), "1 requests, 0 bytes; 2 requests, 64 bytes"; got != want {
		t.Errorf("doses are %s, want %s", got, want)
	}
}

// TestRealPrograms holds that the editor follows what real programs say to the
// end, and that it changes nothing.
func TestRealPrograms(t *testing.T) {
	dial := server(t)
	var lost atomic.Bool
	port := wiretest.Listen(t, dial, func() wire.Editor {
		return wiretest.Watch(New(wire.Nobody{}, false), &lost)
	})
	for _, c := range []string{
		"redis-benchmark -n 300 -c 5 -P 7 -q -t set,get,incr,lpush,lrange,mset,hset,zadd",
		"redis-benchmark -3 -n 300 -c 5 -q -d 70000 -t set,get",
		"redis-cli -3 HGETALL nothing",
		"redis-cli EVAL redis.call('set',KEYS[1],ARGV[1])return{1,{2,'x'},false} 1 k v",
	} {
		args := strings.Fields(c)
		cmd := exec.Command(args[0], append([]string{"-h", "127.0.0.1", "-p", port}, args[1:]...)...)
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "rror") {
			t.Errorf("%s: %v\n%s", c, err, out)
		}
		if lost.Swap(false) {
			t.Errorf("%s: the editor lost its way", c)
		}
	}
}
