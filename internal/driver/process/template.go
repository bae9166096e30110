package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// goldenFor finds or builds the data directory that a service starts from. It is
// built once for everything that its content depends on, in a jail like the
// service's own, and then only read.
func (e *environment) goldenFor(ctx context.Context, s *service, l *launch, t *recipe.Template) error {
	store, err := e.snapshots()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-e.closed:
			stop() // Close waits for us
		case <-ctx.Done():
		}
	}()
	key := s.spec.Recipe + "-" + shortHash(append(t.Key, e.templateOwner())...)
	g, err := store.Golden(ctx, key, func(ctx context.Context, dir string) error {
		fmt.Fprintf(e.spec.Log, "%s: making its data directory, once\n", s.spec.Name)
		if uid := plainUID(); uid != 0 {
			if err := os.Chown(dir, uid, uid); err != nil {
				return err
			}
		}
		b := &builder{e: e, s: s, launch: l, dir: dir}
		if err := t.Build(ctx, b); err != nil {
			return fmt.Errorf("make the data directory: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.data.Lock()
	defer s.data.Unlock()
	if e.isGone() {
		g.Close()
		return errGone
	}
	s.golden = g
	return nil
}

// templateOwner tells apart templates whose files belong to different users.
func (e *environment) templateOwner() string { return fmt.Sprint(os.Getuid(), plainUID()) }

// builder is the jail in which a template is built: the service's own, with the
// template in the place of the data directory.
type builder struct {
	e      *environment
	s      *service
	launch *launch
	dir    string
	runs   int
}

var _ recipe.Builder = (*builder)(nil)

func (b *builder) start(args []string, env map[string]string, out driver.Output) (*jailProcess, *launch, error) {
	b.runs++
	home, data, _, err := b.e.places(b.s.spec.Name)
	if err != nil {
		return nil, nil, err
	}
	l := *b.launch
	named := b.s.spec
	named.Env = nil
	l.args = args
	l.env = b.e.serviceEnv(named, home, l.uid, env)
	l.dir = "/"
	if b.e.tier == TierNamespaces {
		l.dir = jailRun
		l.mounts = append([]jailMount{{Kind: "bind", Source: b.dir, Target: jailData}}, l.mounts...)
	} else if err := linkData(data, b.dir); err != nil {
		return nil, nil, err
	}
	p, err := b.e.run(&l, jailRequest{name: b.network()}, out)
	return p, &l, err
}

// linkData puts the template where the service looks for its data. In a tier
// without mounts the data directory is a link while the template is built.
func linkData(data, template string) error {
	if to, err := os.Readlink(data); err == nil && to == template {
		return nil
	}
	if err := os.Remove(data); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(template, data)
}

// Run runs a command to its end.
func (b *builder) Run(ctx context.Context, args []string, env map[string]string) error {
	tail := &lastLines{}
	p, _, err := b.start(args, env, driver.Output{Stdout: tail, Stderr: tail})
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		_ = p.Kill()
		<-p.Done()
		return ctx.Err()
	}
	if x := p.Exit(); x.Code != 0 {
		return &rehearse.Error{Kind: rehearse.Internal, Msg: fmt.Sprintf("%s: %s", filepath.Base(args[0]), x.Reason), Hint: "It said:\n" + tail.String()}
	}
	return nil
}

// stopTime is what a server has to write down what it holds in memory.
const stopTime = 2 * time.Minute

// Serve runs a server while f runs.
func (b *builder) Serve(ctx context.Context, args []string, env map[string]string, f func(context.Context, recipe.Server) error) error {
	tail := &lastLines{}
	p, l, err := b.start(args, env, driver.Output{Stdout: tail, Stderr: tail})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		<-p.Done()
		cancel(fmt.Errorf("%s ended early: %s:\n%s", filepath.Base(args[0]), p.Exit().Reason, tail))
	}()
	err = f(ctx, recipe.Server{
		Dial: b.dial,
		Run: func(ctx context.Context, args []string, env map[string]string) error {
			said := &lastLines{}
			code, err := b.e.exec(ctx, p, l, driver.Command{Args: args, Env: env, Stdout: said, Stderr: said}, false)
			if err == nil && code != 0 {
				err = &rehearse.Error{Kind: rehearse.NotReady, Msg: fmt.Sprintf("%s: exit %d", filepath.Base(args[0]), code), Hint: "It said:\n" + said.String()}
			}
			return err
		},
	})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = errors.Join(err, cause)
	}
	_ = p.Signal(b.stopSignal())
	select {
	case <-p.Done():
	case <-time.After(stopTime):
		_ = p.Kill()
		<-p.Done()
		err = errors.Join(err, fmt.Errorf("%s did not stop in %v", filepath.Base(args[0]), stopTime))
	}
	return err
}

// dial connects to a port of the server, as the recipe knows it.
func (b *builder) dial(ctx context.Context, port int) (net.Conn, error) {
	if b.e.tier == TierNamespaces {
		return b.e.iso.dial(ctx, b.network(), port)
	}
	host, real := b.e.listenAddress(b.s, port)
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", net.JoinHostPort(host, strconv.Itoa(real)))
}

// network is the current run's own: a run never meets the one before.
func (b *builder) network() string { return fmt.Sprintf("%s.build%d", b.s.spec.Name, b.runs) }

// stopSignal is the image's own.
func (b *builder) stopSignal() os.Signal {
	r, ok := recipe.ByName(b.s.spec.Recipe)
	if !ok {
		return syscall.SIGTERM
	}
	return driver.Signal(r.StopSignal)
}
