package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/redact"
)

// The kinds of run.
const (
	KindRun        = "run"
	KindCompare    = "compare"
	KindExperiment = "experiment" // at an environment that stood before, and after
)

// The names inside a run directory that this package gives.
const (
	metaFile     = "run.json"
	evidenceFile = "evidence.jsonl"
	runsDir      = "runs"
	samplesDir   = "samples"
	logsDir      = "logs"
	suitesDir    = "suites"
)

// Meta is what run.json says.
type Meta struct {
	Run     rehearse.RunID `json:"run"`
	Project string         `json:"project"`
	Version string         `json:"version"` // of rehearse
	Kind    string         `json:"kind"`    // KindRun and the like
	Started time.Time      `json:"started"`
	Legs    []string       `json:"legs"` // in the order in which reports show them
	Source  Source         `json:"source,omitzero"`
}

// Source is how the project was read, for who wants to rehearse it again.
type Source struct {
	Files    []string `json:"files,omitempty"` // as the command line has them
	Profiles []string `json:"profiles,omitempty"`
	EnvFiles []string `json:"envFiles,omitempty"`
	Config   string   `json:"config,omitempty"`
	Driver   string   `json:"driver,omitempty"`
	Seed     uint64   `json:"seed,omitempty"`
}

// Run is a run directory that is being written.
type Run struct {
	dir  string
	meta Meta
	// Now is the clock for records without a time. Set it before the first Leg.
	Now func() time.Time
	// Secrets are taken out of everything that goes through a Leg's methods. Set them
	// before the first Leg; nil: there are none.
	Secrets *redact.Secrets
}

// Create makes the directory of a new run under root, which is the project's
// .rehearse directory, and writes run.json with the given identifier. It fails
// when the run exists already.
func Create(root string, id rehearse.RunID, meta Meta) (*Run, error) {
	if !isName(string(id)) {
		return nil, fmt.Errorf("create run: %q is not a run identifier", id)
	}
	for _, leg := range meta.Legs {
		if !isName(leg) {
			return nil, fmt.Errorf("create run %s: %q cannot be the name of a leg's directory", id, leg)
		}
	}
	meta.Run = id
	r := &Run{dir: filepath.Join(root, runsDir, string(id)), meta: meta, Now: time.Now}
	if err := r.create(root); err != nil {
		return nil, explain(fmt.Sprintf("create run %s", id), root, err)
	}
	return r, nil
}

func (r *Run) create(root string) error {
	// Only its owner may look inside: logs hold whatever the services print.
	if err := os.MkdirAll(filepath.Dir(r.dir), 0o700); err != nil {
		return err
	}
	if err := ignore(root); err != nil {
		return err
	}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r.meta, "", "  ")
	if err != nil {
		return err
	}
	// Written aside and renamed, so that a directory with a run.json is a whole one.
	tmp := filepath.Join(r.dir, metaFile+".tmp")
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(r.dir, metaFile))
}

// ignore keeps run directories out of the project's repository without touching
// the project's own .gitignore.
func ignore(root string) error {
	path := filepath.Join(root, ".gitignore")
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	return os.WriteFile(path, []byte("*\n"), 0o600)
}

// Dir is the run's directory.
func (r *Run) Dir() string { return r.dir }

// Meta is what run.json says.
func (r *Run) Meta() Meta { return r.meta }

// NewRunID names a run that starts now. Names sort by time; the random end keeps
// two runs of one second apart.
func NewRunID(now time.Time, rnd *rand.Rand) rehearse.RunID {
	const letters = "23456789abcdefghjkmnpqrstuvwxyz"
	end := make([]byte, 4)
	for i := range end {
		end[i] = letters[rnd.IntN(len(letters))]
	}
	return rehearse.RunID(now.UTC().Format("20060102-150405") + "-" + string(end))
}

// Latest is the directory of the newest run under root, the project's .rehearse
// directory.
func Latest(root string) (string, error) {
	entries, err := os.ReadDir(filepath.Join(root, runsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("find the latest run: %w", err)
	}
	// Names start with the time, so the last name is the latest run.
	for _, e := range slices.Backward(entries) {
		dir := filepath.Join(root, runsDir, e.Name())
		if _, err := os.Stat(filepath.Join(dir, metaFile)); err == nil {
			return dir, nil
		}
	}
	return "", &rehearse.Error{
		Kind: rehearse.Invalid,
		File: root,
		Msg:  "there is no run yet",
		Hint: "Start one with \"rehearse run\" or \"rehearse compare\".",
	}
}

// explain wraps an error of the file system once, and says what to do when the
// disk is full, the one such error that a healthy machine gives.
func explain(doing, dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &rehearse.Error{
			Kind: rehearse.Unavailable,
			Msg:  doing,
			Err:  err,
			Hint: fmt.Sprintf("The disk that holds %s is full: make room there and run again. What was written so far can still be judged, as unverified.", dir),
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isName reports whether a word can be used as a directory's name as it stands.
func isName(s string) bool {
	return s != "" && s == fileName(s)
}

// fileName makes a file's name from any text, different for different texts:
// what is not a letter, a digit or one of "._-" becomes %XX, as does a leading
// dot, so that no name is hidden or leads elsewhere.
func fileName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
