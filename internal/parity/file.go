package parity

import (
	"fmt"
	"os"
	"path/filepath"
)

// extend makes the files of a relation as long as so many pages. What is added
// are holes, which read as zeros: to PostgreSQL, pages that were allocated and
// never used.
//
// A relation lies in files of one segment each, PATH, PATH.1, PATH.2 and so on,
// of which all but the last are full. The server asks the file system for a
// file's length each time it plans, so that nobody needs to be told.
func (s server) extend(r *relation, pages int64) error {
	path := filepath.Join(s.dir, r.path)
	first, err := os.Stat(path)
	if err != nil {
		return invalid("the files of "+r.name+" are not in "+s.dir, "Give the data directory of the server that the connection leads to, as this host sees it.", err)
	}
	if want := min(r.blocks*s.block, s.segment); first.Size() != want {
		return invalid("the files of "+r.name+" in "+s.dir+" are another server's", "Give the data directory of the server that the connection leads to, as this host sees it.", errNotIts)
	}
	left := pages * s.block
	for n := 0; left > 0; n++ {
		name := path
		if n > 0 {
			name = fmt.Sprintf("%s.%d", path, n)
		}
		if err := grow(name, min(left, s.segment), first); err != nil {
			return fmt.Errorf("extend %s: %w", r.name, err)
		}
		left -= s.segment
	}
	return nil
}

// grow makes one file as long as length, and never shorter. A new file gets the
// first one's mode and owner.
func grow(name string, length int64, first os.FileInfo) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, first.Mode().Perm())
	if err != nil {
		return err
	}
	defer f.Close()
	is, err := f.Stat()
	if err != nil {
		return err
	}
	if is.Size() >= length {
		return nil
	}
	if err := own(f, first); err != nil {
		return err
	}
	return f.Truncate(length)
}
