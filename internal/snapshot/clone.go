package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// CloneInfo is what is known of a clone without looking at it.
type CloneInfo struct {
	ID     string `json:"id"`
	Owner  string `json:"owner"` // the caller's own word for whose it is
	Golden string `json:"golden"`
	Method Method `json:"method"`
}

// Clone is a private copy of a golden.
type Clone struct {
	CloneInfo
	// Path is where this process finds it. For an overlay that is the golden,
	// which the caller must keep open as long as the overlay lies on it.
	Path string
	// Mount is how another process gets at one that lies in the volume; nil for
	// others, which lie at Path for everybody.
	Mount *Mount
	Took  time.Duration
}

// Mount is a directory below the root of a file system on a block device.
type Mount struct {
	Device string `json:"device"`
	FS     string `json:"fs"`
	Dir    string `json:"dir"`
}

// Clone makes a private copy, by the best method for the golden. The id must be
// new to the store; owner is kept beside it. Before anything is made, Clones
// lists it. An overlay is for the caller to make, and is not listed.
func (g *Golden) Clone(ctx context.Context, id, owner string) (*Clone, error) {
	begun := time.Now()
	s := g.store
	s.under.RLock()
	defer s.under.RUnlock()
	c := &Clone{CloneInfo: CloneInfo{ID: id, Owner: owner, Golden: g.Key}}
	if err := validName("clone", id); err != nil {
		return nil, err
	}
	c.Method = s.method(ctx, g.Size)
	c.Path = s.cloneAt(id)
	file := copyFile
	switch {
	case c.Method == Overlay && !g.Volume:
		c.Path, c.Took = g.path, time.Since(begun)
		return c, nil
	case g.Volume && s.may(Loopback):
		v, err := s.openVolume(ctx, false)
		if err != nil {
			return nil, err
		}
		c.Method, file = Loopback, reflinkFile
		c.Path = v.clone(id)
		c.Mount = &Mount{Device: v.device, FS: v.fs, Dir: filepath.Join("clones", id)}
	case c.Method == Reflink && !g.Volume:
		file = reflinkFile
	default:
		c.Method = Copy
	}
	if err := writeRecord(s.cloneAt(id)+".json", c.CloneInfo); err != nil {
		return nil, fmt.Errorf("note clone %s: %w", id, err)
	}
	if err := copyTree(ctx, g.path, c.Path, file, false); err != nil {
		return nil, errors.Join(fmt.Errorf("clone %s: %w", g.Key, err), s.remove(context.WithoutCancel(ctx), id))
	}
	c.Took = time.Since(begun)
	return c, nil
}

func (s *Store) cloneAt(id string) string { return filepath.Join(s.dir, "clones", id) }

// Remove removes a clone, which nobody may be using. One that is not there is no
// error.
func (s *Store) Remove(ctx context.Context, id string) error {
	if err := validName("clone", id); err != nil {
		return err
	}
	s.under.RLock()
	defer s.under.RUnlock()
	return s.remove(ctx, id)
}

func (s *Store) remove(ctx context.Context, id string) error {
	var c CloneInfo
	if err := readRecord(s.cloneAt(id)+".json", &c); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if c.Method == Loopback {
		v, err := s.openVolume(ctx, false)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove clone %s: %w", id, err)
		}
		if err == nil {
			if err := os.RemoveAll(v.clone(id)); err != nil {
				return fmt.Errorf("remove clone %s: %w", id, err)
			}
		}
	}
	// The record last: until then it can be found.
	if err := os.RemoveAll(s.cloneAt(id)); err != nil {
		return fmt.Errorf("remove clone %s: %w", id, err)
	}
	if err := os.Remove(s.cloneAt(id) + ".json"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove clone %s: %w", id, err)
	}
	return nil
}

// Clones lists the clones of the store in a directory, by identifier, and opens
// nothing. A directory that is not there has none.
func Clones(dir string) ([]CloneInfo, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "clones"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list clones: %w", err)
	}
	var out []CloneInfo
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		var c CloneInfo
		if readRecord(filepath.Join(dir, "clones", e.Name()), &c) == nil && c.ID == id {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b CloneInfo) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}
