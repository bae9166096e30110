//go:build unix

package passing_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/passing"
)

// pair gives the two ends of a channel.
func pair(t *testing.T) (a, b *passing.Channel) {
	t.Helper()
	a, f, err := passing.Socketpair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if b, err = passing.FromFile(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return a, b
}

// sockets makes unconnected sockets.
func sockets(n int) ([]*os.File, error) {
	var out []*os.File
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err == nil {
			err = unix.SetNonblock(fd, true)
		}
		if err != nil {
			return out, err
		}
		out = append(out, os.NewFile(uintptr(fd), "socket"))
	}
	return out, nil
}

// TestMessages sends messages back to back, with and without files: each arrives
// whole, with its own files.
func TestMessages(t *testing.T) {
	a, b := pair(t)
	dir := t.TempDir()
	text := []string{"", strings.Repeat("long ", 100_000), "short"}
	go func() {
		for i, s := range text {
			var files []*os.File
			for range i {
				f, err := os.CreateTemp(dir, "")
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := f.WriteString(s); err != nil {
					t.Error(err)
				}
				files = append(files, f)
			}
			if err := a.Write(s, files...); err != nil {
				t.Error(err)
			}
			passing.CloseAll(files)
		}
		a.Close()
	}()
	for i, want := range text {
		var got string
		files, err := b.Read(&got)
		if err != nil {
			t.Fatal(err)
		}
		if got != want || len(files) != i {
			t.Errorf("message %d has %d bytes and %d files, want %d and %d", i, len(got), len(files), len(want), i)
		}
		for _, f := range files {
			data := make([]byte, len(want))
			if _, err := f.ReadAt(data, 0); err != nil || string(data) != want {
				t.Errorf("a file of message %d holds %d other bytes (%v)", i, len(data), err)
			}
		}
		passing.CloseAll(files)
	}
	if _, err := b.Read(new(string)); err != io.EOF {
		t.Errorf("after the last message Read gives %v, want io.EOF", err)
	}
}

// TestBadMessages has a peer that does not keep to the format.
func TestBadMessages(t *testing.T) {
	for _, c := range []struct{ name, sent, want string }{
		{"too long", "\x7f\xff\xff\xff", "a message of 2147483647 bytes"},
		{"half a length", "\x00\x00", "unexpected EOF"},
		{"half a body", "\x00\x00\x00\x10{", "unexpected EOF"},
		{"not JSON", "\x00\x00\x00\x01{", "unexpected end of JSON input"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			raw := os.NewFile(uintptr(fds[0]), "raw")
			ch, err := passing.FromFile(os.NewFile(uintptr(fds[1]), "channel"))
			if err != nil {
				t.Fatal(err)
			}
			defer ch.Close()
			if _, err := raw.WriteString(c.sent); err != nil {
				t.Fatal(err)
			}
			raw.Close()
			if _, err := ch.Read(new(any)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Read: %v, want %q", err, c.want)
			}
		})
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := passing.FromFile(file); err == nil {
		t.Error("a file passes for a socket")
	}
}

// TestConnect dials through sockets that somebody else made.
func TestConnect(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	filled := 0
	pool := &passing.Pool{Fill: func(n int) ([]*os.File, error) { filled++; return sockets(n) }}
	defer pool.Close()
	dial := func(ctx context.Context) (net.Conn, error) {
		f, err := pool.Get()
		if err != nil {
			t.Fatal(err)
		}
		return passing.Connect(ctx, f, addr)
	}
	for range 20 {
		c, err := dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.(*net.TCPConn); !ok || c.LocalAddr().String() != s.RemoteAddr().String() || c.RemoteAddr().String() != addr.String() {
			t.Errorf("%T from %v to %v, want one from %v to %v", c, c.LocalAddr(), c.RemoteAddr(), s.RemoteAddr(), addr)
		}
		c.Close()
		s.Close()
	}
	if filled != 2 {
		t.Errorf("20 dials filled the pool %d times, want 2", filled)
	}
	l.Close()
	if _, err := dial(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Connect without a listener: %v, want %v", err, syscall.ECONNREFUSED)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Connect after its context: %v", err)
	}
	pool.Close()
	if _, err := pool.Get(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Get after Close: %v, want %v", err, net.ErrClosed)
	}
}
