package link

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// BenchmarkDelay measures how exactly a link at 84 ms of round trip delivers,
// with 100 connections that each wait for their answer. An operation is a round
// trip; the errors are of one direction, as the link itself saw them, and
// rtt-excess is what a client saw beyond 84 ms, direct round trip included.
func BenchmarkDelay(b *testing.B) {
	const conns = 100
	rtt := 84 * time.Millisecond
	l, addr := serveEcho(b, rehearse.Symmetric(rtt, 0, 0))
	trips := make([][]time.Duration, conns)
	var next atomic.Int64
	var warm, all sync.WaitGroup
	warm.Add(conns)
	begin := make(chan struct{})
	for i := range trips {
		c := dialTCP(b, addr)
		all.Go(func() {
			// Spread over a round trip: arrivals are not a stampede.
			apart := rtt * time.Duration(i) / conns
			waitTimer(time.Now().Add(apart), nil, nil)
			buf := make([]byte, 64)
			pingPong(b, c, buf) // pays the handshake
			warm.Done()
			<-begin
			waitTimer(time.Now().Add(apart), nil, nil)
			for next.Add(1) <= int64(b.N) {
				start := time.Now()
				pingPong(b, c, buf)
				trips[i] = append(trips[i], time.Since(start)-rtt)
			}
		})
	}
	warm.Wait()
	b.ResetTimer()
	close(begin)
	all.Wait()
	b.StopTimer()
	excess := slices.Concat(trips...)
	slices.Sort(excess)
	q := l.Stats().DelayError
	b.ReportMetric(micros(time.Duration(q.P50)), "p50-error-µs")
	b.ReportMetric(micros(time.Duration(q.P99)), "p99-error-µs")
	b.ReportMetric(micros(excess[len(excess)/2]), "p50-rtt-excess-µs")
	b.ReportMetric(micros(excess[len(excess)*99/100]), "p99-rtt-excess-µs")
}

// BenchmarkThroughput pushes bulk through a flat link, through a bare io.Copy
// proxy, and directly, in turn, and reports each as a share of direct.
func BenchmarkThroughput(b *testing.B) {
	const size = 64 << 20
	b.SetBytes(size)
	direct := serveSink(b)
	copied := serveCopy(b, direct)
	_, linked := serveLink(b, rehearse.Shape{}, direct)
	var took [3]time.Duration
	for b.Loop() {
		for i, addr := range []string{direct, copied, linked} {
			start := time.Now()
			push(b, addr, size)
			took[i] += time.Since(start)
		}
	}
	b.ReportMetric(float64(took[0])/float64(took[1]), "io.Copy/direct")
	b.ReportMetric(float64(took[0])/float64(took[2]), "link/direct")
	b.ReportMetric(float64(took[1])/float64(took[2]), "link/io.Copy")
	b.ReportMetric(float64(b.N)*size/1e6/took[2].Seconds(), "link-MB/s")
}

// BenchmarkRoundTrip is 64 bytes there and back on one connection, directly and
// through a flat link, in turn.
func BenchmarkRoundTrip(b *testing.B) {
	echo := serveEchoDirect(b)
	_, linked := serveLink(b, rehearse.Shape{}, echo)
	conns := []net.Conn{dialTCP(b, echo), dialTCP(b, linked)}
	buf := make([]byte, 64)
	var took [2]time.Duration
	for b.Loop() {
		for i, c := range conns {
			start := time.Now()
			pingPong(b, c, buf)
			took[i] += time.Since(start)
		}
	}
	b.ReportMetric(micros(took[0])/float64(b.N), "direct-µs")
	b.ReportMetric(micros(took[1])/float64(b.N), "link-µs")
	b.ReportMetric(float64(took[1])/float64(took[0]), "link/direct")
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func pingPong(tb testing.TB, c net.Conn, buf []byte) {
	if _, err := c.Write(buf); err != nil {
		tb.Error(err)
	}
	if _, err := io.ReadFull(c, buf); err != nil {
		tb.Error(err)
	}
}

// push sends size bytes to a sink and waits until it has them all.
func push(tb testing.TB, addr string, size int) {
	c := dialTCP(tb, addr)
	defer c.Close()
	buf := make([]byte, 256<<10)
	for sent := 0; sent < size; sent += len(buf) {
		if _, err := c.Write(buf); err != nil {
			tb.Fatal(err)
		}
	}
	c.CloseWrite()
	if _, err := io.ReadFull(c, buf[:1]); err != nil {
		tb.Fatal(err)
	}
}

// serveSink reads every connection to its end and then answers one byte.
func serveSink(tb testing.TB) string {
	return serveTCP(tb, func(c *net.TCPConn) {
		buf := make([]byte, 256<<10)
		for {
			if _, err := c.Read(buf); err != nil {
				break
			}
		}
		c.Write(buf[:1])
	})
}

// serveCopy is the simplest proxy there is; on Linux io.Copy splices.
func serveCopy(tb testing.TB, upstream string) string {
	return serveTCP(tb, func(c *net.TCPConn) {
		conn, err := net.Dial("tcp", upstream)
		if err != nil {
			tb.Error(err)
			return
		}
		u := conn.(*net.TCPConn)
		defer u.Close()
		var both sync.WaitGroup
		both.Go(func() { io.Copy(u, c); u.CloseWrite() })
		both.Go(func() { io.Copy(c, u); c.CloseWrite() })
		both.Wait()
	})
}

// BenchmarkHTTP asks for a page again and again over one connection: without a
// link, over one, over one that is watched, and over one that also passes the
// trace context on.
func BenchmarkHTTP(b *testing.B) {
	page := make([]byte, 1024)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(page) }))
	defer server.Close()
	upstream := server.Listener.Addr().String()
	for _, how := range []string{"direct", "link", "watched", "propagating"} {
		b.Run(how, func(b *testing.B) {
			addr := upstream
			if how != "direct" {
				l := New(rehearse.LinkSpec{ID: "client:upstream"}, 1)
				if how != "link" {
					l.Watch(Watch{Calls: func([]Call, int) {}, Connection: func(Connection) {}, Propagate: how == "propagating"})
				}
				addr = serveThis(b, l, upstream)
			}
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			for b.Loop() {
				res, err := client.Get("http://" + addr)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
}
