package process

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// Prepare builds what a service needs: its program, or its data.
func (e *environment) Prepare(ctx context.Context, name rehearse.ServiceName) error {
	s, err := e.service(name)
	if err != nil {
		return err
	}
	s.prepare.Lock()
	defer s.prepare.Unlock()
	if s.launch != nil {
		return nil
	}
	var l *launch
	switch {
	case s.spec.Process != nil:
		l, err = e.prepareProcess(ctx, s)
	case s.spec.Recipe != "":
		l, err = e.prepareRecipe(ctx, s)
	default:
		err = &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q: nothing says how to start it without Docker", name),
			Hint: fmt.Sprintf("Add services.%s.process.command to rehearse.yaml.", name),
		}
	}
	if err != nil {
		return fmt.Errorf("prepare service %q: %w", name, err)
	}
	s.launch = l
	return nil
}

// places are a service's private directories as it sees them.
func (e *environment) places(name rehearse.ServiceName) (home, data, run string, err error) {
	if e.tier == TierNamespaces {
		return jailHome, jailData, jailRun, nil
	}
	work := e.work(name)
	home, data, run = filepath.Join(work, "home"), filepath.Join(work, "data"), filepath.Join(work, "run")
	for _, dir := range []string{home, data, run} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", "", "", err
		}
		if uid := plainUID(); uid != 0 {
			if err := os.Chown(dir, uid, uid); err != nil {
				return "", "", "", err
			}
		}
	}
	return home, data, run, nil
}

// work is where they lie in a tier without mounts.
func (e *environment) work(name rehearse.ServiceName) string {
	return filepath.Join(e.spec.Dir, "work", string(name))
}

func (e *environment) prepareProcess(ctx context.Context, s *service) (*launch, error) {
	p := s.spec.Process
	out, err := e.build(ctx, s)
	if err != nil {
		return nil, err
	}
	home, _, _, err := e.places(s.spec.Name)
	if err != nil {
		return nil, err
	}
	l := &launch{service: s.spec, dir: p.Dir, uid: ordinaryUser, gid: ordinaryUser}
	if uid, gid, ok := numericUser(s.spec.User); ok {
		l.uid, l.gid = uid, gid
	}
	own := map[string]string{}
	for k, v := range p.Env {
		if own[k], err = e.interpolate(s, out, v); err != nil {
			return nil, err
		}
	}
	l.env = e.serviceEnv(s.spec, home, l.uid, own)
	for _, a := range p.Command {
		a, err := e.interpolate(s, out, a)
		if err != nil {
			return nil, err
		}
		l.args = append(l.args, a)
	}
	if l.mounts, l.files, err = e.mountsOf(s.spec, func(string) bool { return false }); err != nil {
		return nil, err
	}
	if out != "" {
		l.mounts = append(l.mounts, jailMount{Kind: "bind", Source: out, Target: out, ReadOnly: true})
	}
	return l, nil
}

// mountsOf are the mounts of a service; in the tiers without a file system of
// its own they cannot be had, and the evidence says so.
func (e *environment) mountsOf(s rehearse.Service, skip func(string) bool) ([]jailMount, map[string]string, error) {
	mounts, files, err := composeMounts(s, func(name string) string { return lookupEnv(e.o.Env, name) }, skip)
	if err != nil || e.tier == TierNamespaces {
		return mounts, files, err
	}
	for _, m := range mounts {
		e.fact(rehearse.Fact{Name: "mount." + string(s.Name), Value: "missing", Note: fmt.Sprintf("tier %s cannot mount %s", e.tier, m.Target)})
	}
	return nil, nil, nil
}

// numericUser reads Compose's user where it is numbers. Names belong to the
// image's users, which do not exist here.
func numericUser(user string) (uid, gid int, ok bool) {
	u, g, hasGroup := strings.Cut(user, ":")
	if u == "root" {
		u = "0"
	}
	uid, err := strconv.Atoi(u)
	if err != nil {
		return 0, 0, false
	}
	gid = uid
	if hasGroup {
		if n, err := strconv.Atoi(g); err == nil {
			gid = n
		}
	}
	return uid, gid, true
}

func (e *environment) prepareRecipe(ctx context.Context, s *service) (*launch, error) {
	r, ok := recipe.ByName(s.spec.Recipe)
	if !ok || r.Launch == nil {
		return nil, fmt.Errorf("there is no recipe %q", s.spec.Recipe)
	}
	home, data, run, err := e.places(s.spec.Name)
	if err != nil {
		return nil, err
	}
	host, port := "0.0.0.0", r.Ports[0]
	if e.tier != TierNamespaces {
		host, port = e.listenAddress(s, port)
	}
	made, err := r.Launch(&recipe.Context{
		Service: s.spec, Data: data, Run: run, ListenHost: host, ListenPort: port,
		Find: func(program string, places ...string) (string, error) { return e.find(r, program, places) },
		In: func(program string, places ...string) (string, bool) {
			path := newest(program, places)
			return path, path != ""
		},
		Fetch:   func(pkg recipe.NPMPackage) (string, error) { return e.fetch(ctx, pkg) },
		Fill:    e.fill(s.spec),
		FillKey: e.fillKey(s.spec),
	})
	if err != nil {
		return nil, err
	}
	for _, f := range made.Findings {
		e.fact(f)
	}
	l := &launch{service: s.spec, args: made.Args, dir: data, uid: ordinaryUser, gid: ordinaryUser}
	named := s.spec
	named.Env = nil // a recipe's launch has read it
	l.env = e.serviceEnv(named, home, l.uid, made.Env)
	l.mounts, l.files, err = e.mountsOf(s.spec, func(target string) bool {
		for _, own := range made.Owns {
			if target == own || strings.HasPrefix(target, own+"/") {
				return true
			}
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	if l.files == nil {
		l.files = map[string]string{}
	}
	maps.Copy(l.files, made.Files)
	for _, dir := range made.Visible {
		l.mounts = append(l.mounts, jailMount{Kind: "bind", Source: dir, Target: dir, ReadOnly: true})
	}
	if e.tier != TierNamespaces {
		if err := writeFiles(l.files); err != nil {
			return nil, err
		}
	}
	if made.Template != nil {
		if err := e.goldenFor(ctx, s, l, made.Template); err != nil {
			return nil, err
		}
		if err := e.fork(ctx, s); err != nil {
			return nil, err
		}
		l.template = true
	}
	return l, nil
}

func writeFiles(files map[string]string) error {
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
		if uid := plainUID(); uid != 0 {
			if err := os.Chown(path, uid, uid); err != nil {
				return err
			}
		}
	}
	return nil
}
