package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/podman"
)

// engine is a container engine that has answered. Its methods may be called at
// once from several goroutines.
type engine struct {
	api                 *client.Client
	host                string // as in "unix:///var/run/docker.sock"
	from                string // who names it, as in "DOCKER_HOST"; empty when it was found
	version, apiVersion string // apiVersion is the one agreed upon
	os, arch            string // of its containers, in Go's words
	// local says that its containers run on our kernel: sockets can be passed
	// from them to us, and a bind mount is a directory that we see.
	local    bool
	rootless bool
	podman   bool

	at      endpoint
	context string // docker's context, if it was named by one
	info    system.Info

	pulls keyed // by image reference, and by what is built
	mu    sync.Mutex
	fresh map[string]bool // references that policy "always" has pulled
	link  string          // the fact about the link container's image; empty until there is one
}

// How long an engine may take for its first answer, and for saying what it is.
const (
	pingTimeout = 3 * time.Second
	sshTimeout  = 15 * time.Second // a shell on the far host comes first
	infoTimeout = time.Minute      // Podman asks the host's package manager about its parts
)

// connect finds the engine that docker's own command line would speak to, or the
// first of the usual ones that answers. Every error of it has a hint.
func connect(ctx context.Context, o endpoint) (*engine, error) {
	candidates, err := o.candidates()
	if err != nil {
		return nil, err
	}
	var silent []string
	var failed error
	for _, c := range candidates {
		e, err := open(ctx, o, c)
		switch {
		case err == nil:
			return e, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case c.from == "" && isSilent(err):
			silent = append(silent, strings.TrimPrefix(c.host, "unix://"))
		case failed == nil:
			failed = err
		}
	}
	if failed != nil {
		return nil, failed
	}
	return nil, &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: "no container engine answers",
		Hint: fmt.Sprintf("Nothing listens at %s. Start Docker or Podman, or say in DOCKER_HOST or with `docker context use` where one runs.", strings.Join(silent, ", ")),
	}
}

// open speaks to one candidate.
func open(ctx context.Context, o endpoint, c candidate) (_ *engine, err error) {
	e := &engine{host: c.host, from: c.from, context: c.context, at: o, fresh: map[string]bool{}}
	timeout := pingTimeout
	if strings.HasPrefix(c.host, "ssh://") {
		timeout = sshTimeout
	}
	pinging, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if e.api, err = dial(pinging, o, c); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = e.api.Close()
		}
	}()
	ping, err := e.api.Ping(pinging, client.PingOptions{NegotiateAPIVersion: true})
	switch {
	case err != nil && ping.APIVersion != "":
		return nil, &rehearse.Error{
			Kind: rehearse.Unavailable, Err: err,
			Msg:  fmt.Sprintf("the engine at %s is too old: it speaks API %s, and %s is the oldest that rehearse speaks", c.host, ping.APIVersion, client.MinAPIVersion),
			Hint: "Update the engine: Docker 19.03 is the first that is new enough.",
		}
	case err != nil:
		return nil, c.unanswered(ctx, err)
	case ping.OSType == "windows":
		return nil, &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("the engine at %s runs Windows containers", c.host),
			Hint: "Switch it to Linux containers: in Docker Desktop's menu, or with `DockerCli.exe -SwitchLinuxEngine`.",
		}
	}
	e.apiVersion = e.api.ClientVersion()
	asking, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	if err := e.ask(asking); err != nil {
		return nil, c.unanswered(ctx, err)
	}
	if e.podman && strings.HasPrefix(e.host, "unix://") {
		_ = e.api.Close()
		e.api, err = podman.Client(e.host, e.apiVersion)
	}
	return e, err
}

// ask learns what kind of engine it is.
func (e *engine) ask(ctx context.Context) error {
	var (
		version   client.ServerVersionResult
		unversion error
		both      sync.WaitGroup
	)
	both.Go(func() { version, unversion = e.api.ServerVersion(ctx, client.ServerVersionOptions{}) })
	info, err := e.api.Info(ctx, client.InfoOptions{})
	both.Wait()
	if err := errors.Join(unversion, err); err != nil {
		return err
	}
	e.info, e.version, e.os, e.arch = info.Info, version.Version, version.Os, goarch(version.Arch)
	e.podman = podman.Is(version)
	for _, option := range e.info.SecurityOptions {
		e.rootless = e.rootless || strings.HasPrefix(option, "name=rootless")
	}
	if path, ok := strings.CutPrefix(e.host, "unix://"); ok && e.podman {
		// Which does not say it, and listens as the user that it runs as.
		st, err := os.Stat(path)
		if err != nil {
			return err
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		e.rootless = ok && sys.Uid != 0
	}
	e.local = strings.HasPrefix(e.host, "unix://") && runtime.GOOS == "linux" && e.info.OperatingSystem != "Docker Desktop" &&
		e.info.KernelVersion == kernel()
	return nil
}

// kernel is the release of the kernel that we run on. An engine whose socket lies
// on this host may run in a virtual machine all the same, on a kernel of its own.
func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// goarch gives Go's word for an architecture.
func goarch(arch string) string {
	switch arch {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return arch
}

// facts say what the engine is, as far as it bears on what runs there.
func (e *engine) facts() []rehearse.Fact {
	name := "Docker"
	if e.podman {
		name = "Podman"
	}
	at := e.host
	if e.from != "" {
		at += ", from " + e.from
	}
	facts := []rehearse.Fact{
		{Name: "engine", Value: name + " " + e.version, Note: at},
		{Name: "engine.api", Value: e.apiVersion},
		{Name: "engine.platform", Value: e.os + "/" + e.arch, Note: e.info.OperatingSystem + ", kernel " + e.info.KernelVersion},
		{Name: "engine.storage", Value: e.info.Driver},
		{Name: "engine.cgroups", Value: "version " + e.info.CgroupVersion, Note: e.info.CgroupDriver},
		e.limitsFact(),
		{Name: "engine.rootless", Value: yesNo(e.rootless)},
		{Name: "engine.kernel", Value: map[bool]string{true: "this host's", false: "another"}[e.local]},
	}
	if len(e.info.SecurityOptions) > 0 {
		var options []string
		for _, o := range e.info.SecurityOptions {
			options = append(options, strings.TrimPrefix(strings.Split(o, ",")[0], "name="))
		}
		facts = append(facts, rehearse.Fact{Name: "engine.security", Value: strings.Join(options, ", ")})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.link != "" {
		facts = append(facts, rehearse.Fact{Name: "engine.link", Value: e.link})
	}
	return facts
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// environ is the environment of docker's own plugins, so that they speak to the
// same engine.
func (e *engine) environ(base []string) []string {
	env := append(base, "PATH="+e.at.Path, "DOCKER_CONFIG="+e.at.Config)
	if e.context != "" {
		return append(env, "DOCKER_HOST=", "DOCKER_CONTEXT="+e.context)
	}
	return append(env, "DOCKER_HOST="+e.host, "DOCKER_CONTEXT=")
}

// keyed are locks by name, so that one thing is fetched or made once at a time.
type keyed struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when it is given back
}

// lock waits for the lock of a name. The caller gives it back by the function.
func (k *keyed) lock(ctx context.Context, name string) (unlock func(), err error) {
	for {
		k.mu.Lock()
		held, ok := k.held[name]
		if !ok {
			mine := make(chan struct{})
			if k.held == nil {
				k.held = map[string]chan struct{}{}
			}
			k.held[name] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.held, name)
				k.mu.Unlock()
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// socketOwner describes who may use a socket, as far as it can be seen.
func socketOwner(path string) (group string, mode os.FileMode, ok bool) {
	st, err := os.Stat(path)
	if err != nil {
		return "", 0, false
	}
	return groupOf(st), st.Mode().Perm(), true
}
