package environment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// hostDriver is a driver that lists what a test says and notes what is removed.
type hostDriver struct {
	driver.Driver
	name string
	fail error // of Remove

	mu      sync.Mutex
	found   []driver.Remnant
	removed []driver.Remnant
}

func (d *hostDriver) Name() string { return d.name }

func (d *hostDriver) List(context.Context) ([]driver.Remnant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.found), nil
}

func (d *hostDriver) Remove(_ context.Context, r driver.Remnant) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	d.removed = append(d.removed, r)
	d.found = slices.DeleteFunc(d.found, func(f driver.Remnant) bool { return f == r })
	return nil
}

func newStore(t *testing.T) *environment.Store {
	t.Helper()
	return &environment.Store{Root: filepath.Join(t.TempDir(), "environments")}
}

// dead makes the entry of an environment whose process has died.
func dead(t *testing.T, s *environment.Store, id, meta, journal string) {
	t.Helper()
	dir := filepath.Join(s.Root, id)
	if err := os.MkdirAll(filepath.Join(dir, "place", "scratch"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"lock": "", "meta.json": meta, "journal.jsonl": journal} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func remnant(id, kind, name string) driver.Remnant {
	return driver.Remnant{Environment: rehearse.EnvironmentID(id), Kind: kind, Name: name}
}

// journalLine is a line as a living process writes it.
func journalLine(t *testing.T, intent, exists bool, r driver.Remnant) string {
	t.Helper()
	line, err := json.Marshal(map[string]any{"intent": intent, "exists": exists, "remnant": r})
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

func storeIsEmpty(t *testing.T, s *environment.Store) {
	t.Helper()
	if files, err := os.ReadDir(s.Root); err != nil || len(files) > 0 {
		t.Errorf("the store has left %v (%v)", files, err)
	}
}

// An environment whose meta.json was damaged can still be taken down: its socket
// tells that it stands.
func TestDamagedMeta(t *testing.T) {
	s := newStore(t)
	r, err := s.Create(environment.Meta{Project: "docgen", Purpose: environment.PurposeUp})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", r.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dead(t, s, "dead-x", "{", "")
	if err := os.WriteFile(filepath.Join(s.Root, string(r.ID), "meta.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	entries, err := s.List()
	if err != nil || len(entries) != 2 {
		t.Fatalf("got %v, %v", entries, err)
	}
	for _, e := range entries {
		if living := e.ID == r.ID; e.Alive != living || e.Stands() != living || e.Created.IsZero() {
			t.Errorf("got %+v", e)
		}
	}
}

func TestStore(t *testing.T) {
	now := time.Date(2026, 11, 22, 16, 12, 7, 0, time.UTC)
	s := newStore(t)
	s.Now = func() time.Time { now = now.Add(time.Second); return now }
	if entries, err := s.List(); err != nil || len(entries) > 0 {
		t.Errorf("before the first environment List gives %v (%v)", entries, err)
	}
	meta := environment.Meta{Project: "docgen", Dir: "/srv/docgen", Leg: "production", Driver: "process", Purpose: "up", Expires: now.Add(time.Hour)}
	first, err := s.Create(meta)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Create(meta)
	if err != nil {
		t.Fatal(err)
	}
	if first.ID == second.ID {
		t.Errorf("both are named %s", first.ID)
	}
	if st, err := os.Stat(first.Place()); err != nil || !st.IsDir() {
		t.Errorf("the driver's directory: %v", err)
	}
	got, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var want []environment.Entry
	for _, r := range []*environment.Record{first, second} {
		want = append(want, environment.Entry{Meta: r.Meta, Path: filepath.Join(s.Root, string(r.ID)), Alive: true})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if got[0].PID != os.Getpid() || got[0].Socket() != first.Socket() {
		t.Errorf("the first entry is %+v", got[0])
	}
	if removed, err := s.Collect(t.Context()); err != nil || len(removed) > 0 {
		t.Errorf("Collect removed %v (%v), where all are alive", removed, err)
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Error(err)
	}
	if got[0].StillAlive() {
		t.Error("an entry is alive after its record was closed")
	}
	storeIsEmpty(t, s)
}

// TestCloseKeepsWhatIsLeft closes the record of an environment that could not be
// taken down wholly.
func TestCloseKeepsWhatIsLeft(t *testing.T) {
	s := newStore(t)
	record, err := s.Create(environment.Meta{Project: "shop", Driver: "host"})
	if err != nil {
		t.Fatal(err)
	}
	stuck, gone := remnant(string(record.ID), "container", "stuck"), remnant(string(record.ID), "container", "gone")
	for _, r := range []driver.Remnant{stuck, gone} {
		if err := errors.Join(record.Intend(r), record.Confirm(r, true)); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(record.Place(), "secret")
	if err := errors.Join(os.WriteFile(secret, nil, 0o600), record.Confirm(gone, false), record.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(secret); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the environment's own files are there still (%v)", err)
	}
	entries, err := s.List()
	if err != nil || len(entries) != 1 || entries[0].Alive || entries[0].Project != "shop" {
		t.Fatalf("the store has %+v (%v), want a dead environment", entries, err)
	}
	d := &hostDriver{name: "host"}
	if _, err := s.Collect(t.Context(), d); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]driver.Remnant{stuck}, d.removed); diff != "" {
		t.Errorf("the driver removed (-want +got):\n%s", diff)
	}
	storeIsEmpty(t, s)
}

func TestCollect(t *testing.T) {
	s := newStore(t)
	living, err := s.Create(environment.Meta{Project: "living", Driver: "host"})
	if err != nil {
		t.Fatal(err)
	}
	dead(t, s, "shop-dead1", `{"driver":"host","project":"shop"}`,
		journalLine(t, true, true, remnant("shop-dead1", "container", "parent"))+
			journalLine(t, false, true, remnant("shop-dead1", "container", "parent"))+
			journalLine(t, true, true, remnant("shop-dead1", "container", "child"))+
			journalLine(t, true, true, remnant("shop-dead1", "container", "removed"))+
			journalLine(t, false, true, remnant("shop-dead1", "container", "removed"))+
			journalLine(t, false, false, remnant("shop-dead1", "container", "removed"))+
			`{"intent":true,"exists":true,"remnant":{"environment":"shop-dead1","kind":"contai`)
	dead(t, s, "shop-dead2", `{"driver":"elsewhere"}`, journalLine(t, true, true, remnant("shop-dead2", "pod", "web")))
	dead(t, s, "shop-dead3", `{"id":"shop-dead3","dri`, "")
	if err := os.Mkdir(filepath.Join(s.Root, "shop-dead4"), 0o755); err != nil { // all but removed
		t.Fatal(err)
	}
	d := &hostDriver{name: "host", found: []driver.Remnant{
		remnant(string(living.ID), "process", "1@1"),
		remnant("shop-dead3", "process", "2@2"),
		remnant("forgotten", "process", "3@3"), // its directory is gone
		remnant("shop-dead3", "cgroup", "group"),
	}}

	entries, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	alive := map[rehearse.EnvironmentID]bool{}
	for _, e := range entries {
		alive[e.ID] = e.Alive
	}
	if want := map[rehearse.EnvironmentID]bool{living.ID: true, "shop-dead1": false, "shop-dead2": false, "shop-dead3": false, "shop-dead4": false}; !cmp.Equal(alive, want) {
		t.Errorf("alive are %v, want %v", alive, want)
	}

	removed, err := s.Collect(t.Context(), d)
	if err != nil {
		t.Error(err)
	}
	slices.Sort(removed)
	want := []string{
		"cgroup group of shop-dead3",
		"environment shop-dead2", "environment shop-dead3", // of the others nothing else was left
		"process 2@2 of shop-dead3", "process 3@3 of forgotten",
	}
	if diff := cmp.Diff(want, removed); diff != "" {
		t.Errorf("Collect (-want +got):\n%s", diff)
	}
	// In the driver's order, and a child before its parent.
	wantRemnants := []driver.Remnant{
		remnant("shop-dead3", "process", "2@2"), remnant("forgotten", "process", "3@3"), remnant("shop-dead3", "cgroup", "group"),
		remnant("shop-dead1", "container", "child"), remnant("shop-dead1", "container", "parent"),
	}
	if diff := cmp.Diff(wantRemnants, d.removed); diff != "" {
		t.Errorf("the driver removed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]driver.Remnant{remnant(string(living.ID), "process", "1@1")}, d.found); diff != "" {
		t.Errorf("there is left (-want +got):\n%s", diff)
	}
	if removed, err := s.Collect(t.Context(), d); err != nil || len(removed) > 0 {
		t.Errorf("a second Collect removed %v (%v)", removed, err)
	}
	if err := living.Close(); err != nil {
		t.Error(err)
	}
	storeIsEmpty(t, s)
}

// TestCollectTriesAgain has a remnant that cannot be removed at first. What is
// known of it stays until it is gone.
func TestCollectTriesAgain(t *testing.T) {
	s := newStore(t)
	r := remnant("shop-dead1", "container", "web")
	dead(t, s, "shop-dead1", `{"driver":"host"}`, journalLine(t, true, true, r)+journalLine(t, true, true, remnant("shop-dead1", "container", "db")))
	d := &hostDriver{name: "host", fail: errors.New("busy")}
	if removed, err := s.Collect(t.Context(), d); !errors.Is(err, d.fail) || len(removed) > 0 || strings.Count(err.Error(), "busy") != 1 {
		t.Errorf("Collect removed %v (%v), want %v, said once", removed, err, d.fail)
	}
	d.fail = nil
	if removed, err := s.Collect(t.Context(), d); err != nil || len(removed) > 0 {
		t.Errorf("then Collect removed %v (%v)", removed, err)
	}
	if diff := cmp.Diff([]driver.Remnant{remnant("shop-dead1", "container", "db"), r}, d.removed); diff != "" {
		t.Errorf("the driver removed (-want +got):\n%s", diff)
	}
	storeIsEmpty(t, s)
}

// TestHalves has processes that died while they made an entry, long ago and just
// now, of which the second may as well be alive, and one that died while it removed one.
func TestHalves(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{".new-old", ".new-young", ".gone-young"} {
		if err := os.MkdirAll(filepath.Join(s.Root, name, "place"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(filepath.Join(s.Root, ".new-old"), old, old); err != nil {
		t.Fatal(err)
	}
	if entries, err := s.List(); err != nil || len(entries) > 0 {
		t.Errorf("List gives %v (%v)", entries, err)
	}
	if _, err := s.Collect(t.Context()); err != nil {
		t.Error(err)
	}
	files, err := os.ReadDir(s.Root)
	if err != nil || len(files) != 1 || files[0].Name() != ".new-young" {
		t.Errorf("there is left %v (%v), want .new-young", files, err)
	}
}

func TestCollectOne(t *testing.T) {
	s := newStore(t)
	for _, id := range []string{"shop-dead1", "shop-dead2"} {
		dead(t, s, id, `{"driver":"host"}`, journalLine(t, true, true, remnant(id, "container", "web")))
	}
	other := remnant("shop-dead2", "process", "2@2")
	d := &hostDriver{name: "host", found: []driver.Remnant{remnant("shop-dead1", "process", "1@1"), other}}
	removed, err := s.CollectOne(t.Context(), "shop-dead1", d)
	if diff := cmp.Diff([]string{"process 1@1 of shop-dead1", "environment shop-dead1"}, removed); err != nil || diff != "" {
		t.Errorf("CollectOne (-want +got): %s (%v)", diff, err)
	}
	if diff := cmp.Diff([]driver.Remnant{other}, d.found); diff != "" {
		t.Errorf("there is left (-want +got):\n%s", diff)
	}
	entries, err := s.List()
	if err != nil || len(entries) != 1 || entries[0].ID != "shop-dead2" {
		t.Errorf("the store has %v (%v), want shop-dead2 alone", entries, err)
	}
}

// TestAwaitEnd waits for the end of an environment, and sees it neither before it has
// come nor, half removed, as that of a killed one.
func TestAwaitEnd(t *testing.T) {
	s := newStore(t)
	var all sync.WaitGroup
	for range 20 {
		record, err := s.Create(environment.Meta{Project: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		e := environment.Entry{Meta: record.Meta, Path: filepath.Join(s.Root, string(record.ID)), Alive: true}
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.AwaitEnd(impatient); !errors.Is(err, context.Canceled) {
			t.Errorf("of one that lives: %v, want %v", err, context.Canceled)
		}
		all.Go(func() {
			if err := e.AwaitEnd(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(e.Path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it has ended, and its directory is there (%v)", err)
			}
		})
		all.Go(func() {
			if err := record.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	storeIsEmpty(t, s)
}

// TestCollectAfterEnd has processes die who had a lock and left something. Who waited
// for their end finds them dead.
func TestCollectAfterEnd(t *testing.T) {
	s := newStore(t)
	d := &hostDriver{name: "host"}
	for i := range 100 {
		id := fmt.Sprint("shop-dying", i)
		dead(t, s, id, `{"driver":"host"}`, journalLine(t, true, true, remnant(id, "container", "web")))
		e := environment.Entry{Meta: environment.Meta{ID: rehearse.EnvironmentID(id)}, Path: filepath.Join(s.Root, id)}
		lock, err := os.OpenFile(filepath.Join(e.Path, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
		if err == nil {
			err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !e.StillAlive() {
			t.Fatal("it is dead before its process")
		}
		go lock.Close()
		if err := e.AwaitEnd(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CollectOne(t.Context(), e.ID, d); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(e.Path); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s is there still (%v)", id, err)
		}
	}
	if len(d.removed) != 100 {
		t.Errorf("the driver removed %d things, want 100", len(d.removed))
	}
}

// TestCollectorsAndCreators has environments come and go, and many of them dead,
// while several collectors look. Nobody's living environment is touched, and
// what the dead have left is removed once.
func TestCollectorsAndCreators(t *testing.T) {
	s := newStore(t)
	const corpses = 20
	for i := range corpses {
		id := fmt.Sprint("shop-dead", i)
		dead(t, s, id, `{"driver":"host"}`, journalLine(t, true, true, remnant(id, "container", "web")))
	}
	d := &hostDriver{name: "host"}
	var all sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		all.Go(func() {
			for {
				if _, err := s.Collect(t.Context(), d); err != nil {
					t.Error(err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	var creators sync.WaitGroup
	for range 3 {
		creators.Go(func() {
			for range 30 {
				r, err := s.Create(environment.Meta{Project: "living", Driver: "host"})
				if err != nil {
					t.Error(err)
					continue
				}
				if err := r.Intend(remnant(string(r.ID), "container", "web")); err != nil {
					t.Error(err)
				}
				if _, err := os.Stat(r.Place()); err != nil {
					t.Errorf("a living environment was touched: %v", err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	creators.Wait()
	close(done)
	all.Wait()
	times := map[rehearse.EnvironmentID]int{}
	for _, r := range d.removed {
		times[r.Environment]++
	}
	for i := range corpses {
		id := rehearse.EnvironmentID(fmt.Sprint("shop-dead", i))
		if times[id] != 1 {
			t.Errorf("what %s has left was removed %d times", id, times[id])
		}
		delete(times, id)
	}
	if len(times) > 0 {
		t.Errorf("things of living environments were removed: %v", times)
	}
	storeIsEmpty(t, s)
}
