package environment

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// Store keeps one directory per environment:
//
//	ROOT/ID/meta.json      what it is, and until when
//	ROOT/ID/lock           held, by the kernel, as long as its process lives
//	ROOT/ID/journal.jsonl  what was created outside the directory
//	ROOT/ID/control.sock   where commands reach it
//	ROOT/ID/token          what its HTTP API asks for, readable by its owner only
//	ROOT/ID/place/         the driver's
//
// A directory whose lock is free belongs to a process that has died.
type Store struct {
	Root string
	Now  func() time.Time // nil: time.Now
}

// Meta is what one can know of an environment without asking it.
type Meta struct {
	ID      rehearse.EnvironmentID `json:"id"`
	Project string                 `json:"project"`
	Dir     string                 `json:"dir"` // the project's
	Leg     string                 `json:"leg"`
	Driver  string                 `json:"driver"`
	PID     int                    `json:"pid"`
	Created time.Time              `json:"created"`
	Expires time.Time              `json:"expires"` // the lease's end; zero: it has none
	Purpose string                 `json:"purpose"` // "up", "test", "run", "compare"
	// Key is by what several processes find an environment that they share; empty
	// for one that is not shared.
	Key string `json:"key,omitempty"`
	// Change is the change that is rehearsed, as a CI names it: "acme/shop#42@1a2b3c4".
	Change string `json:"change,omitempty"`
	// Base is what ID begins with; empty: the project's name.
	Base string `json:"-"`
}

// The purposes of environments that stand until somebody asks them down.
const (
	PurposeUp   = "up"
	PurposeTest = "test"
)

// Stands reports whether the environment stands by itself, and answers over its
// control socket, as against one that a rehearsal holds.
func (m Meta) Stands() bool { return m.Purpose == PurposeUp || m.Purpose == PurposeTest }

// Entry is one environment of the store.
type Entry struct {
	Meta
	Path  string `json:"-"`
	Alive bool   `json:"alive"` // its process holds the lock
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

const (
	lockName    = "lock"
	journalName = "journal.jsonl"
	metaName    = "meta.json"
)

// Record is a living environment's own entry.
type Record struct {
	Meta
	path string
	lock *os.File

	mu       sync.Mutex
	journal  *os.File
	standing map[driver.Remnant]bool // what is known to exist
	expires  time.Time               // since Extend; zero: as in Meta
}

var _ driver.Journal = (*Record)(nil)

// Create makes an entry and takes its lock. The ID is the meta's base and a
// few random letters.
func (s *Store) Create(m Meta) (*Record, error) {
	m.Created, m.PID = s.now(), os.Getpid()
	if err := os.MkdirAll(s.Root, 0o755); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	for {
		m.ID = newID(cmp.Or(m.Base, m.Project))
		unborn := filepath.Join(s.Root, unbornPrefix+string(m.ID))
		err := os.Mkdir(unborn, 0o755)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("make the environment's directory: %w", err)
		}
		r, err := openRecord(m, unborn)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(unborn))
		}
		// The entry appears with its lock held, so that nobody who looks at the
		// store at the wrong moment takes it for dead, or its lock away.
		r.path = filepath.Join(s.Root, string(m.ID))
		err = os.Rename(unborn, r.path)
		if errors.Is(err, os.ErrExist) {
			if err := errors.Join(os.RemoveAll(unborn), r.lock.Close()); err != nil {
				return nil, err
			}
			continue
		}
		if err == nil {
			r.journal, err = os.OpenFile(filepath.Join(r.path, journalName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		}
		if err != nil {
			err = fmt.Errorf("make the environment's directory: %w", err)
			return nil, errors.Join(err, os.RemoveAll(unborn), remove(r.path), r.lock.Close())
		}
		return r, nil
	}
}

// What begins the name of a directory that is not an entry yet, or not any more. No
// environment's ID begins with a dot.
const (
	unbornPrefix = ".new-"
	gonePrefix   = ".gone-"
)

func newID(base string) rehearse.EnvironmentID {
	const letters = "0123456789abcdefghjkmnpqrstvwxyz" // without those that look like others
	b := []byte(base + "-")
	for range 5 {
		b = append(b, letters[rand.IntN(len(letters))])
	}
	return rehearse.EnvironmentID(b)
}

func openRecord(m Meta, path string) (*Record, error) {
	r := &Record{Meta: m, path: path, standing: map[driver.Remnant]bool{}}
	var err error
	if r.lock, err = os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return nil, err
	}
	if err := unix.Flock(int(r.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the environment: %w", err), r.lock.Close())
	}
	if err := r.write(); err != nil {
		return nil, errors.Join(err, r.lock.Close())
	}
	return r, os.MkdirAll(r.Place(), 0o755)
}

// Now is what the record says now: Meta, with the lease's end as it was extended.
func (r *Record) Now() Meta {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.Meta
	if !r.expires.IsZero() {
		m.Expires = r.expires
	}
	return m
}

// Extend writes down another end of the lease.
func (r *Record) Extend(until time.Time) error {
	r.mu.Lock()
	r.expires = until
	r.mu.Unlock()
	if err := r.write(); err != nil {
		return fmt.Errorf("write down the lease: %w", err)
	}
	return nil
}

// NewToken makes the token of the environment's API, and keeps it where its owner
// finds it.
func (r *Record) NewToken() (string, error) {
	token := crand.Text()
	if err := os.WriteFile(filepath.Join(r.path, tokenName), []byte(token), 0o600); err != nil {
		return "", fmt.Errorf("write down the API's token: %w", err)
	}
	return token, nil
}

const tokenName = "token"

// Token is that of the environment's API.
func (e Entry) Token() (string, error) {
	data, err := os.ReadFile(filepath.Join(e.Path, tokenName))
	if err != nil {
		return "", fmt.Errorf("read the API's token: %w", err)
	}
	return string(data), nil
}

func (r *Record) write() error {
	data, err := json.MarshalIndent(r.Now(), "", "  ")
	if err != nil {
		return err
	}
	temporary := filepath.Join(r.path, metaName+".new")
	if err := os.WriteFile(temporary, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(r.path, metaName))
}

// Place is the driver's directory.
func (r *Record) Place() string { return filepath.Join(r.path, "place") }

// Socket is where commands reach the environment.
func (r *Record) Socket() string { return filepath.Join(r.path, socketName) }

const socketName = "control.sock"

// Socket is where commands reach the environment.
func (e Entry) Socket() string { return filepath.Join(e.Path, socketName) }

// StillAlive asks again whether the environment's process lives.
func (e Entry) StillAlive() bool {
	unlock, free := tryLock(e.Path)
	if free {
		unlock()
		return false
	}
	_, err := os.Stat(e.Path)
	return err == nil
}

// AwaitEnd waits until the environment's process has let it go, having removed the
// entry, or has died. The kernel tells of it: nobody asks again and again.
func (e Entry) AwaitEnd(ctx context.Context) error {
	f, err := os.OpenFile(filepath.Join(e.Path, lockName), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it is gone
	}
	if err != nil {
		return fmt.Errorf("wait for the environment's end: %w", err)
	}
	ended := make(chan error, 1)
	go func() { // as long as the environment's process, or as ours
		err := error(unix.EINTR)
		for errors.Is(err, unix.EINTR) {
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		}
		f.Close() // before it is told: while we have the lock, the environment seems to live
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// entry is one line of the journal.
type entry struct {
	Intent  bool           `json:"intent"` // before, as against after
	Exists  bool           `json:"exists"`
	Remnant driver.Remnant `json:"remnant"`
}

// Intend writes down what is about to be created, durably.
func (r *Record) Intend(x driver.Remnant) error {
	return r.log(entry{Intent: true, Exists: true, Remnant: x})
}

// Confirm writes down that it exists, or is gone.
func (r *Record) Confirm(x driver.Remnant, exists bool) error {
	r.mu.Lock()
	if exists {
		r.standing[x] = true
	} else {
		delete(r.standing, x)
	}
	r.mu.Unlock()
	return r.log(entry{Exists: exists, Remnant: x})
}

func (r *Record) log(e entry) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.journal.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if !e.Intent {
		return nil // what is lost of this costs whoever collects a look, and nothing else
	}
	if err := r.journal.Sync(); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// Close removes the entry, after everything else of the environment is gone. Where
// something could not be removed, the entry stays as that of a dead environment, with
// nothing but what a collector needs.
func (r *Record) Close() error {
	r.mu.Lock()
	left := len(r.standing) > 0
	r.mu.Unlock()
	err := r.journal.Close()
	if left {
		err = errors.Join(err, empty(r.path, lockName, journalName, metaName))
	} else {
		err = errors.Join(err, remove(r.path))
	}
	return errors.Join(err, r.lock.Close()) // last: until then the directory is ours
}

// remove removes an entry whose lock the caller holds. The lock file goes last: what is
// left when we are killed in between is seen to be dead. And it goes together with the
// entry: to see a directory without its lock is not to see a dead environment.
func remove(path string) error {
	if err := empty(path, lockName); err != nil {
		return err
	}
	gone := filepath.Join(filepath.Dir(path), gonePrefix+filepath.Base(path))
	if err := os.Rename(path, gone); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.RemoveAll(gone)
}

// empty removes all of a directory but some files. That it is not there is no error.
func empty(path string, keep ...string) error {
	files, err := os.ReadDir(path)
	for _, f := range files {
		if !slices.Contains(keep, f.Name()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(path, f.Name())))
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// damagedMeta is what an entry tells whose meta.json cannot be read: when its
// directory was last changed, and by its socket, that it stands and can be taken down.
func damagedMeta(e Entry) Meta {
	var m Meta
	if st, err := os.Stat(e.Path); err == nil {
		m.Created = st.ModTime()
	}
	if st, err := os.Lstat(e.Socket()); err == nil && st.Mode()&os.ModeSocket != 0 {
		m.Purpose = PurposeUp
	}
	return m
}

// List reads every entry. An entry that is being made or removed may be missing.
func (s *Store) List() ([]Entry, error) {
	dirs, err := os.ReadDir(s.Root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state directory: %w", err)
	}
	var out []Entry
	for _, d := range dirs {
		if !d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			continue
		}
		e := Entry{Path: filepath.Join(s.Root, d.Name())}
		if data, err := os.ReadFile(filepath.Join(e.Path, metaName)); err == nil {
			if err := json.Unmarshal(data, &e.Meta); err != nil {
				e.Meta = damagedMeta(e) // cut short by a crash: its name still tells who it is
			}
		}
		e.ID = rehearse.EnvironmentID(d.Name())
		e.Alive = e.StillAlive()
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return a.Created.Compare(b.Created) })
	return out, nil
}

// tryLock takes a dead entry's lock. A directory without a lock file is the last
// that is left of an entry that was being removed.
func tryLock(path string) (unlock func(), free bool) {
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		_, err := os.Stat(path)
		return func() {}, err == nil
	}
	if err != nil {
		return nil, false
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, false
	}
	// Another collector may have removed the file after we had opened it.
	ours, err := f.Stat()
	if now, nowErr := os.Stat(f.Name()); err != nil || nowErr != nil || !os.SameFile(ours, now) {
		f.Close()
		return nil, false
	}
	return func() { f.Close() }, true
}

// Collect removes what dead environments have left: their processes and other
// remnants, found both by asking the drivers and by reading the journals, and
// their directories. It returns what it removed, a line for each, without the
// records of environments of which nothing else was left.
func (s *Store) Collect(ctx context.Context, drivers ...driver.Driver) (removed []string, err error) {
	return s.collect(ctx, drivers, func(rehearse.EnvironmentID) bool { return true })
}

// CollectOne is Collect for one environment: of others it neither removes anything
// nor says that it could not.
func (s *Store) CollectOne(ctx context.Context, id rehearse.EnvironmentID, drivers ...driver.Driver) (removed []string, err error) {
	return s.collect(ctx, drivers, func(of rehearse.EnvironmentID) bool { return of == id })
}

func (s *Store) collect(ctx context.Context, drivers []driver.Driver, wanted func(rehearse.EnvironmentID) bool) (removed []string, err error) {
	entries, err := s.List()
	if err != nil {
		return nil, err
	}
	alive := map[rehearse.EnvironmentID]bool{}
	for _, e := range entries {
		alive[e.ID] = e.Alive
	}
	var problems []error
	left := map[rehearse.EnvironmentID]bool{} // of these something was found
	asked := map[string]bool{"": true}        // drivers; an entry without one has nothing that a driver could know of
	// First what runs, so that nothing writes into a directory being removed.
	for _, d := range drivers {
		found, err := d.List(ctx)
		if err != nil {
			problems = append(problems, fmt.Errorf("driver %s: %w", d.Name(), err))
			continue
		}
		asked[d.Name()] = true
		for _, r := range found {
			if !wanted(r.Environment) {
				continue
			}
			left[r.Environment] = true
			if live, known := alive[r.Environment]; live || !known && s.justMade(r.Environment) {
				continue
			}
			if err := d.Remove(ctx, r); err != nil {
				problems = append(problems, err)
				continue
			}
			removed = append(removed, fmt.Sprintf("%s %s of %s", r.Kind, r.Name, r.Environment))
		}
	}
	for _, e := range entries {
		if e.Alive || !wanted(e.ID) {
			continue
		}
		unlock, free := tryLock(e.Path)
		if !free {
			continue // another collector is at it
		}
		if err := collectEntry(ctx, e, drivers); err != nil {
			problems = append(problems, fmt.Errorf("remove what is left of %s: %w", e.ID, err))
		} else if left[e.ID] || !asked[e.Driver] {
			removed = append(removed, "environment "+string(e.ID))
		}
		unlock()
	}
	problems = append(problems, s.collectHalves())
	return removed, errors.Join(problems...)
}

// collectEntry removes a dead entry and what its journal speaks of. The journal
// stays until all of that is gone.
func collectEntry(ctx context.Context, e Entry, drivers []driver.Driver) error {
	var problems []error
	for _, r := range journalled(e.Path) {
		for _, d := range drivers {
			if d.Name() == e.Driver {
				problems = append(problems, d.Remove(ctx, r))
			}
		}
	}
	if err := errors.Join(distinct(problems)...); err != nil {
		return err
	}
	return remove(e.Path)
}

// distinct are errors without those that say the same again, as an engine that does
// not answer has for each thing.
func distinct(errs []error) []error {
	said := map[string]bool{}
	return slices.DeleteFunc(errs, func(err error) bool {
		if err == nil || said[err.Error()] {
			return true
		}
		said[err.Error()] = true
		return false
	})
}

// collectHalves removes the directories of processes that died while they removed an
// entry, or made one, which takes far less than the two seconds that they are given.
func (s *Store) collectHalves() error {
	var problems []error
	for _, prefix := range []string{unbornPrefix, gonePrefix} {
		dirs, err := filepath.Glob(filepath.Join(s.Root, prefix+"*"))
		problems = append(problems, err)
		for _, dir := range dirs {
			st, err := os.Stat(dir)
			if err != nil || prefix == unbornPrefix && s.now().Sub(st.ModTime()) < 2*time.Second {
				continue
			}
			if unlock, free := tryLock(dir); free {
				problems = append(problems, os.RemoveAll(dir))
				unlock()
			}
		}
	}
	return errors.Join(problems...)
}

// justMade guards against an environment that was made between the reading of
// the store and the asking of the host.
func (s *Store) justMade(id rehearse.EnvironmentID) bool {
	return Entry{Path: filepath.Join(s.Root, string(id))}.StillAlive()
}

// journalled lists what a dead process created, or may have, and did not remove.
func journalled(path string) []driver.Remnant {
	data, err := os.ReadFile(filepath.Join(path, journalName))
	if err != nil {
		return nil
	}
	exists := map[driver.Remnant]bool{}
	var order []driver.Remnant
	for line := range strings.Lines(string(data)) {
		var e entry
		if json.Unmarshal([]byte(line), &e) != nil {
			continue // the last line, cut short: its thing was never made
		}
		if _, known := exists[e.Remnant]; !known {
			order = append(order, e.Remnant)
		}
		exists[e.Remnant] = e.Exists
	}
	slices.Reverse(order)
	return slices.DeleteFunc(order, func(r driver.Remnant) bool { return !exists[r] })
}
