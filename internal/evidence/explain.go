package evidence

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/redact"
)

// explainFile is where the search for a failure's cause stands in a run directory.
const explainFile = "explain.jsonl"

// Explaining is a search that is being written down. The zero value does not work.
type Explaining struct {
	file    *os.File
	dir     string
	secrets *redact.Secrets
}

// Explain begins to write a search into a run directory, in the place of an
// earlier one, whose probes it removes where that was killed. Secrets are taken out of
// all of it; nil: there are none. Only one search at a time is in a run directory.
func Explain(dir string, b rehearse.ExplainBegin, secrets *redact.Secrets) (*Explaining, error) {
	f, err := os.OpenFile(filepath.Join(dir, explainFile), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, explain("begin "+explainFile, dir, err)
	}
	e := &Explaining{file: f, dir: dir, secrets: secrets}
	if err := e.begin(b); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return e, nil
}

func (e *Explaining) begin(b rehearse.ExplainBegin) error {
	err := syscall.Flock(int(e.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &rehearse.Error{Kind: rehearse.Unavailable, File: e.dir, Msg: "somebody else is explaining this run", Hint: "Wait until that is over."}
	}
	if err == nil {
		err = e.file.Truncate(0)
	}
	left, globErr := filepath.Glob(filepath.Join(e.dir, probePrefix+"*"))
	err = errors.Join(err, globErr)
	for _, probe := range left {
		err = errors.Join(err, os.RemoveAll(probe))
	}
	if err != nil {
		return explain("begin "+explainFile, e.dir, err)
	}
	return e.Append(rehearse.ExplainRecord{Begin: &b})
}

// probePrefix begins the names of probes' directories.
const probePrefix = "probe-"

// Probe makes a directory for one probe within the run directory, for the caller to
// remove.
func (e *Explaining) Probe() (string, error) { return os.MkdirTemp(e.dir, probePrefix) }

// Append writes one record.
func (e *Explaining) Append(r rehearse.ExplainRecord) error {
	line, err := json.Marshal(r)
	if err == nil {
		_, err = e.file.Write(append(e.secrets.JSON(line), '\n'))
	}
	if err != nil {
		return explain("write "+explainFile, e.dir, err)
	}
	return nil
}

// Close ends the file.
func (e *Explaining) Close() error { return e.file.Close() }

// Explained reads the records of the search in a run directory; nil where there
// was none. A last line that was cut short is left out.
func Explained(dir string) ([]rehearse.ExplainRecord, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := readRegular(root, explainFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []rehearse.ExplainRecord
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		var r rehearse.ExplainRecord
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			if len(out) > 0 && !lines.Scan() {
				return out, nil
			}
			return nil, fmt.Errorf("%s: line %d: %w", explainFile, len(out)+1, err)
		}
		out = append(out, r)
	}
	return out, lines.Err()
}
