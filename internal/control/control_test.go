package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/control"
)

// listen opens a socket below a directory of any length.
func listen(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the socket is open to others: %v, %v", st, err)
	}
	return l
}

// serve serves until the returned function is called, which returns when Serve
// has.
func serve(t *testing.T, h control.Handler) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "control.sock")
	l := listen(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- control.Serve(ctx, l, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return path, stop
}

func TestCall(t *testing.T) {
	path, _ := serve(t, func(_ context.Context, q control.Request, files []*os.File) (any, error) {
		if q.Op == "fail" {
			return nil, errors.New("it cannot be done")
		}
		if len(files) == 1 {
			if _, err := io.WriteString(files[0], "to the client's file"); err != nil {
				return nil, err
			}
		}
		return q, nil
	})
	q := control.Request{Op: "exec", Service: "db", Args: []string{"psql", strings.Repeat("long ", 10000)}, Env: map[string]string{"A": "b"}}
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var got control.Request
	if err := control.Call(t.Context(), path, q, &got, file); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(q, got); diff != "" {
		t.Errorf("the request (-sent +received):\n%s", diff)
	}
	if text, err := os.ReadFile(file.Name()); err != nil || string(text) != "to the client's file" {
		t.Errorf("the file holds %q (%v)", text, err)
	}
	if err := control.Call(t.Context(), path, control.Request{Op: "fail"}, nil); err == nil || err.Error() != "it cannot be done" {
		t.Errorf("Call: %v", err)
	}
	if err := control.Call(t.Context(), path+".not", q, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Call without a server: %v", err)
	}
}

// TestHangUp has a client that takes its request back.
func TestHangUp(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan struct{})
	path, _ := serve(t, func(ctx context.Context, _ control.Request, _ []*os.File) (any, error) {
		close(asked)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if err := control.Call(ctx, path, control.Request{Op: "exec"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Call: %v, want context.Canceled", err)
	}
	<-ended
}

// TestSilentClient has clients that say nothing, or half of something, while the
// environment goes down.
func TestSilentClient(t *testing.T) {
	path, stop := serve(t, func(context.Context, control.Request, []*os.File) (any, error) { return "here", nil })
	for _, said := range []string{"", "\x00\x00", "\x00\x00\x00\x10{"} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, said); err != nil {
			t.Fatal(err)
		}
	}
	var answer string
	if err := control.Call(t.Context(), path, control.Request{Op: "status"}, &answer); err != nil || answer != "here" {
		t.Errorf("beside silent clients Call gives %q, %v", answer, err)
	}
	stop() // hangs, if they hold it up
}

// TestDownIsAnswered has a request that ends the server. It is answered all the
// same.
func TestDownIsAnswered(t *testing.T) {
	for i := range 20 {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i))
		l := listen(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() {
			served <- control.Serve(ctx, l, func(context.Context, control.Request, []*os.File) (any, error) {
				cancel()
				return "going", nil
			})
		}()
		var answer string
		if err := control.Call(t.Context(), path, control.Request{Op: "down"}, &answer); err != nil {
			t.Fatalf("Call: %v", err)
		}
		if err := <-served; err != nil || answer != "going" {
			t.Errorf("the answer is %q; Serve: %v", answer, err)
		}
		cancel()
	}
}

func TestTooLong(t *testing.T) {
	path, _ := serve(t, func(context.Context, control.Request, []*os.File) (any, error) { return nil, nil })
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "\x7f\xff\xff\xff"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(answer), "a message of 2147483647 bytes") {
		t.Errorf("the answer is %q (%v)", answer, err)
	}
}

// TestLongPath reaches a socket whose path is longer than the kernel's limit.
func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control.sock")
	l, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- control.Serve(ctx, l, func(context.Context, control.Request, []*os.File) (any, error) { return "here", nil })
	}()
	var answer string
	if err := control.Call(t.Context(), path, control.Request{Op: "status"}, &answer); err != nil || answer != "here" {
		t.Errorf("the answer is %q, %v", answer, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
