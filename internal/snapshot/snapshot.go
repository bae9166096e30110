// Package snapshot turns a directory, such as the data directory of a database
// server that has stopped, into private copies of it whose cost does not grow
// with the data.
//
// [Store.Golden] makes a directory once and freezes it; [Golden.Clone] gives a
// copy that may be written to. How a copy is made is its [Method]:
//
//   - "reflink": each file shares its extents with the golden's until one of the
//     two is written to. It needs a file system that can: XFS, Btrfs.
//   - "loopback": the same inside a volume of our own, which is one sparse file
//     in the store's directory. It needs root and mkfs.xfs or mkfs.btrfs.
//   - "overlay": the caller lays a layer over the golden. It costs nothing at
//     first, and the whole of each file that is opened for writing later, which a
//     database does on the first query: only for what is small.
//   - "copy": every byte. It works everywhere.
//
// A store is a directory, and several processes may use it at once:
//
//	DIR/KEY/              a golden
//	DIR/KEY.json          what is known of it, made before it; its time is the last use's
//	DIR/KEY.lock          held alone while it is built or removed, shared while it is used
//	DIR/clones/ID/        a clone
//	DIR/clones/ID.json    whose it is, made before it
//	DIR/volume.img        the volume, with goldens/ and clones/ of its own
//
// The volume is never seen in a table of mounts. It is mounted by each process
// that uses it, on a file descriptor, and so gone with the last of them, however
// that ends; the next one finds it again, after a reboot, too.
//
// Nothing here changes the owner of what is already there: a golden is built by
// the user who will use it.
package snapshot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Method is how a clone is made.
type Method string

// The methods, best first.
const (
	Reflink  Method = "reflink"
	Loopback Method = "loopback"
	Overlay  Method = "overlay"
	Copy     Method = "copy"
)

// Methods are all of them, best first.
func Methods() []Method { return []Method{Reflink, Loopback, Overlay, Copy} }

// Small is the size in bytes up to which a golden is better laid an overlay over
// than cloned by any other method.
const Small = 64 << 20

// Options are what a store must know of its user.
type Options struct {
	// Methods are those that the caller can make use of, in any order; nil: all.
	// Copy is always among them.
	Methods []Method
	// Small is used instead of the constant, if it is not 0.
	Small int64
	// Now is the time of a last use; nil: time.Now.
	Now func() time.Time
}

// Store makes goldens and clones in one directory. Its methods may be called at
// once from several goroutines.
type Store struct {
	dir string
	o   Options

	// under is held, shared, while goldens and clones are made and removed: the
	// volume's paths mean something else once it is closed.
	under   sync.RWMutex
	mu      sync.Mutex
	reflink func() error // whether the directory's file system can; asked once
	volume  *volume      // nil while nobody has needed it
	why     error        // why there is no volume, once that is known
}

// Open opens the store in a directory, and makes that when it is not there. The
// volume is opened when it is first needed.
func Open(dir string, o Options) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "clones"), 0o755); err != nil {
		return nil, fmt.Errorf("open the store of snapshots: %w", err)
	}
	if o.Small == 0 {
		o.Small = Small
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{dir: dir, o: o, reflink: sync.OnceValue(func() error { return tryReflink(dir) })}, nil
}

// Close waits for what is under way and lets go of the volume. Nothing of this
// store must be used afterwards; processes that have mounted the volume
// themselves go on.
func (s *Store) Close() error {
	s.under.Lock()
	defer s.under.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.volume
	s.volume, s.why = nil, os.ErrClosed
	if v == nil {
		return nil
	}
	return v.close()
}

func (s *Store) may(m Method) bool {
	return m == Copy || s.o.Methods == nil || slices.Contains(s.o.Methods, m)
}

// method is the best one for a golden of a size in the store's own directory.
func (s *Store) method(ctx context.Context, size int64) Method {
	switch {
	case s.may(Overlay) && size <= s.o.Small:
		return Overlay
	case s.may(Reflink) && s.reflink() == nil:
		return Reflink
	case s.may(Loopback) && size > s.o.Small:
		if _, err := s.openVolume(ctx, true); err == nil {
			return Loopback
		}
	}
	return Copy
}

// openVolume finds the volume, and makes it where that is asked for.
func (s *Store) openVolume(ctx context.Context, create bool) (*volume, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.volume != nil || s.why != nil {
		return s.volume, s.why
	}
	v, err := openVolume(ctx, filepath.Join(s.dir, "volume"), create)
	if err != nil {
		if create && ctx.Err() == nil {
			s.why = err // it will not get better while we run
		}
		return nil, err
	}
	s.volume = v
	return v, nil
}

// validName keeps keys and identifiers to what is one name in a directory, and
// none of the store's own.
func validName(what, name string) error {
	ok := name != "" && len(name) < 200 && name[0] != '.' && name[0] != '-' && name != "clones" && name != "volume"
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("%q cannot name a %s", name, what),
			Hint: "Use letters, digits, dots, dashes and underscores.",
		}
	}
	return nil
}
