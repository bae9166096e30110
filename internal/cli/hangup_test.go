package cli

import (
	"os"
	"testing"
	"time"
)

// Who follows something goes on while somebody reads it, and no longer.
func TestWhileRead(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, stop := whileRead(t.Context(), w)
	defer stop()
	if hungUp(w) || ctx.Err() != nil {
		t.Error("it ends while there is a reader")
	}
	r.Close()
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Error("it goes on without a reader")
	}
}
