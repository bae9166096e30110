package docker

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// TestSSHEnds has ssh end while something that it has started, as a ProxyCommand,
// holds its streams.
func TestSSHEnds(t *testing.T) {
	dir := t.TempDir()
	program, left := filepath.Join(dir, "ssh"), filepath.Join(dir, "left")
	script := "#!/bin/sh\nsleep 600 <&0 &\necho $! >>" + left + "\nread line\necho the other host has gone >&2\nexit 255\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		data, _ := os.ReadFile(left)
		for line := range strings.Lines(string(data)) {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	o := endpoint{Path: dir}
	api, err := dial(t.Context(), o, candidate{host: "ssh://far.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	answered := make(chan error, 1)
	go func() {
		_, err := api.Ping(context.WithoutCancel(t.Context()), client.PingOptions{})
		answered <- err
	}()
	select {
	case err := <-answered:
		if err == nil || !strings.Contains(err.Error(), "the other host has gone") {
			t.Errorf("got %v, want ssh's own words", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("who has asked the engine waits still")
	}

	c, err := dialSSH(program, &url.URL{Scheme: "ssh", Host: "far.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("once\n")); err != nil {
		t.Fatal(err)
	}
	<-c.(*sshConn).done
	if _, err := c.Write([]byte("again\n")); err == nil {
		t.Error("a connection whose ssh has ended can be written to")
	}
}
