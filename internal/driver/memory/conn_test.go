package memory

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestHalfClose(t *testing.T) {
	a, b := pair(addr{"a", 1}, addr{"b", 2})
	write(t, a, "question")
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); err != nil || string(got) != "question" {
		t.Fatalf("read %q, %v", got, err)
	}
	if _, err := a.Write([]byte("more")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write after CloseWrite: %v, want EPIPE", err)
	}
	write(t, b, "answer")
	b.Close()
	if got, err := io.ReadAll(a); err != nil || string(got) != "answer" {
		t.Fatalf("read %q, %v", got, err)
	}
}

func TestCloseWithUnreadBytesResets(t *testing.T) {
	a, b := pair(addr{"a", 1}, addr{"b", 2})
	write(t, a, "nobody reads this")
	b.Close()
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read: %v, want ECONNRESET", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Write: %v, want ECONNRESET", err)
	}
}

func TestLingerZeroResets(t *testing.T) {
	a, b := pair(addr{"a", 1}, addr{"b", 2})
	write(t, b, "before")
	if err := b.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	b.Close()
	got, err := io.ReadAll(a)
	if string(got) != "before" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %q, %v; want what was sent, then ECONNRESET", got, err)
	}
}

func TestFirstWriteToAPeerThatHasGoneSucceeds(t *testing.T) {
	a, b := pair(addr{"a", 1}, addr{"b", 2})
	b.Close()
	write(t, a, "lost")
	if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("second Write: %v, want EPIPE", err)
	}
	if _, err := a.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read: %v, want io.EOF", err)
	}
}

func TestWriterWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(addr{"a", 1}, addr{"b", 2})
		sent := bytes.Repeat([]byte("0123456789"), window/4)
		done := false
		go func() {
			if n, err := a.Write(sent); n != len(sent) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
			done = true
			a.Close()
		}()
		synctest.Wait()
		if done {
			t.Error("more than the window was taken while nobody read")
		}
		if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("read %d bytes, %v; want the %d that were sent", len(got), err, len(sent))
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(addr{"a", 1}, addr{"b", 2})
		var timeout net.Error
		a.SetDeadline(time.Now().Add(time.Second))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("Read: %v, want a timeout", err)
		}
		synctest.Wait() // the deadline for writes has a timer of its own
		if n, err := a.Write(make([]byte, window+1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write after the deadline: %d, %v; want 0 and a timeout", n, err)
		}
		a.SetDeadline(time.Time{})
		write(t, b, "x")
		if _, err := a.Read(make([]byte, 1)); err != nil {
			t.Errorf("Read without a deadline: %v", err)
		}
		// A deadline that is set while somebody waits counts.
		go func() {
			synctest.Wait()
			a.SetReadDeadline(time.Now())
		}()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("pending Read: %v, want a timeout", err)
		}
	})
}

func TestCloseWakesReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(addr{"a", 1}, addr{"b", 2})
		go func() {
			synctest.Wait()
			a.Close()
		}()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read: %v, want net.ErrClosed", err)
		}
		if err := a.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v, want net.ErrClosed", err)
		}
	})
}

func TestFullBacklogMakesDialWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		at := addr{anywhere, 80}
		l, err := n.listen(at, nil)
		if err != nil {
			t.Fatal(err)
		}
		var first *conn
		for i := range backlog {
			c, err := n.dial(t.Context(), "x", at)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = c
			}
		}
		refused := make(chan error)
		go func() {
			_, err := n.dial(t.Context(), "x", at)
			refused <- err
		}()
		synctest.Wait()
		select {
		case err := <-refused:
			t.Fatalf("one too many did not wait: %v", err)
		default:
		}
		go l.Close()
		<-refused // in the queue for a moment, or not: the listener has gone
		synctest.Wait()
		if _, err := first.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a connection that nobody accepted reads %v, want ECONNRESET", err)
		}
	})
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}
