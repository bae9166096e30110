package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/recipe"
	"github.com/rehearse-dev/rehearse/internal/snapshot"
)

// A database's data directory starts as a private copy of a golden one, which the
// image's own entrypoint has made, once for everything that its content depends on.
// The copy is an overlay that the engine mounts as a volume, a reflink or a plain
// copy. All of that takes a host whose files the engine and we share, and the right
// to read what the image's user has written there: root's.

// dataKind is a database whose data directory we know.
type dataKind struct {
	dir      func(env map[string]string) string
	building []string // appended to the command while a golden is built
	// client is the command that reads statements from its standard input.
	client func(recipe.Account) (args []string, env map[string]string)
	settle string // statements after the rows have come
}

var dataKinds = map[string]*dataKind{
	"postgres": {
		dir: func(env map[string]string) string {
			if dir := env["PGDATA"]; dir != "" {
				return dir
			}
			return "/var/lib/postgresql/data"
		},
		building: []string{"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_wal_size=4GB"},
		client: func(a recipe.Account) ([]string, map[string]string) {
			return []string{"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", a.User, "-d", a.Database}, nil
		},
		settle: "VACUUM (FREEZE, ANALYZE);\nCHECKPOINT;\n",
	},
	"mariadb": {
		dir: func(map[string]string) string { return "/var/lib/mysql" },
		client: func(a recipe.Account) ([]string, map[string]string) {
			program := "mariadb"
			if a.Engine == "mysql" {
				program = "mysql"
			}
			return []string{program, "-u", a.User, a.Database}, map[string]string{"MYSQL_PWD": a.Password}
		},
	},
}

// dataPlace is a service's data directory.
type dataPlace struct {
	kind   *dataKind // nil: none that we know
	dir    string    // in the container
	golden *snapshot.Golden
	clone  *snapshot.Clone
	volume string // an overlay over the golden
}

// covers says that a mount lies in the data directory, which has its own.
func (d *dataPlace) covers(target string) bool {
	if d.clone == nil && d.volume == "" {
		return false
	}
	return strings.HasPrefix(target, d.dir+"/") || inside(d.dir, target)
}

// inside says whether a data directory lies in what is mounted at a target: there,
// or in the directory above, where PostgreSQL's later images have their volume.
func inside(dir, target string) bool { return target == dir || target == path.Dir(dir) }

func (d *dataPlace) mount() *mount.Mount {
	switch {
	case d.volume != "":
		return &mount.Mount{Type: mount.TypeVolume, Source: d.volume, Target: d.dir, VolumeOptions: &mount.VolumeOptions{NoCopy: true}}
	case d.clone != nil:
		return &mount.Mount{Type: mount.TypeBind, Source: d.clone.Path, Target: d.dir}
	}
	return nil
}

// prepareData finds or builds what a service's data starts as, and copies it.
func (e *environment) prepareData(ctx context.Context, s *service) error {
	s.data.kind = dataKinds[s.spec.Recipe]
	if s.data.kind == nil {
		return nil
	}
	env := map[string]string{}
	for _, kv := range s.image.Config.Env {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	for k, v := range s.spec.Env {
		env[k] = v
	}
	s.data.dir = s.data.kind.dir(env)
	if s.spec.Data == nil && slices.ContainsFunc(s.spec.Mounts, func(w rehearse.Mount) bool { return w.OwnDisk && inside(s.data.dir, w.Target) }) {
		return nil // it lies where an experiment fills it, and no copy of a golden one can
	}
	if why := e.withoutGoldens(s); why != "" {
		if s.spec.Data == nil {
			return nil // its image makes its data each time, as Compose has it
		}
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("the dataset of service %q cannot be made here: %s", s.spec.Name, why),
			Hint: "Run as root beside a local engine, or use the process driver.",
		}
	}
	if s.data.golden == nil {
		if err := e.goldenFor(ctx, s); err != nil {
			return err
		}
	}
	if s.data.mount() != nil {
		return nil // of an attempt that failed later
	}
	return e.fork(ctx, s)
}

// withoutGoldens says why a service's data cannot start as a copy; empty when it
// can.
func (e *environment) withoutGoldens(s *service) string {
	switch {
	case !e.engine.local:
		return "the engine's files are not this host's"
	case e.engine.rootless || os.Getuid() != 0:
		return "the files of a container's user cannot be read"
	case s.spec.User != "":
		return "the service runs as a user of its own"
	case replicas(s.spec) > 1:
		return "several instances cannot share a data directory"
	}
	return ""
}

func (e *environment) snapshots() (*snapshot.Store, error) {
	e.storing.Lock()
	defer e.storing.Unlock()
	if e.store != nil {
		return e.store, nil
	}
	var err error
	e.store, err = snapshot.Open(e.o.dataDir(), snapshot.Options{Methods: []snapshot.Method{snapshot.Overlay, snapshot.Reflink, snapshot.Copy}})
	return e.store, err
}

func (o Options) dataDir() string { return filepath.Join(o.Cache, "volumes") }

// goldenFor finds or builds the golden data directory of a service.
func (e *environment) goldenFor(ctx context.Context, s *service) error {
	store, err := e.snapshots()
	if err != nil {
		return err
	}
	key, err := e.goldenKey(s)
	if err != nil {
		return err
	}
	s.data.golden, err = store.Golden(ctx, s.spec.Recipe+"-"+key, func(ctx context.Context, dir string) error {
		fmt.Fprintf(e.spec.Log, "%s: making its data directory, once\n", s.spec.Name)
		if err := e.buildGolden(ctx, s, dir); err != nil {
			return fmt.Errorf("make the data directory of %s: %w", s.spec.Name, err)
		}
		return nil
	})
	return err
}

// goldenKey is a hash of everything that the content depends on.
func (e *environment) goldenKey(s *service) (string, error) {
	// What says where telemetry goes also names the environment.
	env := slices.DeleteFunc(environ(s.spec.Env), func(v string) bool { return strings.HasPrefix(v, "OTEL_") })
	h := sha256.New()
	fmt.Fprintf(h, "1\x00%s\x00%s\x00%q\x00%q\x00%q\x00", s.image.ID, s.data.dir, env, s.spec.Entrypoint, s.spec.Command)
	for _, m := range s.spec.Mounts {
		if s.data.dir == m.Target {
			continue
		}
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00", m.Type, m.Target, m.Content)
		if m.Env != "" {
			fmt.Fprintf(h, "%s\x00", e.o.Getenv(m.Env))
		}
		if err := digestTree(h, m.Source); err != nil {
			return "", err
		}
	}
	for _, f := range s.spec.SQL {
		if err := digestTree(h, f); err != nil {
			return "", err
		}
	}
	if d := s.spec.Data; d != nil {
		for _, f := range append(slices.Clone(d.Before), d.After...) {
			if err := digestTree(h, f); err != nil {
				return "", err
			}
		}
		if e.spec.FillKey != nil {
			more, err := e.spec.FillKey(s.spec)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%q", more)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:24], nil
}

// digestTree adds the names and contents of a file, or of a directory's files.
func digestTree(h interface{ Write([]byte) (int, error) }, root string) error {
	if !filepath.IsAbs(root) {
		return nil // a volume's name
	}
	root, err := filepath.EvalSymlinks(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // whoever mounts it says so
	}
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			return nil // a directory, or nothing that could be read
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		// Another checkout of the same files makes the same data.
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		_, err = fmt.Fprintf(h, "%s\x00%x\x00", below, sum)
		return err
	})
}

// fork gives a service a fresh copy of its golden.
func (e *environment) fork(ctx context.Context, s *service) error {
	r := e.cloneRemnant(s)
	if err := e.spec.Journal.Intend(r); err != nil {
		return err
	}
	c, err := s.data.golden.Clone(ctx, r.Name, e.tenant().Owner())
	if err != nil {
		return err
	}
	if c.Method == snapshot.Overlay {
		if err := e.spec.Journal.Confirm(r, false); err != nil {
			return err
		}
		begun := time.Now()
		if s.data.volume, err = e.overlay(ctx, s, c.Path); err != nil {
			return err
		}
		c.Took = time.Since(begun)
	} else {
		s.data.clone = c
		if err := e.spec.Journal.Confirm(r, true); err != nil {
			return err
		}
	}
	e.fact(rehearse.Fact{
		Name: "data.clone." + string(s.spec.Name), Value: string(c.Method),
		Note: fmt.Sprintf("%s in %v", driver.Megabytes(s.data.golden.Size), c.Took.Round(100*time.Microsecond)),
	})
	return nil
}

// overlay makes a volume that shows the golden and keeps what is written in the
// environment's own directory.
func (e *environment) overlay(ctx context.Context, s *service, golden string) (string, error) {
	top := filepath.Join(e.spec.Dir, "data", string(s.spec.Name))
	if err := os.RemoveAll(top); err != nil {
		return "", err
	}
	upper, work := filepath.Join(top, "upper"), filepath.Join(top, "work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
	}
	// What is seen of the top directory itself is the upper one's.
	st, err := os.Stat(golden)
	if err != nil {
		return "", err
	}
	if owner, ok := st.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(upper, int(owner.Uid), int(owner.Gid)); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(upper, st.Mode().Perm()); err != nil {
		return "", err
	}
	r := e.volumeNamed(e.name("data-" + string(s.spec.Name)))
	if err := e.spec.Journal.Intend(r); err != nil {
		return "", err
	}
	e.mu.Lock()
	e.volumes[r.Name] = true
	e.mu.Unlock()
	making, stop := e.untilAbandoned(ctx) // as create
	defer stop()
	_, err = e.engine.api.VolumeCreate(making, client.VolumeCreateOptions{
		Name: r.Name, Driver: "local", Labels: e.labels(s.spec.Name, nil),
		DriverOpts: map[string]string{
			"type": "overlay", "device": "overlay",
			"o": fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", golden, upper, work),
		},
	})
	if err != nil {
		return "", fmt.Errorf("make a volume over the golden data of %s: %w", s.spec.Name, explain(err))
	}
	return r.Name, e.spec.Journal.Confirm(r, true)
}

func (e *environment) tenant() snapshot.Tenant {
	return snapshot.Tenant{Label: e.o.Label, Environment: e.spec.ID}
}

func (e *environment) cloneRemnant(s *service) driver.Remnant {
	return driver.Remnant{Environment: e.spec.ID, Kind: "clone", Name: e.tenant().Clone(s.spec.Name)}
}

// unfork throws a service's copy away. No container has it any more.
func (e *environment) unfork(ctx context.Context, s *service) error {
	if v := s.data.volume; v != "" {
		s.data.volume = ""
		e.mu.Lock()
		delete(e.volumes, v)
		e.mu.Unlock()
		if err := e.removeVolume(ctx, v); err != nil {
			return err
		}
	}
	c := s.data.clone
	s.data.clone = nil
	if c == nil {
		return nil
	}
	if err := e.store.Remove(ctx, c.ID); err != nil {
		return err
	}
	return e.spec.Journal.Confirm(e.cloneRemnant(s), false)
}

// removeData removes every copy, and lets go of the goldens. No container is left.
func (e *environment) removeData(ctx context.Context) error {
	var problems []error
	for _, s := range e.services {
		if s.data.clone != nil {
			problems = append(problems, e.unfork(ctx, s))
		}
		if s.data.golden != nil {
			s.data.golden.Close()
		}
	}
	if e.store != nil {
		problems = append(problems, e.store.Close())
	}
	return errors.Join(problems...)
}

// Reset gives a service that has ended its first data again: its containers are
// made anew, with fresh volumes.
func (e *environment) Reset(ctx context.Context, name rehearse.ServiceName) error {
	s, err := e.service(name)
	if err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	s.mu.Lock()
	p := s.proc
	s.mu.Unlock()
	if p != nil && len(p.alive()) > 0 {
		return fmt.Errorf("reset service %q: it is still running", name)
	}
	s.prepare.Lock()
	defer s.prepare.Unlock()
	if err := e.resetLocked(ctx, s); err != nil {
		return fmt.Errorf("reset service %q: %w", name, err)
	}
	return nil
}

func (e *environment) resetLocked(ctx context.Context, s *service) error {
	if err := e.removeInstances(ctx, s); err != nil {
		return err
	}
	if s.data.golden != nil {
		if err := e.unfork(ctx, s); err != nil {
			return err
		}
		if err := e.fork(ctx, s); err != nil {
			return err
		}
	}
	for _, m := range s.spec.Mounts {
		if m.Type != "volume" || e.sharesVolume(s, m.Source) || s.data.covers(m.Target) {
			continue
		}
		for number := 1; number == 1 || m.Anonymous && number <= replicas(s.spec); number++ {
			full := e.name("volume-" + volumeOf(m, number))
			e.mu.Lock()
			delete(e.volumes, full)
			e.mu.Unlock()
			if err := e.removeVolume(ctx, full); err != nil {
				return err
			}
		}
	}
	return e.makeInstances(ctx, s)
}

// sharesVolume says that another service mounts a volume, too.
func (e *environment) sharesVolume(s *service, volume string) bool {
	for _, other := range e.services {
		if other != s && slices.ContainsFunc(other.spec.Mounts, func(m rehearse.Mount) bool { return m.Type == "volume" && m.Source == volume }) {
			return true
		}
	}
	return false
}

// clones are those of our environments, whoever made them.
func (d *Driver) clones() ([]driver.Remnant, error) {
	all, err := snapshot.TenantClones(d.o.dataDir(), d.o.Label)
	var out []driver.Remnant
	for _, id := range slices.Sorted(maps.Keys(all)) {
		out = append(out, driver.Remnant{Environment: all[id].Environment, Kind: "clone", Name: id})
	}
	return out, err
}

func (d *Driver) removeClone(ctx context.Context, r driver.Remnant) error {
	return snapshot.RemoveTenantClone(ctx, d.o.dataDir(), snapshot.Tenant{Label: d.o.Label, Environment: r.Environment}, r.Name)
}
