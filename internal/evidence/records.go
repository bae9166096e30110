package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/redact"
)

// Records is a file of records that is being written. Its methods may be called
// from any goroutine.
type Records struct {
	now     func() time.Time
	secrets *redact.Secrets

	mu   sync.Mutex
	file *os.File
	// torn is true when a write failed part of the way, so that the next record
	// must not continue the broken line.
	torn bool
}

// CreateRecords makes a file of records, which must not exist, for records without
// secrets. The caller closes it.
func CreateRecords(path string, secrets *redact.Secrets) (*Records, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &Records{now: time.Now, secrets: secrets, file: f}, nil
}

// identities are the keys under which a record says what it is, or is about.
var identities = []string{"time", "kind", "type", "state", "outcome", "leg", "driver", "tier", "service", "client", "upstream", "id", "samples", "sha256"}

// WithoutSecrets takes secrets out of what is told in JSON, but for what it says it
// is about.
func WithoutSecrets(data []byte, secrets *redact.Secrets) []byte {
	return secrets.JSON(data, identities...)
}

// Append writes a record as one line, with one write. A record without a time
// gets the present one; a Begin record is written with its plan redacted, and
// every record without the file's secrets.
func (r *Records) Append(rec rehearse.Record) error {
	if rec.Begin != nil {
		begin := *rec.Begin
		begin.Plan = Redact(begin.Plan)
		rec.Begin = &begin
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// Under the lock, so that times never go backwards in the file.
	if rec.Time.IsZero() {
		rec.Time = r.now()
	}
	line, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("append to evidence: %w", err)
	}
	line = append(WithoutSecrets(line, r.secrets), '\n')
	if r.torn {
		line = slices.Insert(line, 0, '\n')
	}
	n, err := r.file.Write(line)
	if err != nil {
		r.torn = r.torn || n > 0
		return explain("append to evidence", filepath.Dir(r.file.Name()), err)
	}
	r.torn = false
	return nil
}

// Close closes the file.
func (r *Records) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.file.Close()
}

// Follower reads a file of records while it is being written.
type Follower struct {
	file   *os.File
	offset int64
}

// Follow opens a file of records; see [LegFile] for that of a leg. The caller closes
// the follower.
func Follow(path string) (*Follower, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &Follower{file: f}, nil
}

// Close closes the file.
func (f *Follower) Close() error { return f.file.Close() }

// Removed says that nothing more is written: the file has gone, though what is in
// it can still be read.
func (f *Follower) Removed() bool {
	_, err := os.Lstat(f.file.Name())
	return errors.Is(err, fs.ErrNotExist)
}

// LegFile is where the records of a run's leg are.
func LegFile(run, leg string) string { return filepath.Join(run, leg, evidenceFile) }

// Next reads the records that have been written since the last time. Lines that
// this version of rehearse does not know are left out, and one that is still being
// written comes the next time.
func (f *Follower) Next() ([]rehearse.Record, error) {
	data, err := io.ReadAll(io.NewSectionReader(f.file, f.offset, 1<<62))
	if err != nil {
		return nil, err
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	f.offset += int64(len(whole))
	var out []rehearse.Record
	for line := range bytes.Lines(whole) {
		var r rehearse.Record
		if err := json.Unmarshal(line, &r); err == nil && parts(r) == 1 {
			out = append(out, r)
		}
	}
	return out, nil
}
