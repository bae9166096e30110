package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/rehearse-dev/rehearse"
)

// Archive is a run directory that was read back.
type Archive struct {
	Dir  string
	Meta Meta
	// Legs are in run.json's order, without verdicts. Each has its Evidence.
	Legs []rehearse.LegReport
}

// Report is the archive as reports take it; its legs lack their verdicts.
func (a *Archive) Report() rehearse.Report {
	project := a.Meta.Project
	for _, l := range a.Legs { // where run.json is gone, the plans still say it
		if p := l.Evidence.Plan(); p != nil && project == "" {
			project = p.Project
		}
	}
	return rehearse.Report{Run: a.Meta.Run, Project: project, Version: a.Meta.Version, Legs: a.Legs}
}

// Open reads a run directory. It is an error only when the directory is no run
// directory at all or cannot be read; damage inside is told leg by leg, in
// Evidence.Damage.
func Open(dir string) (*Archive, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notRun(dir, "there is no such run directory")
	}
	if err != nil {
		if info, e := os.Stat(dir); e == nil && !info.IsDir() {
			return nil, notRun(dir, "this is no run directory but a file")
		}
		return nil, fmt.Errorf("open run: %w", err)
	}
	defer root.Close()

	a := &Archive{Dir: dir}
	meta, damage := readMeta(root)
	a.Meta = meta
	for _, name := range legNames(root, meta) {
		ev := readLeg(root, name)
		ev.Damage = append(slices.Clone(damage), ev.Damage...)
		a.Legs = append(a.Legs, rehearse.LegReport{Name: name, Dir: name, Evidence: ev})
	}
	if len(a.Legs) == 0 {
		return nil, notRun(dir, "this is no run directory: it has neither a readable run.json nor a leg")
	}
	if a.Meta.Run == "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			abs = dir
		}
		a.Meta.Run = rehearse.RunID(filepath.Base(abs))
	}
	return a, nil
}

func notRun(dir, msg string) error {
	hint := "Run directories stand in .rehearse/runs: list the latest runs with \"ls .rehearse/runs\"."
	if latest, err := Latest(filepath.Join(dir, ".rehearse")); err == nil {
		hint = "This is a project; its latest run is " + latest + "."
	}
	return &rehearse.Error{Kind: rehearse.Invalid, File: dir, Msg: msg, Hint: hint}
}

func readMeta(root *os.Root) (meta Meta, damage []string) {
	data, err := root.ReadFile(metaFile)
	if err == nil {
		err = json.Unmarshal(data, &meta)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Meta{}, []string{"The file run.json is missing."}
	case err != nil:
		return Meta{}, []string{fmt.Sprintf("The file run.json cannot be read: %v.", err)}
	}
	return meta, nil
}

// legNames are the legs that run.json promises, then those that are there all
// the same, as when run.json was lost.
func legNames(root *os.Root, meta Meta) []string {
	var names []string
	for _, name := range meta.Legs {
		if isName(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return names
	}
	for _, e := range entries {
		if slices.Contains(names, e.Name()) {
			continue
		}
		if _, err := root.Lstat(path.Join(e.Name(), evidenceFile)); err == nil {
			names = append(names, e.Name())
		}
	}
	return names
}

func readLeg(root *os.Root, name string) *rehearse.Evidence {
	ev := &rehearse.Evidence{Samples: map[string][]rehearse.Sample{}}
	data, err := root.ReadFile(path.Join(name, evidenceFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		ev.Damage = append(ev.Damage, fmt.Sprintf("The leg %s has no evidence: it was never run, or its files are gone.", name))
		return ev
	case err != nil:
		ev.Damage = append(ev.Damage, fmt.Sprintf("The evidence of leg %s cannot be read: %v.", name, err))
		return ev
	}
	ev.Records, ev.Damage = parseRecords(data)
	for _, rec := range ev.Records {
		if rec.Load == nil {
			continue
		}
		samples, damage := readSamples(root, name, *rec.Load)
		ev.Samples[rec.Load.Step] = samples
		ev.Damage = append(ev.Damage, damage...)
	}
	return ev
}

// parseRecords reads evidence.jsonl. Whatever the bytes, the records are whole
// ones, and when any of the original is lost there is a sentence that says so.
func parseRecords(data []byte) (records []rehearse.Record, damage []string) {
	for n := 1; len(data) > 0; n++ {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		data = rest
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var rec rehearse.Record
		err := json.Unmarshal(line, &rec)
		switch {
		case err != nil && !whole:
			damage = append(damage, fmt.Sprintf("The last line of the evidence, line %d, is cut short.", n))
		case err != nil:
			damage = append(damage, fmt.Sprintf("Line %d of the evidence cannot be read: %v.", n, err))
		case parts(rec) != 1:
			damage = append(damage, fmt.Sprintf("Line %d of the evidence is no record that this version of rehearse knows.", n))
		default:
			records = append(records, rec)
		}
	}
	if len(records) == 0 || records[0].Begin == nil {
		damage = append(damage, "The evidence has no opening record, so there is no plan to judge it by.")
	}
	if !slices.ContainsFunc(records, func(r rehearse.Record) bool { return r.End != nil }) {
		damage = append(damage, "The evidence has no closing record: the leg was cut short.")
	}
	return records, damage
}

// parts counts what a record holds: one thing, if it is whole. Each is a pointer.
func parts(r rehearse.Record) int {
	n := 0
	for _, f := range reflect.ValueOf(r).Fields() {
		if f.Kind() == reflect.Pointer && !f.IsNil() {
			n++
		}
	}
	return n
}

// readSamples reads the samples of one load step. os.Root keeps a doctored path
// inside the run directory.
func readSamples(root *os.Root, leg string, load rehearse.LoadResult) (samples []rehearse.Sample, damage []string) {
	say := func(format string, args ...any) {
		damage = append(damage, fmt.Sprintf("The samples of %s, %s, ", load.Step, load.Samples)+fmt.Sprintf(format, args...))
	}
	data, err := readRegular(root, path.Join(leg, load.Samples))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		say("are missing.")
		return nil, damage
	case err != nil:
		say("cannot be read: %v.", err)
		return nil, damage
	}
	unread := 0
	for line := range bytes.Lines(data) {
		var s rehearse.Sample
		if err := json.Unmarshal(line, &s); err != nil {
			unread++
			continue
		}
		samples = append(samples, s)
	}
	if unread > 0 {
		say("hold %d lines that cannot be read.", unread)
	}
	if len(samples) != load.Count {
		say("are %d where the evidence counts %d.", len(samples), load.Count)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != load.SHA256 {
		say("are not the ones that were written: the checksum differs.")
	}
	return samples, damage
}

func readRegular(root *os.Root, name string) ([]byte, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return root.ReadFile(name)
}
