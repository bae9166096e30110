// Package ledger keeps what every environment of a user has cost: one line of JSON
// for each, in a file beside the environments' records. Lines are only added, each
// in one write under a lock, so that many may add at once, and a line that was cut
// short by a crash is left out when the file is read.
package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Entry is one run, one standing environment, or all probes of one explanation.
type Entry struct {
	Ended   time.Time        `json:"ended"`
	Project string           `json:"project"`
	Purpose string           `json:"purpose"` // "run", "compare", "up", "explain", …
	Run     rehearse.RunID   `json:"run,omitempty"`
	Outcome rehearse.Outcome `json:"outcome,omitempty"`
	// Change is what it was for, where that is known: "owner/name#42", or a commit.
	Change string          `json:"change,omitempty"`
	Spent  rehearse.Spent  `json:"spent"`
	Prices rehearse.Prices `json:"prices,omitzero"`
}

// Cost is what the entry cost, in the currency of its prices.
func (e Entry) Cost() float64 { return e.Prices.Cost(e.Spent) }

// Ledger is a file of entries.
type Ledger struct{ path string }

// In is the ledger in a directory, which Add makes where it is missing.
func In(dir string) Ledger { return Ledger{filepath.Join(dir, "ledger.jsonl")} }

// Add adds an entry.
func (l Ledger) Add(e Entry) (err error) {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if cut, err := endsShort(f); err != nil {
		return err
	} else if cut {
		line = append([]byte{'\n'}, line...)
	}
	_, err = f.Write(append(line, '\n'))
	return err
}

// endsShort says whether the last line was never ended.
func endsShort(f *os.File) (bool, error) {
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], st.Size()-1)
	return last[0] != '\n', err
}

// Read reads the entries that ended at or after a time, the oldest first. skipped
// counts the lines that are none.
func (l Ledger) Read(since time.Time) (entries []Entry, skipped int, err error) {
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		var e Entry
		switch damage := json.Unmarshal(line, &e); {
		case len(bytes.TrimSpace(line)) == 0:
		case damage != nil || e.Ended.IsZero() || e.Spent.Elapsed < 0 || e.Spent.CPU() < 0 || e.Spent.Memory() < 0:
			skipped++
		case !e.Ended.Before(since):
			entries = append(entries, e)
		}
		if errors.Is(err, io.EOF) {
			return entries, skipped, nil
		}
		if err != nil {
			return entries, skipped, err
		}
	}
}
