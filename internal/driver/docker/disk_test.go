package docker_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// TestFullDisk fills a service's volume: nothing more gets into it, what lies in it
// stays, also over a restart, and other volumes have room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	writer := shell(t, "writer", forever)
	writer.Mounts = []rehearse.Mount{
		{Type: "volume", Source: "data", Target: "/data", OwnDisk: true}, {Type: "volume", Source: "other", Target: "/other"},
	}
	p := open(t, newDriver(t, "disk"), "disk", "disk", writer)
	do := func(script, want string) {
		t.Helper()
		var said bytes.Buffer
		if _, err := p.Exec(t.Context(), "writer", driver.Command{Args: []string{"sh", "-c", "exec 2>&1; " + script + "; echo $?"}, Stdout: &said}); err != nil {
			t.Fatal(hinted(err))
		}
		if got := strings.Join(strings.Fields(said.String()), " "); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
	proc, _ := p.start("writer")
	disrupt := p.Environment.(driver.Disruptor).Disrupt
	do("echo one >/data/a", "0")
	undo, err := disrupt(t.Context(), "writer", rehearse.Disruption{Kind: rehearse.DisruptDisk, Path: "/data/below"})
	if err != nil {
		t.Fatal(hinted(err))
	}
	do("echo two >/data/b", "No space left on device 1")
	do("cat /data/a; echo three >/other/c", "one 0")
	if err := proc.Kill(); err != nil {
		t.Fatal(err)
	}
	<-proc.Done()
	p.start("writer")
	do("cat /data/a; echo two >/data/b", "one sh: write error: No space left on device 1")
	if err := undo(t.Context()); err != nil {
		t.Fatal(hinted(err))
	}
	do("echo two >/data/b; cat /data/a /data/b", "one two 0")

	for path, want := range map[string]string{"/other": "only at /data", "/elsewhere": "only at /data"} {
		_, err := disrupt(t.Context(), "writer", rehearse.Disruption{Kind: rehearse.DisruptDisk, Path: path})
		if rehearse.KindOf(err) != rehearse.Unavailable || !strings.Contains(hinted(err), want) {
			t.Errorf("%s: %s, want %q", path, hinted(err), want)
		}
	}
}
