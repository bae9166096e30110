package link

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// TestNoByteChanges is the link's first property: whatever the sizes of writes,
// whoever ends its half first, and however often the shape changes meanwhile,
// each side reads what the other wrote.
func TestNoByteChanges(t *testing.T) {
	const conns = 120
	type sums struct{ got, sent [32]byte }
	var mu sync.Mutex
	upstream := map[string]sums{}
	addr := serveTCP(t, func(c *net.TCPConn) {
		// The first 8 bytes name the connection and seed what is said on it.
		var name [8]byte
		if _, err := io.ReadFull(c, name[:]); err != nil {
			t.Errorf("read name: %v", err)
			return
		}
		var s sums
		s.got, s.sent = converse(t, c, rand.New(rand.NewChaCha8([32]byte(append(name[:], make([]byte, 24)...)))))
		mu.Lock()
		upstream[string(name[:])] = s
		mu.Unlock()
	})
	l, linked := serveLink(t, rehearse.Shape{}, addr)

	stop := make(chan struct{})
	var changer sync.WaitGroup
	changer.Go(func() {
		random := rand.New(rand.NewPCG(1, 1))
		for waitTimer(time.Now().Add(time.Duration(random.IntN(3000))*time.Microsecond), stop, nil) {
			select {
			case <-stop:
				return
			default:
				l.Set(randomShape(random))
				l.Stats()
			}
		}
	})
	var clients sync.WaitGroup
	client := make([]sums, conns)
	for i := range conns {
		clients.Go(func() {
			c := dialTCP(t, linked)
			if _, err := fmt.Fprintf(c, "%08d", i); err != nil {
				t.Error(err)
			}
			client[i].got, client[i].sent = converse(t, c, rand.New(rand.NewPCG(uint64(i), 2)))
		})
	}
	clients.Wait()
	close(stop)
	changer.Wait()
	for i := range conns {
		name := fmt.Sprintf("%08d", i)
		eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); _, ok := upstream[name]; return ok })
		mu.Lock()
		u := upstream[name]
		mu.Unlock()
		if client[i].got != u.sent || client[i].sent != u.got {
			t.Errorf("connection %d: the two sides differ on what was said", i)
		}
	}
	eventually(t, func() bool { return l.Stats().Active == 0 })
	if s := l.Stats(); s.Connections != conns || s.Resets != 0 || s.Refused != 0 || s.InFlight != 0 {
		t.Errorf("stats are %+v", s)
	}
}

// converse writes random chunks, ends its half, and meanwhile reads to the end.
// It returns the sums of both.
func converse(t *testing.T, c *net.TCPConn, random *rand.Rand) (got, sent [32]byte) {
	out, in := sha256.New(), sha256.New()
	var both sync.WaitGroup
	both.Go(func() {
		buf := make([]byte, 200<<10)
		for range random.IntN(30) {
			// Sizes from one byte to several buffers, small ones as likely.
			p := buf[:1+random.IntN(1+len(buf)>>random.IntN(16))]
			for i := 0; i < len(p); i += 1 + random.IntN(8) {
				p[i] = byte(random.Uint32())
			}
			out.Write(p)
			if _, err := c.Write(p); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			if random.IntN(3) == 0 {
				runtime.Gosched()
			}
		}
		if err := c.CloseWrite(); err != nil {
			t.Errorf("close half: %v", err)
		}
	})
	if _, err := io.Copy(in, c); err != nil {
		t.Errorf("read: %v", err)
	}
	both.Wait()
	return [32]byte(in.Sum(nil)), [32]byte(out.Sum(nil))
}

func randomShape(random *rand.Rand) rehearse.Shape {
	path := func() (p rehearse.Path) {
		if random.IntN(2) == 0 {
			return p
		}
		p.Delay = rehearse.Duration(random.IntN(5000)) * 1000
		p.Jitter = rehearse.Duration(random.IntN(2000)) * 1000
		if random.IntN(4) == 0 {
			p.Rate = rehearse.Rate(1+random.IntN(8)) * rehearse.Gbit / 2
		}
		return p
	}
	return rehearse.Shape{Up: path(), Down: path()}
}
