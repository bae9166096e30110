package docker_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// holds64 takes 64 MiB of memory, says "held" and goes on holding it; takes64 ends
// then. What tail is to keep, it keeps in memory.
const (
	holds64 = "(head -c 67108864 /dev/zero; echo held >&2; sleep 600) | tail -c 67108864 >/dev/null"
	takes64 = "head -c 67108864 /dev/zero | tail -c 67108864 >/dev/null"
)

// TestLessMemory leaves a service less than it holds, and then little more.
func TestLessMemory(t *testing.T) {
	t.Parallel()
	p := open(t, newDriver(t, "squeeze"), "squeeze", "squeeze", shell(t, "holder", holds64))
	proc, out := p.start("holder")
	for !strings.Contains(out.String(), "held") {
		select {
		case <-proc.Done():
			t.Fatalf("it ended: %+v\n%s", proc.Exit(), out)
		case <-time.After(5 * time.Millisecond):
		}
	}
	// What needs as much again ends well, until there is less. It is the one that the
	// kernel is to end then.
	more := func() int {
		t.Helper()
		var said bytes.Buffer
		code, err := p.Exec(t.Context(), "holder", driver.Command{Args: []string{"sh", "-c", "echo 1000 >/proc/self/oom_score_adj; " + takes64}, Stdout: &said, Stderr: &said})
		if err != nil {
			t.Fatalf("%v\n%s", err, &said)
		}
		return code
	}
	if code := more(); code != 0 {
		t.Fatalf("with all memory it ends with %d", code)
	}
	undo, err := p.Environment.(driver.Disruptor).Disrupt(t.Context(), "holder", rehearse.Disruption{Kind: rehearse.DisruptMemory, Memory: 96 << 20})
	if err != nil {
		t.Fatal(hinted(err))
	}
	if code := more(); code != 137 {
		t.Errorf("with 96 MiB it ends with %d, want 137", code)
	}
	if err := undo(t.Context()); err != nil {
		t.Error(hinted(err))
	}
	if code := more(); code != 0 {
		t.Errorf("with all memory again it ends with %d", code)
	}
	undo, err = p.Environment.(driver.Disruptor).Disrupt(t.Context(), "holder", rehearse.Disruption{Kind: rehearse.DisruptMemory, Memory: 32 << 20})
	if groups(t) == "2" {
		if err != nil {
			t.Fatal(hinted(err))
		}
		if got := p.ended(proc); !got.OutOfMemory {
			t.Errorf("with half of what it holds it ends with %+v, want it out of memory", got)
		}
		if err := undo(t.Context()); err != nil {
			t.Error(hinted(err))
		}
		return
	}
	if text := hinted(err); rehearse.KindOf(err) != rehearse.Unavailable || !strings.Contains(text, "holder cannot be left with 33.6 MB of memory, because it uses more") {
		t.Errorf("half of what it holds: %s, want a refusal of the kind Unavailable", text)
	}
	select {
	case <-proc.Done():
		t.Errorf("after a refusal it ended: %+v", proc.Exit())
	default:
	}
	if code := more(); code != 0 {
		t.Errorf("after a refusal, what needs as much again ends with %d", code)
	}
}

// groups is the version of the control groups of the engine's host.
func groups(t *testing.T) string {
	t.Helper()
	got, err := testdocker.Start(t).Client().Info(t.Context(), client.InfoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Info.CgroupVersion
}
