package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// GoldenInfo is what is known of a golden without using it.
type GoldenInfo struct {
	Key   string    `json:"key"`
	Size  int64     `json:"size"` // in bytes, as the disk counts
	Files int       `json:"files"`
	Made  time.Time `json:"made"`
	Used  time.Time `json:"used"` // when it was last asked for
	// Volume is true for one that lies in the store's volume.
	Volume bool `json:"volume,omitempty"`
}

// Golden is a frozen directory in use: nobody removes it until it is closed.
type Golden struct {
	GoldenInfo
	store *Store
	path  string
	held  *lock
}

// Path is where this process finds the golden. It must only be read.
func (g *Golden) Path() string { return g.path }

// Close says that neither the golden nor an overlay on it is in use any more.
// Clones by the other methods stand for themselves.
func (g *Golden) Close() { g.held.release() }

// Golden finds a golden, or has it built: build fills an empty directory, whose
// owner it may change, and leaves nobody who writes to it. Of several callers,
// also in several processes, one builds and the others wait. What build has
// written is on the disk before it counts as made.
func (s *Store) Golden(ctx context.Context, key string, build func(ctx context.Context, dir string) error) (*Golden, error) {
	if err := validName("golden", key); err != nil {
		return nil, err
	}
	s.under.RLock()
	defer s.under.RUnlock()
	for {
		held, err := takeLock(ctx, s.at(key)+".lock", true)
		if err != nil {
			return nil, err
		}
		g, err := s.find(ctx, key)
		if err == nil {
			g.held = held
			now := s.o.Now()
			return g, os.Chtimes(s.at(key)+".json", now, now)
		}
		held.release()
		if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if err := s.make(ctx, key, build); err != nil {
			return nil, err
		}
		// Somebody may remove it before we have it: then it is made again.
	}
}

func (s *Store) at(key string) string { return filepath.Join(s.dir, key) }

// find looks for a golden whose lock the caller holds. One that lies in a volume
// which is gone, or cannot be opened any more, does not exist.
func (s *Store) find(ctx context.Context, key string) (*Golden, error) {
	g := &Golden{store: s, path: s.at(key)}
	if err := readRecord(s.at(key)+".json", &g.GoldenInfo); err != nil {
		return nil, errors.Join(os.ErrNotExist, err)
	}
	if g.Volume {
		v, err := s.openVolume(ctx, false)
		if err != nil {
			return nil, errors.Join(os.ErrNotExist, err)
		}
		g.path = v.golden(key)
	}
	_, err := os.Stat(g.path)
	return g, err
}

// make builds a golden, unless somebody else has done so meanwhile.
func (s *Store) make(ctx context.Context, key string, build func(ctx context.Context, dir string) error) error {
	alone, err := takeLock(ctx, s.at(key)+".lock", false)
	if err != nil {
		return err
	}
	defer alone.release()
	if _, err := s.find(ctx, key); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	building := s.at(key) + ".building"
	if err := errors.Join(os.RemoveAll(building), os.RemoveAll(s.at(key)), os.Mkdir(building, 0o700)); err != nil {
		return err
	}
	defer os.RemoveAll(building)
	if err := build(ctx, building); err != nil {
		return err
	}
	g := GoldenInfo{Key: key, Made: s.o.Now()}
	if g.Size, g.Files, err = sizeOf(building); err != nil {
		return err
	}
	g.Volume = s.method(ctx, g.Size) == Loopback
	if g.Volume {
		return s.makeInVolume(ctx, g, building)
	}
	// Extents can only be shared once they are on the disk; and a golden that a
	// power failure has emptied would fail for ever.
	if err := flush(building); err != nil {
		return err
	}
	if err := writeRecord(s.at(key)+".json", g); err != nil {
		return err
	}
	return errors.Join(os.Rename(building, s.at(key)), syncDir(s.dir))
}

// makeInVolume moves what was built into the volume. It is not built there:
// whether it is large enough for that shows afterwards, and while it is built
// services must be able to see it.
func (s *Store) makeInVolume(ctx context.Context, g GoldenInfo, built string) error {
	v, err := s.openVolume(ctx, true)
	if err != nil {
		return err
	}
	moving := v.golden(g.Key) + ".building"
	if err := errors.Join(os.RemoveAll(moving), os.RemoveAll(v.golden(g.Key))); err != nil {
		return err
	}
	if err := copyTree(ctx, built, moving, copyFile, true); err != nil {
		return err
	}
	if err := flush(moving); err != nil {
		return err
	}
	if err := writeRecord(s.at(g.Key)+".json", g); err != nil {
		return err
	}
	return errors.Join(os.Rename(moving, v.golden(g.Key)), syncDir(filepath.Dir(moving)))
}

// Goldens lists what has been made, by key.
func (s *Store) Goldens() ([]GoldenInfo, error) { return goldensIn(s.dir) }

func goldensIn(dir string) ([]GoldenInfo, error) {
	records, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var out []GoldenInfo
	for _, file := range records {
		var g GoldenInfo
		if readRecord(file, &g) != nil || g.Key != strings.TrimSuffix(filepath.Base(file), ".json") {
			continue // removed meanwhile, or none of ours
		}
		if st, err := os.Stat(file); err == nil {
			g.Used = st.ModTime()
		}
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b GoldenInfo) int { return cmp.Compare(a.Key, b.Key) })
	return out, nil
}

// Prune removes the goldens that unwanted names and that nobody uses at the
// moment, and returns them. Clones of theirs stay.
func (s *Store) Prune(ctx context.Context, unwanted func(GoldenInfo) bool) ([]GoldenInfo, error) {
	s.under.RLock()
	defer s.under.RUnlock()
	all, err := s.Goldens()
	if err != nil {
		return nil, err
	}
	var out []GoldenInfo
	for _, g := range all {
		if !unwanted(g) {
			continue
		}
		gone, err := s.prune(ctx, g)
		if err != nil {
			return out, fmt.Errorf("remove dataset %s: %w", g.Key, err)
		}
		if gone {
			out = append(out, g)
		}
	}
	return out, nil
}

func (s *Store) prune(ctx context.Context, g GoldenInfo) (bool, error) {
	alone, err := tryLock(s.at(g.Key)+".lock", false)
	if err != nil || alone == nil {
		return false, err
	}
	defer alone.release()
	if g.Volume {
		v, err := s.openVolume(ctx, false)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return false, err
		}
		if err == nil {
			if err := os.RemoveAll(v.golden(g.Key)); err != nil {
				return false, err
			}
		}
	}
	// The record last: what is left when we die in between is found again.
	return true, errors.Join(os.RemoveAll(s.at(g.Key)), os.RemoveAll(s.at(g.Key)+".building"), os.Remove(s.at(g.Key)+".json"))
}
