package process

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// build runs a service's build command, unless nothing has changed since it last
// succeeded, and returns the directory that ${out} stands for; empty when the
// service has no build.
//
// What the build made is addressed by what went into it: the command, and the
// name, size and time of every file in the directory. A build that does not use
// ${out} writes who knows where, and so runs every time.
func (e *environment) build(ctx context.Context, s *service) (string, error) {
	p := s.spec.Process
	if len(p.Build) == 0 {
		return "", nil
	}
	cached := slices.ContainsFunc(slices.Concat(p.Build, p.Command), func(a string) bool { return strings.Contains(a, "${out}") })
	key, err := buildKey(p)
	if err != nil {
		return "", err
	}
	home := filepath.Join(e.o.Cache, "builds", string(s.spec.Name)+"-"+shortHash(p.Dir))
	out := filepath.Join(home, key)
	unlock, err := lock(ctx, home+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	stamp := filepath.Join(out, ".built")
	if _, err := os.Stat(stamp); err == nil && cached {
		now := time.Now() // by which it is known to be in use
		return out, os.Chtimes(out, now, now)
	}
	pruneBuilds(home)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", err
	}
	args := make([]string, len(p.Build))
	for i, a := range p.Build {
		args[i] = strings.ReplaceAll(a, "${out}", out)
	}
	program, err := e.lookHost(args[0], p.Dir)
	if err != nil {
		return "", &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("the build of %q needs %s, which is not on this host", s.spec.Name, args[0]),
			Hint: "Install it, or correct services." + string(s.spec.Name) + ".process.build in rehearse.yaml.",
		}
	}
	cmd := exec.CommandContext(ctx, program, args[1:]...)
	e.contain(cmd)
	cmd.Dir = p.Dir
	tail := &lastLines{next: e.spec.Log}
	cmd.Stdout, cmd.Stderr = tail, tail
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", &rehearse.Error{
			Kind: rehearse.NotReady, Msg: fmt.Sprintf("build %q with %s", s.spec.Name, strings.Join(p.Build, " ")), Err: err,
			Hint: "The build said:\n" + tail.String(),
		}
	}
	return out, os.WriteFile(stamp, nil, 0o644)
}

// contain makes a command of the host end with all that it started, and be known
// to gc.
func (e *environment) contain(cmd *exec.Cmd) {
	cmd.Env = slices.Concat(e.o.Env, e.labels())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second // for what has left the group and holds the output
}

// lookHost finds a program as the user's shell would.
func (e *environment) lookHost(name, dir string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		_, err := os.Stat(name)
		return name, err
	}
	for d := range strings.SplitSeq(lookupEnv(e.o.Env, "PATH"), string(filepath.ListSeparator)) {
		file := filepath.Join(d, name)
		if st, err := os.Stat(file); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", exec.ErrNotFound
}

// buildKey is the address of a build's result.
func buildKey(p *rehearse.Process) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", p.Build)
	err := filepath.WalkDir(p.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if path != p.Dir && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "__pycache__") {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d %d %v\n", path, info.Size(), info.ModTime().UnixNano(), info.Mode())
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("look at what is to be built: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:10]), nil
}

// pruneBuilds removes results that no environment can be using any more.
func pruneBuilds(home string) {
	entries, _ := os.ReadDir(home)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > 7*24*time.Hour {
			_ = os.RemoveAll(filepath.Join(home, entry.Name())) // the next build tries again
		}
	}
}

func shortHash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:10])
}

// lastLines passes output on and remembers its end.
type lastLines struct {
	next interface{ Write([]byte) (int, error) }

	mu   sync.Mutex
	tail []byte
}

const tailBytes = 2 << 10

func (l *lastLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, b...)
	if len(l.tail) > 2*tailBytes {
		l.tail = slices.Clone(l.tail[len(l.tail)-tailBytes:])
	}
	if l.next == nil {
		return len(b), nil
	}
	return l.next.Write(b)
}

// String is the last lines, indented.
func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	tail := l.tail
	if len(tail) > tailBytes {
		tail = tail[len(tail)-tailBytes:]
	}
	return "  " + strings.ReplaceAll(strings.TrimSpace(string(tail)), "\n", "\n  ")
}
