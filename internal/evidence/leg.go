package evidence

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/redact"
)

// Leg is a leg's directory that is being written. Its methods may be called from
// any goroutine.
type Leg struct {
	*Records
	dir string
}

// Leg makes the directory of one of the run's legs and opens its evidence. The
// caller closes it.
func (r *Run) Leg(name string) (*Leg, error) {
	if !slices.Contains(r.meta.Legs, name) {
		return nil, fmt.Errorf("open leg %q: run %s has no such leg", name, r.meta.Run)
	}
	l := &Leg{dir: filepath.Join(r.dir, name)}
	for _, sub := range []string{samplesDir, logsDir, suitesDir} {
		if err := os.MkdirAll(filepath.Join(l.dir, sub), 0o700); err != nil {
			return nil, explain(fmt.Sprintf("open leg %q", name), r.dir, err)
		}
	}
	var err error
	if l.Records, err = CreateRecords(filepath.Join(l.dir, evidenceFile), r.Secrets); err != nil {
		return nil, explain(fmt.Sprintf("open leg %q", name), r.dir, err)
	}
	l.now = r.Now
	return l, nil
}

// Dir is the leg's directory.
func (l *Leg) Dir() string { return l.dir }

// WriteSamples writes the samples of a load step to a file of their own, and
// gives the file's path relative to the leg's directory, with forward slashes,
// and its SHA-256 in hexadecimal: what the step's LoadResult says. A step's
// samples are written once.
func (l *Leg) WriteSamples(step string, samples []rehearse.Sample) (rel, sha string, err error) {
	rel = path.Join(samplesDir, fileName(step)+".jsonl")
	sha, err = l.writeSamples(filepath.Join(l.dir, filepath.FromSlash(rel)), samples)
	if err != nil {
		return "", "", explain(fmt.Sprintf("write the samples of %q", step), l.dir, err)
	}
	return rel, sha, nil
}

func (l *Leg) writeSamples(name string, samples []rehearse.Sample) (sha string, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<16)
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	for _, s := range samples {
		line.Reset()
		if err := enc.Encode(s); err != nil {
			return "", err
		}
		if _, err := w.Write(l.secrets.JSON(line.Bytes())); err != nil {
			return "", err
		}
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// LogFile is where the log of a service is, or will be.
func (l *Leg) LogFile(service rehearse.ServiceName) string {
	return filepath.Join(l.dir, logsDir, fileName(string(service))+".log")
}

// OpenLog opens the log of a service for appending, without the run's secrets. The
// caller closes it.
func (l *Leg) OpenLog(service rehearse.ServiceName) (io.WriteCloser, error) {
	f, err := OpenLog(l.LogFile(service), l.secrets)
	if err != nil {
		return nil, explain(fmt.Sprintf("open the log of %q", service), l.dir, err)
	}
	return f, nil
}

// OpenLog opens a log for appending, without secrets. The caller closes it.
func OpenLog(path string, secrets *redact.Secrets) (io.WriteCloser, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return logFile{secrets.Writer(f), f}, nil
}

// Masked takes the run's secrets out of a file that another package writes into the
// leg's directory, without a change of its length.
func (l *Leg) Masked(w io.Writer) io.WriteCloser { return l.secrets.Masker(w) }

// logFile is a file without secrets.
type logFile struct {
	*redact.Writer
	file *os.File
}

func (l logFile) Close() error { return errors.Join(l.Writer.Close(), l.file.Close()) }

// SuiteDir makes the directory for the output, results and artifacts of a suite.
// It gives the path relative to the leg's directory, with forward slashes.
func (l *Leg) SuiteDir(step string) (rel string, err error) {
	rel = path.Join(suitesDir, fileName(step))
	if err := os.MkdirAll(filepath.Join(l.dir, filepath.FromSlash(rel)), 0o700); err != nil {
		return "", explain(fmt.Sprintf("make the directory of suite %q", step), l.dir, err)
	}
	return rel, nil
}

// Close closes the leg's evidence once it is on the disk.
func (l *Leg) Close() error {
	l.mu.Lock()
	err := l.file.Sync()
	l.mu.Unlock()
	if err := errors.Join(err, l.Records.Close()); err != nil {
		return explain("close evidence", l.dir, err)
	}
	return nil
}
