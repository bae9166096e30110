package switchboard_test

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

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/switchboard"
)

func TestRefused(t *testing.T) {
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		// Where nothing listens: at the client, and at a link that has gone.
		l, addr := w.listen(t)
		l.Close()
		if _, err := b.Dial(t.Context(), addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial: %v, want %v", err, syscall.ECONNREFUSED)
		}
		at := netip.AddrPortFrom(linkAddr, 5432)
		l, err := b.Listen(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Listen(t.Context(), at); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("a second Listen: %v, want %v", err, syscall.EADDRINUSE)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v, want %v", err, net.ErrClosed)
		}
		if _, err := w.dial(t, at); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("the client dials a closed listener: %v, want %v", err, syscall.ECONNREFUSED)
		}
		if _, err := b.Listen(t.Context(), at); err != nil {
			t.Errorf("Listen again: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Dial(ctx, addr); !errors.Is(err, context.Canceled) {
			t.Errorf("Dial after its context: %v", err)
		}
	})
}

// TestSocketsAreTheKernels asserts what makes splicing possible.
func TestSocketsAreTheKernels(t *testing.T) {
	w, b := inMode(t, switchboard.ModeSockets)
	pairs(t, w, b, func(t *testing.T, host, _ endpoint) {
		if _, ok := host.(*net.TCPConn); !ok {
			t.Errorf("the host's end is a %T, want a *net.TCPConn", host)
		}
	})
}

// TestFallBack has a container that does not find the host's socket: its host
// says so and goes on through the tunnel.
func TestFallBack(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "elsewhere"))
	b := w.connect(t, t.TempDir())
	if b.Mode() != switchboard.ModeTunnel || len(b.Notes()) != 1 || !strings.Contains(b.Notes()[0], "sockets are not passed") {
		t.Errorf("the mode is %s, notes: %q", b.Mode(), b.Notes())
	}
	pairs(t, w, b, func(t *testing.T, host, client endpoint) {
		if _, err := io.WriteString(host, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	})
}

// TestLongDirectory has a directory whose name is longer than a socket's may be.
func TestLongDirectory(t *testing.T) {
	short, long := t.TempDir(), filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Symlink(long, filepath.Join(short, "mounted")); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, filepath.Join(short, "mounted"))
	if b := w.connect(t, long); b.Mode() != switchboard.ModeSockets {
		t.Errorf("the mode is %s; notes: %q", b.Mode(), b.Notes())
	}
}

// TestDeath kills the container.
func TestDeath(t *testing.T) {
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		l, err := b.Listen(t.Context(), netip.AddrPortFrom(linkAddr, 80))
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			accepted <- err
		}()
		if err := w.link.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-b.Done()
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want %v", err, net.ErrClosed)
		}
		_, listenErr := b.Listen(t.Context(), netip.AddrPortFrom(linkAddr, 81))
		_, dialErr := b.Dial(t.Context(), netip.AddrPortFrom(clientAddr, 80))
		for name, err := range map[string]error{
			"Listen": listenErr, "Dial": dialErr, "Names": b.Names(clientAddr, nil),
			"Neighbour": b.Neighbour(clientAddr, w.mac), "Gateway": b.Gateway(gatewayAddr),
		} {
			if err == nil || !strings.Contains(err.Error(), "the link container has ended") || rehearse.KindOf(err) != rehearse.Unavailable {
				t.Errorf("%s after the container's death: %v", name, err)
			}
		}
	})
}

// TestEnd ends the program by ending its standard input, before and after a
// host's hello.
func TestEnd(t *testing.T) {
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err := w.link.Wait(); err != nil {
			t.Errorf("the program: %v", err)
		}
		select {
		case <-b.Done():
		default:
			t.Error("the board is closed and not done")
		}
	})
	w := newWorld(t, t.TempDir())
	w.stdio.Close()
	if err := w.link.Wait(); err != nil {
		t.Errorf("the program without a host: %v", err)
	}
}

// TestConnectFails has nobody, and somebody else, at the other end.
func TestConnectFails(t *testing.T) {
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = theirs.Read(make([]byte, 1))
		cancel()
	}()
	if _, err := switchboard.Connect(ctx, switchboard.HostOptions{Stdio: ours}); !errors.Is(err, context.Canceled) {
		t.Errorf("Connect: %v, want %v", err, context.Canceled)
	}
	ours, theirs = net.Pipe()
	go func() {
		go io.Copy(io.Discard, theirs)
		_, _ = io.WriteString(theirs, "exec format error\n")
	}()
	if _, err := switchboard.Connect(t.Context(), switchboard.HostOptions{Stdio: ours}); rehearse.KindOf(err) != rehearse.Unavailable {
		t.Errorf("Connect: %v", err)
	}
}
