package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/snapshot"
)

// small is the limit of these tests, so that a few files are a large dataset.
const small = 64 << 10

// openStore opens a store that can clone by the method, and by none better.
func openStore(t testing.TB, m snapshot.Method) *snapshot.Store {
	t.Helper()
	s, err := snapshot.Open(placeFor(t, m), snapshot.Options{Methods: []snapshot.Method{m}, Small: small})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// placeFor is a directory where a method can be had.
func placeFor(t testing.TB, m snapshot.Method) string {
	t.Helper()
	dir := t.TempDir()
	for _, c := range snapshot.Probe(dir) {
		if c.Method != m || c.Available {
			continue
		}
		if m == snapshot.Reflink {
			return mountXFS(t)
		}
		t.Skipf("no %s here: %s. %s", m, c.Why, c.Hint)
	}
	return dir
}

// mountXFS mounts a fresh file system that shares extents.
func mountXFS(t testing.TB) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the temporary directory cannot share extents, and only root can mount one that does")
	}
	dir, image := t.TempDir(), filepath.Join(t.TempDir(), "xfs")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(2<<30), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"mkfs.xfs", "-q", "-m", "reflink=1", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s: %v: %s (xfsprogs and loop devices would change that)", args[0], err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// dataset builds a golden with files of random content, up to so many bytes.
func dataset(seed uint64, size int) func(context.Context, string) error {
	return func(_ context.Context, dir string) error {
		r := rand.New(rand.NewPCG(seed, 0))
		if err := errors.Join(
			os.Mkdir(filepath.Join(dir, "base"), 0o750),
			os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte("15\n"), 0o640),
			os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600),
			os.Symlink("../base", filepath.Join(dir, "base", "link")),
		); err != nil {
			return err
		}
		for i := 0; size > 0; i++ {
			data := make([]byte, min(size, 1+r.IntN(64<<10)))
			for j := range data {
				data[j] = byte(r.Uint32())
			}
			size -= len(data)
			if err := os.WriteFile(filepath.Join(dir, "base", fmt.Sprint(i)), data, 0o600); err != nil {
				return err
			}
		}
		return nil
	}
}

// content is every file of a directory, with its mode.
func content(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.Type().IsRegular():
			data, err := os.ReadFile(path)
			out[name] = info.Mode().String() + " " + string(data)
			return err
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			out[name] = "link " + to
			return err
		}
		out[name] = info.Mode().String()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func golden(t testing.TB, s *snapshot.Store, key string, build func(context.Context, string) error) *snapshot.Golden {
	t.Helper()
	g, err := s.Golden(t.Context(), key, build)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func clone(t testing.TB, g *snapshot.Golden, id string) *snapshot.Clone {
	t.Helper()
	c, err := g.Clone(t.Context(), id, "owner of "+id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var made = []snapshot.Method{snapshot.Reflink, snapshot.Loopback, snapshot.Copy}

// TestClonesArePrivate writes to clones in every way that a server does, and
// looks at what the golden and the others have.
func TestClonesArePrivate(t *testing.T) {
	for _, m := range made {
		t.Run(string(m), func(t *testing.T) {
			s := openStore(t, m)
			g := golden(t, s, "shop", dataset(1, 1<<20))
			want := content(t, g.Path())
			var clones []*snapshot.Clone
			for i := range 3 {
				c := clone(t, g, fmt.Sprint("c", i))
				if c.Method != m {
					t.Fatalf("the clone is a %s, want a %s", c.Method, m)
				}
				if diff := cmp.Diff(want, content(t, c.Path)); diff != "" {
					t.Fatalf("a fresh clone differs from the golden:\n%s", diff)
				}
				clones = append(clones, c)
			}
			r := rand.New(rand.NewPCG(2, 0))
			for round := range 30 {
				at := r.IntN(len(clones))
				var others []map[string]string
				for _, c := range clones {
					others = append(others, content(t, c.Path))
				}
				scribble(t, r, clones[at].Path)
				for i, c := range clones {
					now := content(t, c.Path)
					if i == at {
						if cmp.Equal(others[i], now) {
							t.Fatalf("round %d: writing to clone %d changed nothing", round, i)
						}
						continue
					}
					if diff := cmp.Diff(others[i], now); diff != "" {
						t.Fatalf("round %d: writing to clone %d changed clone %d:\n%s", round, at, i, diff)
					}
				}
			}
			if diff := cmp.Diff(want, content(t, g.Path())); diff != "" {
				t.Errorf("writing to clones changed the golden:\n%s", diff)
			}
		})
	}
}

// scribble changes something below a directory.
func scribble(t *testing.T, r *rand.Rand, dir string) {
	t.Helper()
	path := filepath.Join(dir, "base", fmt.Sprint(r.IntN(10)))
	var err error
	switch r.IntN(4) {
	case 0:
		err = os.WriteFile(path, fmt.Append(nil, r.Uint64()), 0o600)
	case 1:
		err = os.WriteFile(filepath.Join(dir, fmt.Sprint("new", r.Uint64())), []byte("x"), 0o600)
	default:
		var f *os.File
		if f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			_, err = f.WriteAt(fmt.Append(nil, r.Uint64()), r.Int64N(32<<10))
			err = errors.Join(err, f.Sync(), f.Close())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSmallGoldensAreForOverlays(t *testing.T) {
	s, err := snapshot.Open(t.TempDir(), snapshot.Options{Methods: []snapshot.Method{snapshot.Overlay}, Small: small})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		size int
		want snapshot.Method
	}{{1 << 10, snapshot.Overlay}, {1 << 20, snapshot.Copy}} {
		g := golden(t, s, fmt.Sprint("g", test.size), dataset(1, test.size))
		c := clone(t, g, fmt.Sprint("c", test.size))
		if c.Method != test.want {
			t.Errorf("a clone of %d bytes is a %s, want a %s", test.size, c.Method, test.want)
		}
		if c.Method == snapshot.Overlay && c.Path != g.Path() {
			t.Errorf("an overlay is to lie on %s, want the golden at %s", c.Path, g.Path())
		}
	}
	all, err := snapshot.Clones(dirOf(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].ID != fmt.Sprint("c", 1<<20) {
		t.Errorf("the clones are %v, want the copy alone", all)
	}
}

// dirOf is a store's directory, by way of a golden.
func dirOf(t *testing.T, s *snapshot.Store) string {
	t.Helper()
	return filepath.Dir(golden(t, s, "where", dataset(1, 1)).Path())
}

func TestOneBuilds(t *testing.T) {
	s := openStore(t, snapshot.Copy)
	var builds atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			g, err := s.Golden(t.Context(), "shop", func(ctx context.Context, dir string) error {
				builds.Add(1)
				return dataset(1, 100<<10)(ctx, dir)
			})
			if err != nil {
				t.Error(err)
				return
			}
			g.Close()
		})
	}
	all.Wait()
	if got := builds.Load(); got != 1 {
		t.Errorf("it was built %d times, want once", got)
	}
}

// TestHalfAGolden has a builder that fails, and what a killed one leaves.
func TestHalfAGolden(t *testing.T) {
	dir := t.TempDir()
	s, err := snapshot.Open(dir, snapshot.Options{})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is on fire")
	_, err = s.Golden(t.Context(), "shop", func(_ context.Context, dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o600), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("Golden: %v, want the builder's error", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "shop*"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{filepath.Join(dir, "shop.lock")}; !cmp.Equal(left, want) {
		t.Errorf("a failed build leaves %v, want %v", left, want)
	}
	for _, name := range []string{"shop.building", "shop"} { // killed before its record, or without one
		if err := os.MkdirAll(filepath.Join(dir, name, "half"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	g := golden(t, s, "shop", dataset(1, 10))
	if _, err := os.Stat(filepath.Join(g.Path(), "half")); err == nil {
		t.Error("what a killed builder left is in the golden")
	}
}

func TestOwnersAreKept(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const nobody = 65534
	for _, m := range made {
		t.Run(string(m), func(t *testing.T) {
			s := openStore(t, m)
			g := golden(t, s, "shop", func(ctx context.Context, dir string) error {
				return errors.Join(dataset(1, 200<<10)(ctx, dir), os.Chown(dir, nobody, nobody), os.Chown(filepath.Join(dir, "base", "0"), nobody, 0))
			})
			c := clone(t, g, "c")
			for _, name := range []string{".", "PG_VERSION", "base/0"} {
				want, err := os.Stat(filepath.Join(g.Path(), name))
				if err != nil {
					t.Fatal(err)
				}
				got, err := os.Stat(filepath.Join(c.Path, name))
				if err != nil {
					t.Fatal(err)
				}
				if ownerOf(got) != ownerOf(want) {
					t.Errorf("%s belongs to %v, want %v", name, ownerOf(got), ownerOf(want))
				}
			}
			if st, err := os.Stat(c.Path); err != nil || ownerOf(st)[0] != nobody {
				t.Errorf("the clone belongs to %v (%v), want %d", st, err, nobody)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	for _, m := range made {
		t.Run(string(m), func(t *testing.T) {
			dir := placeFor(t, m)
			o := snapshot.Options{Methods: []snapshot.Method{m}, Small: small}
			s, err := snapshot.Open(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			g := golden(t, s, "shop", dataset(1, 1<<20))
			c := clone(t, g, "c")
			clone(t, g, "d")
			want := []snapshot.CloneInfo{
				{ID: "c", Owner: "owner of c", Golden: "shop", Method: m}, {ID: "d", Owner: "owner of d", Golden: "shop", Method: m},
			}
			got, err := snapshot.Clones(dir)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("clones (-want +got):\n%s", diff)
			}
			// Another store, as of another process, removes it, and again.
			other, err := snapshot.Open(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := other.Remove(t.Context(), "c"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := os.Stat(c.Path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the clone is still there: %v", err)
			}
			if err := errors.Join(s.Remove(t.Context(), "d"), other.Close(), s.Close()); err != nil {
				t.Error(err)
			}
			if got, err := snapshot.Clones(dir); err != nil || len(got) != 0 {
				t.Errorf("clones that are left: %v (%v)", got, err)
			}
		})
	}
}

func TestPrune(t *testing.T) {
	for _, m := range made {
		t.Run(string(m), func(t *testing.T) {
			dir := placeFor(t, m)
			now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
			s, err := snapshot.Open(dir, snapshot.Options{Methods: []snapshot.Method{m}, Small: small, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, key := range []string{"old", "used"} {
				golden(t, s, key, dataset(1, 100<<10)).Close()
			}
			c := clone(t, golden(t, s, "old", nil), "c")
			want := content(t, c.Path)
			now = now.Add(time.Hour)
			used := golden(t, s, "used", nil)
			infos, err := s.Goldens()
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range infos {
				if g.Size < 100<<10 || g.Files < 3 || g.Volume != (m == snapshot.Loopback) {
					t.Errorf("golden %+v, want its size, its files and its place", g)
				}
			}
			if len(infos) != 2 || !infos[1].Used.Equal(now) || !infos[0].Used.Before(now) {
				t.Fatalf("the goldens are %+v, want old and used, used just now", infos)
			}
			unused := func(g snapshot.GoldenInfo) bool { return g.Key == "old" || g.Key == "used" }
			if gone, err := s.Prune(t.Context(), unused); err != nil || len(gone) != 0 {
				t.Errorf("Prune removed %v (%v), while all are in use", gone, err)
			}
			used.Close()
			gone, err := s.Prune(t.Context(), func(g snapshot.GoldenInfo) bool { return g.Key == "used" })
			if err != nil || len(gone) != 1 || gone[0].Key != "used" {
				t.Errorf("Prune removed %v (%v), want the unused one", gone, err)
			}
			if diff := cmp.Diff(want, content(t, c.Path)); diff != "" {
				t.Errorf("pruning changed a clone:\n%s", diff)
			}
			built := false
			golden(t, s, "used", func(ctx context.Context, dir string) error {
				built = true
				return dataset(1, 10)(ctx, dir)
			})
			if !built {
				t.Error("a golden that was pruned is still there")
			}
		})
	}
}

func TestNames(t *testing.T) {
	s := openStore(t, snapshot.Copy)
	for _, name := range []string{"", "..", ".x", "a/b", "-x", "clones", "volume", "é", strings.Repeat("x", 300)} {
		if _, err := s.Golden(t.Context(), name, dataset(1, 1)); rehearse.KindOf(err) != rehearse.Invalid {
			t.Errorf("Golden(%q): %v, want an error of kind Invalid", name, err)
		}
		if err := s.Remove(t.Context(), name); rehearse.KindOf(err) != rehearse.Invalid {
			t.Errorf("Remove(%q): %v, want an error of kind Invalid", name, err)
		}
	}
}

func TestProbe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	var methods []snapshot.Method
	for _, c := range snapshot.Probe(dir) {
		methods = append(methods, c.Method)
		if c.Why == "" || c.Available != (c.Hint == "") {
			t.Errorf("%+v, want a reason, and a hint exactly where it is missing", c)
		}
	}
	if diff := cmp.Diff(snapshot.Methods(), methods); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
	if left, err := os.ReadDir(filepath.Dir(filepath.Dir(dir))); err != nil || len(left) != 0 {
		t.Errorf("a probe left %v (%v)", left, err)
	}
}
