package suite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

const (
	resultsBytes = 64 << 20 // of one file that is read
	messageBytes = 8 << 10  // of one test's message
)

// snapshot is the state of the result files before the command runs.
func snapshot(root *os.Root, patterns []string) map[string]fs.FileInfo {
	m := map[string]fs.FileInfo{}
	for _, pattern := range patterns {
		for _, name := range glob(root, pattern) {
			if info, err := root.Stat(filepath.FromSlash(name)); err == nil {
				m[name] = info
			}
		}
	}
	return m
}

// fresh lists the result files that the command wrote. It compares them with what
// was there, because file systems' clocks are too coarse to compare with ours.
func (k *keeper) fresh(root *os.Root, patterns []string, before map[string]fs.FileInfo) []string {
	var out []string
	for _, name := range k.match(root, patterns) {
		now, err := root.Stat(filepath.FromSlash(name))
		if err != nil {
			k.note("the results in %s were not read: %v", name, cause(err))
			continue
		}
		old, ok := before[name]
		if ok && os.SameFile(old, now) && old.ModTime().Equal(now.ModTime()) && old.Size() == now.Size() {
			k.note("the results in %s were not read: they are older than this run", name)
			continue
		}
		out = append(out, name)
	}
	return out
}

// read reads the tests of a result file, and notes when it cannot.
func (k *keeper) read(root *os.Root, name string) []rehearse.Test {
	tests, err := readResults(root, name)
	if err != nil {
		k.note("the results in %s cannot be read: %v", name, err)
	}
	return tests
}

func readResults(root *os.Root, name string) ([]rehearse.Test, error) {
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file") // to open a pipe could take forever
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, resultsBytes+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(data) > resultsBytes {
		return nil, fmt.Errorf("it has more than %d MiB", resultsBytes>>20)
	}
	return parse(data)
}

// parse reads results of either format.
func parse(data []byte) ([]rehearse.Test, error) {
	data = bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\uFEFF")), " \t\r\n")
	switch {
	case bytes.HasPrefix(data, []byte("<")):
		return parseJUnit(data)
	case bytes.HasPrefix(data, []byte("{")):
		return parseCTRF(data)
	case len(data) == 0:
		return nil, errors.New("it is empty")
	}
	return nil, errors.New("it is neither JUnit XML nor CTRF JSON")
}

// message is what a test said, fit for a report.
func message(parts ...string) string {
	for _, m := range parts {
		m = strings.TrimSpace(strings.ToValidUTF8(escape.ReplaceAllString(m, ""), "\uFFFD"))
		if len(m) > messageBytes {
			m = strings.ToValidUTF8(m[:messageBytes], "") + " …"
		}
		if m != "" {
			return m
		}
	}
	return ""
}

// full is a test's name behind the name of what holds it, unless it says that
// itself.
func full(holder, name string) string {
	if holder == "" || strings.HasPrefix(name, holder) {
		return name
	}
	return holder + " › " + name
}

func elapsed(seconds float64) rehearse.Duration {
	return rehearse.Duration(seconds * float64(time.Second))
}
