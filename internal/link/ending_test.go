package link

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

func TestRefusedUpstreamResetsClient(t *testing.T) {
	for _, shape := range []rehearse.Shape{{}, rehearse.Symmetric(4*time.Millisecond, 0, 0)} {
		t.Run(shape.String(), func(t *testing.T) {
			ln := listenTCP(t)
			ln.Close() // nobody listens here any more
			l, linked := serveLink(t, shape, ln.Addr().String())
			// The reset may come so soon that connect itself sees it.
			c, err := net.Dial("tcp", linked)
			if err == nil {
				defer c.Close()
				_, err = c.Read(make([]byte, 1))
			}
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("client sees %v, want %v", err, syscall.ECONNRESET)
			}
			eventually(t, func() bool { return l.Stats().Active == 0 })
			if s := l.Stats(); s.Refused != 1 || s.Connections != 1 || s.Resets != 0 {
				t.Errorf("stats are %+v", s)
			}
		})
	}
}

// TestResetPassesThrough resets each side in turn, after bytes that the other
// side must still get, in front of and behind a half-close.
func TestResetPassesThrough(t *testing.T) {
	for _, shape := range []rehearse.Shape{{}, rehearse.Symmetric(4*time.Millisecond, time.Millisecond, 0)} {
		for _, who := range []string{"client", "upstream"} {
			for _, half := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v/%s/half=%v", shape, who, half), func(t *testing.T) {
					l, client, upstream := connect(t, shape)
					from, to := client, upstream
					if who == "upstream" {
						from, to = upstream, client
					}
					if half {
						// The side that will be reset has ended its own half,
						// so it has nothing to lose but what it reads.
						to.CloseWrite()
						if _, err := from.Read(make([]byte, 1)); err != io.EOF {
							t.Fatalf("read after half-close: %v", err)
						}
					}
					io.WriteString(from, "last words")
					buf := make([]byte, 10)
					if _, err := io.ReadFull(to, buf); err != nil || string(buf) != "last words" {
						t.Fatalf("read %q, %v", buf, err)
					}
					reset(from)
					if _, err := to.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("other side reads %v, want %v", err, syscall.ECONNRESET)
					}
					eventually(t, func() bool { return l.Stats().Active == 0 })
					if s := l.Stats(); s.Resets != 1 {
						t.Errorf("%d resets, want 1", s.Resets)
					}
				})
			}
		}
	}
}

// TestResetAfterEnd is an upstream that has ended its half and then vanishes:
// only a write can find that out.
func TestResetAfterEnd(t *testing.T) {
	for _, shape := range []rehearse.Shape{{}, rehearse.Symmetric(4*time.Millisecond, 0, 0)} {
		t.Run(shape.String(), func(t *testing.T) {
			_, client, upstream := connect(t, shape)
			io.WriteString(upstream, "bye")
			upstream.Close() // a FIN; what comes later meets a reset
			if got, err := io.ReadAll(client); err != nil || string(got) != "bye" {
				t.Fatalf("client reads %q, %v", got, err)
			}
			eventually(t, func() bool {
				_, err := client.Write([]byte("anyone?"))
				return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
			})
		})
	}
}

func TestHalfClosePassesThrough(t *testing.T) {
	for _, shape := range []rehearse.Shape{{}, rehearse.Symmetric(4*time.Millisecond, time.Millisecond, 0)} {
		t.Run(shape.String(), func(t *testing.T) {
			addr := serveTCP(t, func(c *net.TCPConn) {
				all, err := io.ReadAll(c)
				fmt.Fprintf(c, "got %d, %v", len(all), err)
			})
			_, linked := serveLink(t, shape, addr)
			c := dialTCP(t, linked)
			c.Write(bytes.Repeat([]byte("x"), 100000))
			c.CloseWrite()
			got, err := io.ReadAll(c)
			if want := "got 100000, <nil>"; err != nil || string(got) != want {
				t.Errorf("client reads %q, %v; want %q", got, err, want)
			}
		})
	}
}

// TestBackpressure floods an upstream that does not read. The sender must come
// to a stop, what the link holds must stay within its window and the kernel's
// buffers, and Stats and Set must answer meanwhile.
func TestBackpressure(t *testing.T) {
	for _, shape := range []rehearse.Shape{{}, rehearse.Symmetric(4*time.Millisecond, 0, 0)} {
		t.Run(shape.String(), func(t *testing.T) {
			l, client, upstream := connect(t, shape)
			buf := make([]byte, 256<<10)
			sent := 0
			for {
				client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
				n, err := client.Write(buf)
				if sent += n; err != nil {
					break
				}
				if sent > 64<<20 {
					t.Fatal("the sender was never stopped")
				}
			}
			l.Stats()
			l.Set(rehearse.Shape{})
			client.CloseWrite()
			if got, err := io.Copy(io.Discard, upstream); err != nil || got != int64(sent) {
				t.Errorf("upstream reads %d bytes, %v; want %d", got, err, sent)
			}
		})
	}
}
