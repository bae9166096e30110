package stand

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// A client that has stopped reading, as one that its shell has stopped, does not
// keep the environment from going down.
func TestUntil(t *testing.T) {
	r, given, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer given.Close()
	_ = given.Fd() // as it comes over a socket: writing to it blocks
	ctx, cancel := context.WithCancel(t.Context())
	w, err := until(ctx, given)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := w.Write(make([]byte, 1<<20)) // no pipe takes that much
		ended <- err
	}()
	if _, err := r.Read(make([]byte, 5)); err != nil { // now it writes
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

// Nor does it keep an experiment from going on, and from mending what it broke.
func TestNewsForNobody(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	n := &news{to: w}
	for told := 0; !n.deaf.Load(); told++ {
		if told > 1<<20 {
			t.Fatal("no pipe takes that much, and yet nobody is deaf")
		}
		n.tell(Progress{Action: &rehearse.ActionEvent{Step: "outage"}})
	}
	n.tell(Progress{}) // and returns
}
