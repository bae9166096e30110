package docker

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// pluginDirs are where docker's plugins lie beside the user's own and those that
// config.json names.
var pluginDirs = []string{
	"/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
	"/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
	"/Applications/Docker.app/Contents/Resources/cli-plugins",
}

// buildx finds docker's buildx plugin. Podman has a builder of its own.
func (e *engine) buildx() (program string, ok bool) {
	if e.podman {
		return "", false
	}
	c, _ := e.at.config() // connect has read it
	dirs := append([]string{filepath.Join(e.at.Config, "cli-plugins")}, c.PluginDirs...)
	for _, dir := range append(dirs, pluginDirs...) {
		if file := filepath.Join(dir, "docker-buildx"); executable(file) {
			return file, true
		}
	}
	return "", false
}

// buildByPlugin builds with buildx and gives the image's ID.
func (e *engine) buildByPlugin(ctx context.Context, plugin string, b *building, out io.Writer) (string, error) {
	dir, err := os.MkdirTemp("", "rehearse-build-")
	if err != nil {
		return "", fmt.Errorf("make a directory for the image's ID: %w", err)
	}
	defer os.RemoveAll(dir)
	idFile := filepath.Join(dir, "id")
	cmd := exec.CommandContext(ctx, plugin, b.pluginArgs(idFile)...)
	cmd.Env = append(e.environ(cmd.Environ()), "BUILDX_NO_DEFAULT_ATTESTATIONS=1") // an image and no index of images
	for i, s := range b.spec.Secrets {
		if s.Env != "" {
			cmd.Env = append(cmd.Env, secretVariable(i)+"="+e.at.Getenv(s.Env))
		}
	}
	last := &tail{}
	cmd.Stdout, cmd.Stderr = io.MultiWriter(out, last), nil
	cmd.Stderr = cmd.Stdout // one writer, one goroutine
	// Ctrl-C is for us; the plugin cancels the build when it is asked to end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if _, said, ok := strings.Cut(last.String(), "ERROR: failed to solve: "); ok {
			first, _, _ := strings.Cut(said, "\n")
			return "", errors.New(first)
		}
		return "", err
	}
	id, err := os.ReadFile(idFile)
	return strings.TrimSpace(string(id)), err
}

// pluginArgs is the command line of buildx.
func (b *building) pluginArgs(idFile string) []string {
	args := []string{"build", "--load", "--progress", "plain", "--tag", b.tag, "--iidfile", idFile}
	add := func(flag, value string) {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	add("--file", b.file)
	add("--target", b.spec.Target)
	add("--network", b.spec.Network)
	add("--platform", b.spec.Platform)
	if b.spec.ShmSize > 0 {
		add("--shm-size", fmt.Sprint(b.spec.ShmSize))
	}
	for _, a := range sorted(b.spec.Args) {
		add("--build-arg", a)
	}
	for _, l := range sorted(b.labels) {
		add("--label", l)
	}
	for _, c := range b.spec.CacheFrom {
		add("--cache-from", c)
	}
	for _, c := range sorted(b.spec.Contexts) {
		add("--build-context", c)
	}
	for _, h := range b.extraHosts() {
		add("--add-host", h)
	}
	for i, s := range b.spec.Secrets {
		from := "src=" + s.File
		if s.Env != "" {
			from = "env=" + secretVariable(i)
		}
		add("--secret", commaSeparated("id="+s.ID, from))
	}
	for _, key := range b.spec.SSH {
		add("--ssh", key)
	}
	if b.spec.NoCache {
		args = append(args, "--no-cache")
	}
	if b.spec.Pull {
		args = append(args, "--pull")
	}
	return append(args, b.spec.Context)
}

// secretVariable names the plugin's own variable for a secret, as the value may
// come from the project's .env file and not from our environment.
func secretVariable(number int) string { return fmt.Sprintf("REHEARSE_BUILD_SECRET_%d", number) }

// commaSeparated writes fields as one line of CSV, which is how buildx reads some
// of its flags.
func commaSeparated(fields ...string) string {
	var line strings.Builder
	w := csv.NewWriter(&line)
	_ = w.Write(fields) // a strings.Builder takes everything
	w.Flush()
	return strings.TrimSuffix(line.String(), "\n")
}
