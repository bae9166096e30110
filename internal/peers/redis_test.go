package peers

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// startRedis runs a real Redis until the test ends, and says where its socket is.
func startRedis(t *testing.T) (socket string) {
	t.Helper()
	needs(t, "redis-server redis-tools", "redis-server", "redis-cli", "redis-benchmark")
	dir := t.TempDir()
	socket = filepath.Join(dir, "redis.sock")
	server := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Signal(os.Interrupt)
		server.Wait()
	})
	eventually(t, "Redis answers", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return socket
}

// cells count the keys, of which each cell has its own.
var cells atomic.Int64

// redisCLI is redis-cli, which sets a key and gets it in one connection.
func redisCLI(ctx context.Context, c carried) error {
	key, value := fmt.Sprintf("cell%d", cells.Add(1)), base64.StdEncoding.EncodeToString(body[:24<<10])
	got, complaint, err := runBoth(ctx, fmt.Appendf(nil, "SET %s %s\nGET %s\nDEL %s\n", key, value, key, key), "redis-cli", "-p", c.port(), "-e")
	if err != nil || complaint != "" {
		return fmt.Errorf("redis-cli: %v: %s", err, complaint)
	}
	return same("answers", got, fmt.Appendf(nil, "OK\n%s\n1\n", value))
}

// patient is how Redis's clients take a connection that ends before its first
// answer: they try again.
func patient(b breakage) breakage {
	switch b.fault.Kind {
	case rehearse.FaultBlackhole, rehearse.FaultTimeout:
		if b.name != "timeout-after" {
			b.want = works
		}
	case rehearse.FaultHalfOpen:
		b.want = either // the upstream may have answered just before it was taken away
	}
	return b
}

// benchmarks is how the benchmark takes it. One whose connection ends while it
// is being made may wait for good, also when the network is well again.
func benchmarks(b breakage) breakage {
	switch b.fault.Kind {
	case rehearse.FaultRefuse, rehearse.FaultLimit, rehearse.FaultReset:
		if b.want != works {
			b.want = changed
		}
	}
	return patient(b)
}

// redisBenchmark is redis-benchmark with several connections, pipelined.
func redisBenchmark(ctx context.Context, c carried) error {
	got, err := run(ctx, nil, "redis-benchmark", "-p", c.port(), "-n", "200", "-c", "4", "-P", "4", "-d", "200", "-t", "set,get", "--csv")
	if err != nil {
		return fmt.Errorf("%w: %.200s", err, got)
	}
	if !regexp.MustCompile(`(?s)"SET",.*"GET",`).Match(got) {
		return fmt.Errorf("%w: redis-benchmark said %s", errWrong, got)
	}
	return nil
}

func TestRedis(t *testing.T) {
	socket := startRedis(t)
	link := func(t testing.TB, tier rehearse.Tier) carried { return serveStream(t, tier, "unix", socket, nil) }
	says := map[ending]string{
		refused: `Connection refused`,
		reset:   `reset by peer|Server closed|Broken pipe|I/O error`,
		closed:  `Server closed|reset by peer|Broken pipe|I/O error`,
	}
	t.Run("faults", func(t *testing.T) {
		matrix(t, []peer{
			{name: "redis-cli", use: redisCLI, link: link, says: says, takes: patient},
			{name: "redis-benchmark", use: redisBenchmark, link: link, says: says, takes: benchmarks},
		}, streams)
	})
	t.Run("commands", func(t *testing.T) { commands(t, link) })
	eventually(t, "the server has no other client", func() bool {
		got, err := run(t.Context(), nil, "redis-cli", "-s", socket, "CLIENT", "LIST")
		return err == nil && strings.Count(string(got), "\n") <= 2 // its own, and a line's end
	})
}

// commands are the faults that understand the protocol.
func commands(t *testing.T, link func(testing.TB, rehearse.Tier) carried) {
	for _, tt := range []struct {
		name      string
		fault     rehearse.Fault
		in, want  string
		requests  int64
		afterward string // what a GET k says when the fault is gone
	}{
		{"error", rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "LOADING Redis is loading the dataset in memory", Match: rehearse.Match{Command: "GET"}},
			"SET k 1\nGET k\nPING\n", "OK\nLOADING Redis is loading the dataset in memory\n\nPONG\n", 1, "1\n"},
		{"error-key", rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "OOM no", Match: rehearse.Match{Key: "other*"}},
			"SET k 1\nSET other1 2\nGET k\n", "OK\nOOM no\n\n1\n", 1, "1\n"},
		{"error-queued", rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "OOM no", Match: rehearse.Match{Command: "INCR"}},
			"SET k 1\nMULTI\nINCR k\nEXEC\nGET k\n", "", 1, "1\n"},
		{"evict", rehearse.Fault{Kind: rehearse.FaultEvict, Match: rehearse.Match{Command: "GET", Key: "k"}},
			"SET k 1\nGET k\nSET k 2\nSET m 3\nGET m\n", "OK\n\nOK\nOK\n3\n", 1, "2\n"},
		{"delay", rehearse.Fault{Kind: rehearse.FaultDelay, Delay: ms(5), Match: rehearse.Match{Command: "GET"}},
			"SET k 1\nGET k\nGET k\n", "OK\n1\n1\n", 2, "1\n"},
		{"another", rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "OOM no", Match: rehearse.Match{Command: "ZADD"}},
			"SET k 1\nGET k\n", "OK\n1\n", 0, "1\n"},
	} {
		for _, tier := range (peer{}).across() {
			t.Run(fmt.Sprintf("%s/%s", tt.name, tier), func(t *testing.T) { // one after another: they share keys
				ctx, cancel := context.WithTimeout(t.Context(), bound)
				defer cancel()
				c := link(t, tier)
				c.set(t, tt.fault)
				got, err := run(ctx, []byte(tt.in), "redis-cli", "-p", c.port())
				if err != nil || tt.want != "" && string(got) != tt.want {
					t.Errorf("redis-cli says %q (%v), want %q", got, err, tt.want)
				}
				if tt.name == "error-queued" && !strings.Contains(string(got), "EXECABORT") {
					t.Errorf("EXEC does not fail: %q", got)
				}
				if dose := c.dose(t, tt.fault.ID()); dose.Requests != tt.requests || (dose.Connections > 0) != (tt.requests > 0) {
					t.Errorf("the dose is %+v, want %d requests", dose, tt.requests)
				}
				c.set(t)
				got, err = run(ctx, []byte("GET k\n"), "redis-cli", "-p", c.port())
				if err != nil || string(got) != tt.afterward {
					t.Errorf("after the fault: %q (%v), want %q", got, err, tt.afterward)
				}
			})
		}
	}
	t.Run("benchmark", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), bound)
		defer cancel()
		c := link(t, rehearse.TierStream)
		c.set(t, rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "OOM command not allowed", Match: rehearse.Match{Command: "SET"}})
		if err := redisBenchmark(ctx, c); err == nil || !strings.Contains(err.Error(), "OOM command not allowed") {
			t.Errorf("redis-benchmark ends with %v", err)
		}
		// It stops by itself at the first error.
		if c.set(t); redisBenchmark(ctx, c) != nil {
			t.Error("it does not work after the fault")
		}
	})
}
