package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A jail is the file system that a service sees: the host's, read-only, at the
// same paths, with what no service should see taken out, and with private,
// writable places where a container would have them.
//
//	/usr /bin /lib /etc /opt …   the host's, read-only
//	/root /home                  empty, but for the mounts below
//	/tmp /var/tmp /run /dev/shm  empty, writable
//	/dev /proc                   minimal, own
//	/rehearse/{home,data,run}    writable, of the environment
//	/etc/{hosts,passwd,…}        the service's own
//	mounts                       the project, volumes, configs and secrets
//
// hidden are top-level directories of which a jail has its own or none.
var hidden = []string{"proc", "sys", "dev", "tmp", "run", "root", "home", "boot", "lost+found", "rehearse"}

// makeJail builds the jail and makes it the calling process's root. It runs in
// a fresh mount namespace, which nobody else sees.
func makeJail(spec jailSpec) error {
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	j := &jail{spec: spec, root: filepath.Join(spec.Work, "root")}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, step := range []func() error{
		j.fresh, j.skeleton, j.devices, j.private, j.runFiles, j.mounts, j.dataFiles, j.etc, j.enter,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

type jail struct {
	spec jailSpec
	root string // the new root while it is being built
}

func (j *jail) in(path string) string { return filepath.Join(j.root, path) }

// skeleton puts the host's top-level directories on an empty root, read-only.
func (j *jail) skeleton() error {
	if err := os.MkdirAll(j.root, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("rehearse", j.root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount the jail's root: %w", err)
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := "/" + e.Name()
		switch {
		case slices.Contains(hidden, e.Name()):
		case e.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			if err := os.Symlink(to, j.in(path)); err != nil {
				return err
			}
		case e.IsDir():
			if err := j.bind(path, path, true); err != nil {
				// A directory that we may not even look at is no loss.
				if !errors.Is(err, unix.EACCES) {
					return err
				}
			}
		}
	}
	for _, dir := range []string{"proc", "sys", "dev", "root", "home", "run"} {
		if err := os.MkdirAll(j.in(dir), 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("proc", j.in("proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, path := range []string{"/proc/sys", "/proc/irq", "/proc/bus", "/proc/sysrq-trigger"} {
		if _, err := os.Stat(j.in(path)); err != nil {
			continue
		}
		if err := bindMount(j.in(path), j.in(path), true); err != nil {
			return err
		}
	}
	return j.bind("/sys", "/sys", true)
}

// devices makes the few device files that programs count on.
func (j *jail) devices() error {
	if err := unix.Mount("rehearse", j.in("dev"), "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		target := j.in("/dev/" + name)
		if err := os.WriteFile(target, nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+name, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind /dev/%s: %w", name, err)
		}
	}
	for name, to := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(to, j.in("/dev/"+name)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(j.in("/dev/pts"), 0o755); err != nil {
		return err
	}
	if err := unix.Mount("devpts", j.in("/dev/pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	return j.tmpfs("/dev/shm")
}

// fresh forgets what an earlier jail of the service wrote into its data directory
// and the layer over it.
func (j *jail) fresh() error {
	if !j.spec.Fresh {
		return nil
	}
	var problems []error
	for _, name := range []string{"data", "data.upper", "data.work"} {
		problems = append(problems, os.RemoveAll(filepath.Join(j.spec.Work, writtenDir, name)))
	}
	return errors.Join(problems...)
}

// private makes the writable places.
func (j *jail) private() error {
	for _, dir := range []string{"/tmp", "/var/tmp", "/run"} {
		if _, err := os.Lstat(j.in(filepath.Dir(dir))); err != nil {
			continue
		}
		if err := j.tmpfs(dir); err != nil {
			return err
		}
	}
	for name, dir := range map[string]string{"home": jailHome, writtenDir + "/data": jailData, "run": jailRun} {
		if err := j.keep(name, dir); err != nil {
			return err
		}
	}
	return nil
}

// keep binds a directory of the environment's scratch space that outlives a
// restart of the service.
func (j *jail) keep(name, target string) error {
	source := filepath.Join(j.spec.Work, name)
	if err := j.mkdirOwned(source); err != nil {
		return err
	}
	if err := os.MkdirAll(j.in(target), 0o755); err != nil {
		return err
	}
	return bindMount(source, j.in(target), false)
}

func (j *jail) mkdirOwned(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chown(dir, j.spec.HostUID, j.spec.HostGID)
}

func (j *jail) tmpfs(target string) error {
	if err := j.point(target, true); err != nil {
		return err
	}
	if err := unix.Mount("rehearse", j.in(target), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}

// bind shows a host path at a place in the jail.
func (j *jail) bind(source, target string, readOnly bool) error {
	st, err := os.Stat(source)
	if err != nil {
		return err
	}
	if err := j.point(target, st.IsDir()); err != nil {
		return err
	}
	return bindMount(source, j.in(target), readOnly)
}

// bindMount binds recursively: inside a user namespace the kernel refuses to
// uncover what lies below a mount point.
func bindMount(source, target string, readOnly bool) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s: %w", source, err)
	}
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID}
	if readOnly {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, attr); err != nil {
		return fmt.Errorf("make %s read-only: %w", source, err)
	}
	return nil
}

// point makes sure that something can be mounted at a place in the jail. Where
// the place lies in a read-only directory and does not exist, that directory
// gets a private layer for the mount point to be made in, as a container's file
// system would have.
func (j *jail) point(target string, dir bool) error {
	path := j.in(target)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	parent := filepath.Dir(path)
	err := os.MkdirAll(parent, 0o755)
	if err == nil {
		err = makePoint(path, dir)
	}
	if !errors.Is(err, unix.EROFS) && !errors.Is(err, unix.EACCES) {
		return err
	}
	for {
		if st, err := os.Stat(parent); err == nil && st.IsDir() {
			break
		}
		parent = filepath.Dir(parent)
	}
	if err := j.overlay(parent, parent, "layer"+strings.ReplaceAll(strings.TrimPrefix(parent, j.root), "/", "-"), 0, 0); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make a place for %s: %w", target, err)
	}
	return makePoint(path, dir)
}

func makePoint(path string, dir bool) error {
	if dir {
		return os.MkdirAll(path, 0o755)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// overlay mounts a copy-on-write layer of the directory lower at target, both as
// they are named now. Writes go to scratch.
func (j *jail) overlay(lower, target, name string, uid, gid int) error {
	upper := filepath.Join(j.spec.Work, name+".upper")
	work := filepath.Join(j.spec.Work, name+".work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	st, err := os.Stat(lower)
	if err != nil {
		return err
	}
	// The merged directory's own mode and owner are the upper's.
	if err := errors.Join(os.Chmod(upper, st.Mode().Perm()), os.Chown(upper, uid, gid)); err != nil {
		return err
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", escapeOverlay(lower), escapeOverlay(upper), escapeOverlay(work))
	// In a user namespace overlayfs may not use trusted extended attributes.
	err = unix.Mount("overlay", target, "overlay", unix.MS_NOSUID|unix.MS_NODEV, options+",userxattr")
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("overlay", target, "overlay", unix.MS_NOSUID|unix.MS_NODEV, options)
	}
	if err != nil {
		return fmt.Errorf("mount a layer over %s: %w", strings.TrimPrefix(target, j.root), err)
	}
	return nil
}

func escapeOverlay(path string) string {
	return strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`).Replace(path)
}

// mounts brings in the project, volumes, configs and secrets.
func (j *jail) mounts() error {
	for i, m := range j.spec.Mounts {
		if err := j.mount(i, m); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	return nil
}

func (j *jail) mount(i int, m jailMount) error {
	switch m.Kind {
	case "bind":
		return j.bind(m.Source, m.Target, m.ReadOnly)
	case "file":
		return j.bind(j.in(m.Source), m.Target, m.ReadOnly)
	case "tmpfs":
		return j.tmpfs(m.Target)
	case "hide":
		return j.hide(m.Target)
	case "volume":
		dir := filepath.Join(filepath.Dir(j.spec.Work), volumesDir, m.Keep)
		if err := j.mkdirOwned(dir); err != nil {
			return err
		}
		return j.bind(dir, m.Target, m.ReadOnly)
	case "data":
		err := j.overlay(m.Source, j.in(m.Target), writtenDir+"/data", j.spec.HostUID, j.spec.HostGID)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENODEV) {
			return copyTemplate(m.Source, j.in(m.Target), j.spec.HostUID, j.spec.HostGID)
		}
		return err
	case "device":
		return j.device(m)
	case "cow":
		if err := j.bind(m.Source, m.Target, true); err != nil {
			return err
		}
		// Where the layer cannot be had the directory stays read-only.
		st, err := os.Stat(m.Source)
		if err != nil {
			return err
		}
		uid, gid := ownerOf(st)
		if err := j.overlay(m.Source, j.in(m.Target), fmt.Sprintf("cow%d", i), uid, gid); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EPERM) {
			return err
		}
		return nil
	}
	return fmt.Errorf("internal error: mount of kind %q", m.Kind)
}

// device shows a directory of a file system that is mounted nowhere else. The
// rest of it cannot be reached from the jail.
func (j *jail) device(m jailMount) error {
	at := filepath.Join(j.spec.Work, "volume")
	if err := os.MkdirAll(at, 0o700); err != nil {
		return err
	}
	if err := unix.Mount(m.Source, at, m.FS, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME, ""); err != nil {
		return fmt.Errorf("mount %s: %w", m.Source, err)
	}
	return errors.Join(bindMount(filepath.Join(at, m.Keep), j.in(m.Target), false), unix.Unmount(at, unix.MNT_DETACH))
}

// hide covers a path with nothing. What is mounted below it afterwards can be
// seen.
func (j *jail) hide(path string) error {
	st, err := os.Stat(j.in(path))
	if err != nil {
		return nil // not there, or not for us to see: nothing to hide
	}
	if st.IsDir() {
		err = unix.Mount("rehearse", j.in(path), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
	} else {
		err = unix.Mount(j.in("/dev/null"), j.in(path), "", unix.MS_BIND, "")
	}
	if err != nil {
		return fmt.Errorf("hide %s: %w", path, err)
	}
	return nil
}

// etc gives the service its own names and users.
func (j *jail) etc() error {
	dir := filepath.Join(j.spec.Work, "etc")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// First all the places: making one may cover what is mounted in /etc.
	for name := range j.spec.EtcFiles {
		if _, err := os.Readlink(j.in("/etc/" + name)); err == nil {
			continue
		}
		if err := j.point("/etc/"+name, false); err != nil {
			return err
		}
	}
	for name, content := range j.spec.EtcFiles {
		source := filepath.Join(dir, name)
		if err := os.WriteFile(source, []byte(content), 0o644); err != nil {
			return err
		}
		target := j.in("/etc/" + name)
		// A link into /run, where resolvers like to put theirs, leads to our own
		// empty /run: make the file there.
		if to, err := os.Readlink(target); err == nil {
			if !filepath.IsAbs(to) {
				to = filepath.Join("/etc", to)
			}
			if err := os.MkdirAll(filepath.Dir(j.in(to)), 0o755); err != nil {
				continue
			}
			if err := os.WriteFile(j.in(to), []byte(content), 0o644); err != nil {
				continue
			}
			continue
		}
		if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("replace /etc/%s: %w", name, err)
		}
	}
	return nil
}

// runFiles writes the files that mounts may refer to.
func (j *jail) runFiles() error { return j.files(jailRun) }

// dataFiles writes the files that lie over a template.
func (j *jail) dataFiles() error { return j.files(jailData) }

// files writes what the launch asked for below a private place.
func (j *jail) files(place string) error {
	for path, content := range j.spec.Files {
		if !strings.HasPrefix(path, place+"/") {
			continue
		}
		target := j.in(path)
		for dir := filepath.Dir(path); dir != place; dir = filepath.Dir(dir) {
			if err := j.mkdirOwned(j.in(dir)); err != nil {
				return fmt.Errorf("write %s: %w", path, err)
			}
		}
		if err := os.WriteFile(target, []byte(content), 0o600); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if err := os.Chown(target, j.spec.HostUID, j.spec.HostGID); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return nil
}

// enter makes the jail the root and lets go of the host's.
func (j *jail) enter() error {
	if err := os.Chdir(j.root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("enter the jail: %w", err)
	}
	// The old root lies on top of the new one now; see pivot_root(2).
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the host's root: %w", err)
	}
	// The skeleton itself becomes read-only; the writable places lie on it.
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("make the jail's root read-only: %w", err)
	}
	return os.Chdir("/")
}
