package docker

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/jsonstream"
)

func TestPullProgress(t *testing.T) {
	var out lines
	now := time.Unix(0, 0)
	p := newPullProgress(&out, "db:1", func() time.Time { return now })
	message := func(after time.Duration, id, status string, have, total int64) {
		now = now.Add(after)
		m := jsonstream.Message{ID: id, Status: status}
		if total > 0 {
			m.Progress = &jsonstream.Progress{Current: have, Total: total}
		}
		p.message(m)
	}
	message(0, "1", "Pulling from library/db", 0, 0)
	message(0, "a", "Pulling fs layer", 0, 0)
	message(0, "b", "Pulling fs layer", 0, 0)
	message(time.Second, "a", "Downloading", 1e6, 4e6) // b's size is unknown
	message(999*time.Millisecond, "b", "Downloading", 2e6, 6e6)
	message(time.Millisecond, "b", "Downloading", 3e6, 6e6)
	message(time.Second, "a", "Download complete", 0, 0)
	message(0, "b", "Download complete", 0, 0)
	message(time.Second, "b", "Extracting", 1e6, 6e6) // no news of the download
	message(time.Second, "b", "Pull complete", 0, 0)
	now = now.Add(1234 * time.Millisecond)
	p.end(25e6)
	want := strings.Join([]string{
		"pull db:1: 1.0 MB so far, 0 of 2 layers",
		"pull db:1: 40 %, 4.0 MB of 10.0 MB",
		"pull db:1: 70 %, 7.0 MB of 10.0 MB",
		"pull db:1: 100 %, 10.0 MB of 10.0 MB",
		"pulled db:1: 25.0 MB in 6.2 s",
		"",
	}, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadStream(t *testing.T) {
	var got []string
	each := func(m jsonstream.Message) { got = append(got, m.Status) }
	err := readStream(strings.NewReader(`{"status":"a"}{"status":"b"}`), each)
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	err = readStream(strings.NewReader(`{"errorDetail":{"message":"it broke"}}{"status":"c"}`), each)
	if err == nil || err.Error() != "it broke" || len(got) != 2 {
		t.Errorf("got %v after %v, want the stream's error", err, got)
	}
	if err := readStream(strings.NewReader(`{"status":`), nil); err == nil {
		t.Error("half a message is no error")
	}
}
