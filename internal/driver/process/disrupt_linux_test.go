package process_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
)

// squeezeMemory leaves the service "web" so much memory.
func squeezeMemory(t *testing.T, e driver.Environment, bytes int64) (undo func(), err error) {
	t.Helper()
	back, err := e.(driver.Disruptor).Disrupt(t.Context(), "web", rehearse.Disruption{Kind: rehearse.DisruptMemory, Memory: bytes})
	return func() {
		t.Helper()
		if err := back(t.Context()); err != nil {
			t.Error(err)
		}
	}, err
}

// needsGroups skips a test on a host that lets us make no control groups.
func needsGroups(t *testing.T, o process.Options) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("control groups need root here, or a delegated group")
	}
	for _, f := range process.New(o).Capabilities(t.Context()).Facts {
		if f.Name == "limits" && f.Value != "yes" {
			t.Skipf("this host applies no limits: %s", f.Note)
		}
	}
}

// TestLessMemoryIsLess has a service use more memory than it is left: the kernel
// ends what does, also after the service was started again. When it has its memory
// back, it may use it.
func TestLessMemoryIsLess(t *testing.T) {
	o := options(t)
	needsGroups(t, o)
	s := sleeper("web", openDir(t))
	s.Process.Command = []string{"sh", "-c", `mkfifo /tmp/ask /tmp/said; while read n </tmp/ask; do { head -c $n /dev/zero | tail -c $n | wc -c; } >/tmp/said; done`}
	e := openOne(t, o, s.Process.Dir, s)
	p := started(t, e, "web")
	const much = 64 << 20
	uses := func(when string, want int) { // tail keeps all of it in memory
		t.Helper()
		said, _ := shell(t, e, "web", fmt.Sprintf("until [ -p /tmp/said ]; do sleep 0.01; done; echo %d >/tmp/ask; cat /tmp/said", much))
		if said != fmt.Sprint(want) {
			t.Errorf("%s it used %s bytes, want %d", when, said, want)
		}
	}
	undo, err := squeezeMemory(t, e, 40<<20)
	if err != nil {
		t.Fatal(err)
	}
	uses("with less than it needs", 0)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if got := p.Exit(); !got.OutOfMemory || !strings.HasSuffix(got.Reason, "at what it was left on purpose") {
		t.Errorf("it ended: %+v, want out of memory on purpose", got)
	}
	started(t, e, "web")
	uses("started again with less than it needs", 0)
	undo()
	uses("with its memory back", much)
}

// TestMemoryThatIsHeld is left less than it holds: version 1 of control groups
// refuses that, and the error says why.
func TestMemoryThatIsHeld(t *testing.T) {
	o := options(t)
	needsGroups(t, o)
	s := sleeper("web", openDir(t))
	s.Process.Command = []string{"sh", "-c", `mkfifo /tmp/held; { head -c 64M /dev/zero; echo yes >/tmp/held; sleep 3600; } | tail -c 64M`}
	s.Limits.Memory = 256 << 20
	e := openOne(t, o, s.Process.Dir, s)
	started(t, e, "web")
	if said, _ := shell(t, e, "web", "until [ -p /tmp/held ]; do sleep 0.01; done; cat /tmp/held"); said != "yes" {
		t.Fatalf("it says %q", said)
	}
	undo, err := squeezeMemory(t, e, 16<<20)
	if err == nil {
		undo()
		t.Skip("this kernel takes the memory away, or has somewhere to put it")
	}
	if rehearse.KindOf(err) != rehearse.Unavailable || !strings.Contains(err.Error(), "it uses more than that, and nothing of it can be given back") {
		t.Errorf("got %v, want that it uses more", err)
	}
}
