package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/api/types/jsonstream"

	"github.com/rehearse-dev/rehearse/internal/driver"
)

// readStream reads an engine's stream of messages to its end and hands each to
// each, which may be nil. An error that the stream tells of ends it.
func readStream(r io.Reader, each func(jsonstream.Message)) error {
	messages := json.NewDecoder(r)
	for {
		var m jsonstream.Message
		switch err := messages.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case m.Error != nil:
			return m.Error
		case each != nil:
			each(m)
		}
	}
}

// pullProgress turns the messages of a pull into lines: at most one a second, and
// one at the end.
type pullProgress struct {
	out   io.Writer
	ref   string
	now   func() time.Time
	began time.Time
	last  time.Time
	layer map[string]*layer
}

// layer is how much of a layer has come. total is 0 until the engine tells.
type layer struct {
	have, total int64
	done        bool
}

// pullEvery is the time between two lines.
const pullEvery = time.Second

func newPullProgress(out io.Writer, ref string, now func() time.Time) *pullProgress {
	began := now()
	return &pullProgress{out: out, ref: ref, now: now, began: began, last: began, layer: map[string]*layer{}}
}

// message takes one message of the engine's.
func (p *pullProgress) message(m jsonstream.Message) {
	if m.ID == "" {
		return
	}
	switch m.Status {
	case "Pulling fs layer", "Waiting":
		p.of(m.ID)
	case "Downloading":
		if l := p.of(m.ID); m.Progress != nil {
			l.have, l.total = m.Progress.Current, max(m.Progress.Total, l.total)
		}
	case "Verifying Checksum", "Download complete", "Pull complete", "Already exists":
		l := p.of(m.ID)
		l.have, l.done = max(l.have, l.total), true
	default:
		return
	}
	if now := p.now(); now.Sub(p.last) >= pullEvery {
		p.last = now
		p.line()
	}
}

func (p *pullProgress) of(id string) *layer {
	l, ok := p.layer[id]
	if !ok {
		l = &layer{}
		p.layer[id] = l
	}
	return l
}

// line says how far it is. A share is only told when the size of every layer is
// known: it would fall again otherwise.
func (p *pullProgress) line() {
	var have, total int64
	done, sized := 0, true
	for _, l := range p.layer {
		have += l.have
		total += max(l.total, l.have)
		if l.done {
			done++
		}
		sized = sized && (l.done || l.total > 0)
	}
	if sized && total > 0 {
		fmt.Fprintf(p.out, "pull %s: %d %%, %s of %s\n", p.ref, 100*have/total, driver.Megabytes(have), driver.Megabytes(total))
		return
	}
	fmt.Fprintf(p.out, "pull %s: %s so far, %d of %d layers\n", p.ref, driver.Megabytes(have), done, len(p.layer))
}

// end says that the pull is over. size is the image's on the engine's disk.
func (p *pullProgress) end(size int64) {
	fmt.Fprintf(p.out, "pulled %s: %s in %.1f s\n", p.ref, driver.Megabytes(size), p.now().Sub(p.began).Seconds())
}
