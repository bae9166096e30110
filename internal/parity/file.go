package parity

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
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

// ask lets the server extend the files of a relation, by a program of its own
// host's. dd is what every system has: with nothing to copy, it makes the file end
// where it would have begun to write.
func (a *applier) ask(ctx context.Context, r *relation, pages int64) error {
	s := a.server
	var script strings.Builder
	script.WriteString("set -e")
	for n, left := int64(0), pages*s.block; left > 0; n, left = n+1, left-s.segment {
		if (n+1)*s.segment <= r.blocks*s.block {
			continue // it is full, and never made shorter
		}
		name := r.path
		if n > 0 {
			name = fmt.Sprintf("%s.%d", r.path, n)
		}
		fmt.Fprintf(&script, "; dd if=/dev/null of='%s' bs=%d seek=%d 2>/dev/null", name, s.block, min(left, s.segment)/s.block)
		if script.Len() > longestScript {
			if err := run(ctx, a.tx, script.String()); err != nil {
				return fmt.Errorf("extend %s: %w", r.name, err)
			}
			script.Reset()
			script.WriteString("set -e")
		}
	}
	if err := run(ctx, a.tx, script.String()); err != nil {
		return fmt.Errorf("extend %s: %w", r.name, err)
	}
	var got int64
	if err := a.tx.QueryRow(ctx, "SELECT pg_relation_size($1::oid)", r.oid).Scan(&got); err != nil {
		return fmt.Errorf("look at %s: %w", r.name, err)
	}
	if got != pages*s.block {
		return fmt.Errorf("extend %s: it has %d bytes and not %d", r.name, got, pages*s.block)
	}
	return nil
}

// longestScript is how long a script may be to fit into an argument of a shell.
const longestScript = 60_000

// run runs a script on the server's host, in its data directory.
func run(ctx context.Context, tx pgx.Tx, script string) error {
	_, err := tx.Exec(ctx, "COPY (SELECT WHERE false) TO PROGRAM '"+strings.ReplaceAll(script, "'", "''")+"'")
	return err
}
