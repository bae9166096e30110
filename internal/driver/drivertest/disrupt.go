package drivertest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// testDisruptions checks what a driver that can disrupt a service says it can.
func testDisruptions(t *testing.T, h Harness) {
	for _, d := range []rehearse.Disruption{
		{Kind: rehearse.DisruptPause}, {Kind: rehearse.DisruptCPU, CPUs: 0.5}, {Kind: rehearse.DisruptMemory, Memory: 512 << 20},
	} {
		t.Run(string(d.Kind), func(t *testing.T) {
			e := open(t, h, h.Service("up", "serve", "8080"))
			p, _ := start(t, e, "up")
			ask(t, e, "up", "hostname")
			inner, ok := e.Environment.(driver.Disruptor)
			if !ok {
				t.Skip("this driver disrupts nothing")
			}
			open, err := e.Dial(t.Context(), "up", port)
			if err != nil {
				t.Fatal(err)
			}
			defer open.Close()
			undo, err := inner.Disrupt(t.Context(), "up", d)
			if rehearse.KindOf(err) == rehearse.Unavailable {
				t.Skipf("this host cannot: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.Kind == rehearse.DisruptPause {
				staysSilent(t, open)
			} else if got := question(t, open, "env GREETING"); got != "hello" {
				t.Errorf("with less it answers %q", got)
			}
			for range 2 {
				if err := undo(t.Context()); err != nil {
					t.Fatalf("undo: %v", err)
				}
			}
			if got := ask(t, e, "up", "env GREETING"); got != "hello" {
				t.Errorf("after it was undone it answers %q", got)
			}
			if undo, err = inner.Disrupt(t.Context(), "up", d); err != nil {
				t.Fatalf("a second time: %v", err)
			}
			if err := p.Kill(); err != nil {
				t.Fatal(err)
			}
			wait(t, p)
			if err := undo(t.Context()); err != nil {
				t.Errorf("undo after the service's end: %v", err)
			}
		})
	}
}

// staysSilent asks a service that cannot answer.
func staysSilent(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(c, "hostname")
	if line, err := bufio.NewReader(c).ReadString('\n'); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a paused service answers %q, %v", line, err)
	}
}
