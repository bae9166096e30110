package snapshot

import (
	"errors"
	"os"
	"path/filepath"
)

// Capability says whether a method can be had for a store.
type Capability struct {
	Method    Method
	Available bool
	Why       string // why not, or what it means
	Hint      string // what would change that; a complete sentence
}

// Probe looks at what a directory, which need not exist, and its host allow, best
// method first. It leaves nothing behind.
func Probe(dir string) []Capability {
	var out []Capability
	for _, m := range Methods() {
		c := Capability{Method: m, Available: true}
		var err error
		switch m {
		case Reflink:
			c.Why = "files share their extents"
			err = tryReflink(dir)
			c.Hint = "Put the cache on XFS or Btrfs."
		case Loopback:
			c.Why = "files share their extents in a volume of our own"
			err = tryVolume()
			c.Hint = "It needs root, loop devices and mkfs.xfs: apt-get install xfsprogs."
		case Overlay:
			c.Why = "for small datasets only"
		case Copy:
			c.Why = "takes as long as there is data"
		}
		if err != nil {
			c.Available, c.Why = false, err.Error()
		} else {
			c.Hint = ""
		}
		out = append(out, c)
	}
	return out
}

// tryReflink makes a file share its extents with another in a directory, or in
// the first above it that exists.
func tryReflink(dir string) error {
	for {
		st, err := os.Stat(dir)
		if err == nil && st.IsDir() {
			break
		}
		if filepath.Dir(dir) == dir {
			return err
		}
		dir = filepath.Dir(dir)
	}
	var files [2]*os.File
	for i := range files {
		f, err := os.CreateTemp(dir, ".reflink-")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		files[i] = f
	}
	if _, err := files[0].Write(make([]byte, 4096)); err != nil {
		return err
	}
	if err := reflinkFile(files[1], files[0]); err != nil {
		return errors.New("the file system of " + dir + " cannot share extents")
	}
	return nil
}
