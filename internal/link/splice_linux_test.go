package link

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// openPipes counts the process's pipes that are in use by a splice.
func openPipes(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(to, "pipe:") {
			n++
		}
	}
	return n - freePipes()
}

// tally counts what is written to it.
type tally struct{ atomic.Int64 }

func (n *tally) Write(p []byte) (int, error) {
	n.Add(int64(len(p)))
	return len(p), nil
}

// pour writes to a connection until told to stop, and gives how much was taken.
func pour(c net.Conn, stop <-chan struct{}) (n int64) {
	buf := randomBytes(3, 1<<20)
	for {
		select {
		case <-stop:
			return n
		default:
		}
		k, err := c.Write(buf)
		n += int64(k)
		if err != nil {
			return n
		}
	}
}

// spliceUp makes a connection bulk from the client on, until the link has moved
// it to a pipe.
func spliceUp(t *testing.T, client, upstream net.Conn) (stop func() (sent, got int64)) {
	t.Helper()
	before := openPipes(t)
	var both sync.WaitGroup
	enough := make(chan struct{})
	var sent, got int64
	both.Go(func() { sent = pour(client, enough); client.(*net.TCPConn).CloseWrite() })
	got = untilSpliced(t, upstream, before)
	both.Go(func() {
		n, _ := io.Copy(io.Discard, struct{ io.Reader }{upstream})
		got += n
	})
	return func() (int64, int64) {
		close(enough)
		both.Wait()
		return sent, got
	}
}

// untilSpliced reads until a splice has begun, and returns how much it read. A
// splice that has begun stays where it is while nobody reads; whether it has
// begun by then depends on how the bytes were read.
func untilSpliced(t *testing.T, upstream net.Conn, before int) (got int64) {
	t.Helper()
	for {
		n, err := io.CopyN(io.Discard, upstream, 1<<20)
		got += n
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if openPipes(t) > before {
				return got
			}
			waitTimer(time.Now().Add(time.Millisecond), nil, nil)
		}
	}
}

// TestSpliceWhileThingsChange carries bulk both ways while the shape and faults
// that lose nothing come and go.
func TestSpliceWhileThingsChange(t *testing.T) {
	noLeaks(t)
	const size = 24 << 20
	l, client, upstream := connect(t, rehearse.Shape{})
	stop := make(chan struct{})
	var changer, all sync.WaitGroup
	changer.Go(func() {
		random := rand.New(rand.NewPCG(1, 1))
		for waitTimer(time.Now().Add(time.Duration(random.IntN(20))*time.Millisecond), stop, nil) {
			select {
			case <-stop:
				return
			default:
			}
			switch random.IntN(4) {
			case 0:
				l.Set(rehearse.Symmetric(time.Duration(random.IntN(2000))*time.Microsecond, 0, 0))
			case 1:
				l.Break([]rehearse.Fault{{Kind: rehearse.FaultPartition}})
			default:
				l.Set(rehearse.Shape{})
				l.Break(nil)
			}
		}
	})
	for i, way := range [][2]*net.TCPConn{{client, upstream}, {upstream, client}} {
		data := randomBytes(uint64(i), size)
		all.Go(func() { way[0].Write(data); way[0].CloseWrite() })
		all.Go(func() {
			if got, err := io.ReadAll(way[1]); err != nil || !bytes.Equal(got, data) {
				t.Errorf("way %d: read %d bytes, %v; want the %d that were sent", i, len(got), err, size)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	<-done
	close(stop)
	changer.Wait()
	eventually(t, func() bool { return l.Stats().Active == 0 })
	if s := l.Stats(); s.BytesUp != size || s.BytesDown != size {
		t.Errorf("%d bytes up and %d down are counted, want %d each", s.BytesUp, s.BytesDown, size)
	}
}

func TestSpliceGivesPipesBack(t *testing.T) {
	noLeaks(t)
	ln := listenTCP(t)
	defer ln.Close()
	_, addr := serveLink(t, rehearse.Shape{}, ln.Addr().String())
	for range 40 { // more than are kept
		client := dialTCP(t, addr)
		upstream, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer upstream.Close()
		before := openPipes(t)
		enough, poured := make(chan struct{}), make(chan int64)
		go func() { poured <- pour(client, enough) }()
		var arrived tally
		arrived.Add(untilSpliced(t, upstream, before))
		go io.Copy(&arrived, struct{ io.Reader }{upstream})
		close(enough)
		// It stays open, and is idle only when all has arrived: bytes that are
		// still under way would take a pipe again.
		sent := <-poured
		eventually(t, func() bool { return arrived.Load() == sent })
		eventually(t, func() bool { return openPipes(t) == before })
	}
	if n := freePipes() / 2; n > maxFreePipes {
		t.Errorf("%d pipes are kept, want no more than %d", n, maxFreePipes)
	}
}

// TestIdleConnectionsHaveTwoDescriptors counts those of the link alone.
func TestIdleConnectionsHaveTwoDescriptors(t *testing.T) {
	noLeaks(t)
	ln := listenTCP(t)
	defer ln.Close()
	_, addr := serveLink(t, rehearse.Shape{}, ln.Addr().String())
	before := openFiles(t)
	const conns = 100
	for range conns {
		client := dialTCP(t, addr)
		upstream, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer upstream.Close()
		io.WriteString(client, "x")
		expect(t, upstream, "x")
	}
	// Two are the test's own.
	if n := openFiles(t) - before; n != 4*conns {
		t.Errorf("%d connections have %d descriptors, want %d", conns, n, 4*conns)
	}
}

func TestEndsInTheMiddleOfASplice(t *testing.T) {
	for _, how := range []string{"half-close", "fault", "client resets", "upstream resets", "link ends"} {
		t.Run(how, func(t *testing.T) {
			noLeaks(t)
			l, client, upstream := connect(t, rehearse.Shape{})
			stop := spliceUp(t, client, upstream)
			switch how {
			case "half-close":
				if sent, got := stop(); sent != got {
					t.Errorf("sent %d bytes, of which %d arrived", sent, got)
				}
				io.WriteString(upstream, "the answer")
				upstream.CloseWrite()
				expect(t, client, "the answer")
				expectEnd(t, client, nil)
				eventually(t, func() bool { return l.Stats().Active == 0 })
				return
			case "fault":
				mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultReset})
			case "client resets":
				reset(client)
			case "upstream resets":
				reset(upstream)
			case "link ends":
				l.mu.Lock()
				for s := range l.sessions {
					go s.end()
				}
				l.mu.Unlock()
			}
			eventually(t, func() bool { return l.Stats().Active == 0 })
			if how != "client resets" {
				eventually(t, func() bool {
					_, err := client.Write([]byte("x"))
					return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
				})
			}
			stop()
		})
	}
}

// TestPartitionStopsASplice has bulk stop at once, and go on without a loss.
func TestPartitionStopsASplice(t *testing.T) {
	noLeaks(t)
	l, client, upstream := connect(t, rehearse.Shape{})
	before := openPipes(t)
	stop := spliceUp(t, client, upstream)
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultPartition})
	eventually(t, func() bool { return doseOf(t, l, "partition").Connections == 1 && openPipes(t) == before })
	gone(t, l, "partition")
	if sent, got := stop(); sent != got {
		t.Errorf("sent %d bytes, of which %d arrived", sent, got)
	}
}
