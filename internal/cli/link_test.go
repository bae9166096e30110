package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/toxiproxy"
)

func TestToxiproxyFlags(t *testing.T) {
	for in, want := range map[string]string{
		"link serve -config f -port=1 -seed 2": "link serve --config f --port=1 --seed 2",
		"link serve --config f -h":             "link serve --config f -h",
		"exec web psql -host db":               "exec web psql -host db",
	} {
		if diff := cmp.Diff(strings.Fields(want), toxiproxyFlags(strings.Fields(in))); diff != "" {
			t.Errorf("%s:\n%s", in, diff)
		}
	}
}

func TestFileNote(t *testing.T) {
	for files, want := range map[uint64]string{
		50:      "room for 0 connections",
		1024:    "room for 462 connections",
		1 << 20: "",
	} {
		if got := fileNote(files); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%d files: got %q, want %q in it", files, got, want)
		}
	}
}

func TestEventLine(t *testing.T) {
	toxic := &toxiproxy.Toxic{Name: "slow", Type: "latency", Stream: "upstream"}
	for _, c := range []struct {
		event toxiproxy.Event
		tty   bool
		want  string
	}{
		{toxiproxy.Event{Name: "listening", Listen: "http://127.0.0.1:8474"}, false, "listening\thttp://127.0.0.1:8474"},
		{toxiproxy.Event{Name: "toxic added", Proxy: "db", Listen: "l:1", Toxic: toxic}, false, "toxic added\tdb\tslow\tlatency\tupstream"},
		{toxiproxy.Event{Name: "created", Proxy: "db", Listen: "l:1", Upstream: "u:1"}, true, "created        db                    l:1                     u:1"},
		{toxiproxy.Event{Name: "failed", Proxy: "db", Listen: "l:1", Upstream: "u:1", Error: "broken"}, false, "failed\tdb\tl:1\tu:1\tbroken"},
	} {
		if got := eventLine(c.event, c.tty); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
