package switchboard_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse/internal/switchboard"
)

// noise is n bytes that compress to nothing, and tell lost ones apart.
func noise(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(out)
	return out
}

// TestBothWays sends 8 MiB each way at once, and ends each half in its own time.
func TestBothWays(t *testing.T) {
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		pairs(t, w, b, func(t *testing.T, host, client endpoint) {
			if host.RemoteAddr().String() != client.LocalAddr().String() || host.LocalAddr().String() != client.RemoteAddr().String() {
				t.Errorf("the host sees %v to %v, the client %v to %v", host.LocalAddr(), host.RemoteAddr(), client.LocalAddr(), client.RemoteAddr())
			}
			data := noise(8 << 20)
			send := func(c endpoint) func() {
				return func() {
					if _, err := c.Write(data); err != nil {
						t.Error(err)
					}
					if err := c.CloseWrite(); err != nil {
						t.Error(err)
					}
				}
			}
			receive := func(c endpoint) func() {
				return func() {
					got, err := io.ReadAll(c)
					if err != nil || !bytes.Equal(got, data) {
						t.Errorf("%d bytes came, want %d the same (%v)", len(got), len(data), err)
					}
				}
			}
			atOnce(send(host), send(client), receive(host), receive(client))
		})
	})
}

// TestHalves ends the half of one side. The other may still speak, for as long
// as it likes, and its end arrives too.
func TestHalves(t *testing.T) {
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		for _, first := range []string{"host", "client"} {
			t.Run(first, func(t *testing.T) {
				pairs(t, w, b, func(t *testing.T, host, client endpoint) {
					one, other := host, client
					if first == "client" {
						one, other = client, host
					}
					if _, err := io.WriteString(one, "question"); err != nil {
						t.Fatal(err)
					}
					if err := one.CloseWrite(); err != nil {
						t.Fatal(err)
					}
					if got, err := io.ReadAll(other); err != nil || string(got) != "question" {
						t.Errorf("%q came, %v", got, err)
					}
					if _, err := io.WriteString(one, "more"); err == nil {
						t.Error("one can write after CloseWrite")
					}
					long := strings.Repeat("answer", 1000)
					if _, err := io.WriteString(other, long); err != nil {
						t.Fatal(err)
					}
					other.Close()
					if got, err := io.ReadAll(one); err != nil || string(got) != long {
						t.Errorf("%d bytes came, want %d (%v)", len(got), len(long), err)
					}
				})
			})
		}
	})
}

// TestEnds has one side go away, in either way, and the other find out, whether
// it reads or writes.
func TestEnds(t *testing.T) {
	untilError := func(c endpoint) error {
		for {
			if _, err := c.Write(make([]byte, 1<<16)); err != nil {
				return err
			}
		}
	}
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		pairs(t, w, b, func(t *testing.T, host, client endpoint) {
			_ = host.SetLinger(0)
			host.Close()
			if n, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client reads %d bytes, %v, want %v", n, err, syscall.ECONNRESET)
			}
			if _, err := host.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close, Read gives %v, want %v", err, net.ErrClosed)
			}
		})
		pairs(t, w, b, func(t *testing.T, host, client endpoint) {
			_ = client.SetLinger(0)
			client.Close()
			if n, err := host.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the host reads %d bytes, %v, want %v", n, err, syscall.ECONNRESET)
			}
		})
		pairs(t, w, b, func(t *testing.T, host, client endpoint) {
			host.Close()
			if n, err := client.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the client reads %d bytes, %v, want io.EOF", n, err)
			}
			if err := untilError(client); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client writes until %v", err)
			}
		})
		pairs(t, w, b, func(t *testing.T, host, client endpoint) {
			client.Close()
			if n, err := host.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the host reads %d bytes, %v, want io.EOF", n, err)
			}
			if err := untilError(host); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the host writes until %v", err)
			}
		})
	})
}

// TestSlowReader closes a connection whose peer has not read yet: all that was
// written arrives, and the end, when it does.
func TestSlowReader(t *testing.T) {
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		pairs(t, w, b, func(t *testing.T, host, client endpoint) {
			written := 0
			for {
				_ = host.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
				n, err := host.Write(make([]byte, 1<<20))
				written += n
				if err != nil {
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatalf("Write: %v, want %v", err, os.ErrDeadlineExceeded)
					}
					break
				}
			}
			// Nobody reads this one; others are carried all the same.
			pairs(t, w, b, func(t *testing.T, host, client endpoint) {
				if _, err := io.WriteString(client, "x"); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(host, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			})
			_ = host.SetWriteDeadline(time.Time{})
			host.CloseWrite()
			host.Close()
			got, err := io.Copy(io.Discard, client)
			if err != nil || got != int64(written) {
				t.Errorf("%d bytes came, want %d (%v)", got, written, err)
			}
		})
	})
}

// TestDeadlines has deadlines pass, and be lifted: no byte is lost by them.
func TestDeadlines(t *testing.T) {
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		pairs(t, w, b, func(t *testing.T, host, client endpoint) {
			_ = host.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := host.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Read: %v, want %v", err, os.ErrDeadlineExceeded)
			}
			_ = host.SetReadDeadline(time.Time{})
			if _, err := io.WriteString(client, "word"); err != nil {
				t.Fatal(err)
			}
			word := make([]byte, 4)
			if _, err := io.ReadFull(host, word); err != nil || string(word) != "word" {
				t.Errorf("%q came, %v", word, err)
			}
		})
	})
}

// TestMany has many connections at once.
func TestMany(t *testing.T) {
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		l, err := b.Listen(t.Context(), netip.AddrPortFrom(linkAddr, 80))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = io.Copy(c, c) // the client sees what is missing
				}()
			}
		}()
		const many = 300
		var fs []func()
		for i := range many {
			c, err := w.dial(t, netip.AddrPortFrom(linkAddr, 80))
			if err != nil {
				t.Fatal(err)
			}
			fs = append(fs, func() {
				data := noise(10_000 + i)
				if _, err := c.Write(data); err != nil {
					t.Error(err)
				}
				_ = c.CloseWrite()
				if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
					t.Errorf("connection %d echoes %d bytes, want %d the same (%v)", i, len(got), len(data), err)
				}
			})
		}
		atOnce(fs...)
	})
}
