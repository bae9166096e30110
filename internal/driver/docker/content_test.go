package docker

import (
	"io/fs"
	"testing"
)

func TestForAll(t *testing.T) {
	for mode, want := range map[fs.FileMode]fs.FileMode{0o400: 0o444, 0o440: 0o444, 0o600: 0o666, 0o550: 0o555, 0o444: 0o444} {
		if got := forAll(mode); got != want {
			t.Errorf("forAll(%04o) = %04o, want %04o", mode, got, want)
		}
	}
}

func TestOnLoopback(t *testing.T) {
	for registry, want := range map[string]bool{"127.0.0.1:5000": true, "localhost:5000": true, "localhost": true, "[::1]:5000": true, "docker.io": false, "registry.test:5000": false} {
		if got := onLoopback(registry); got != want {
			t.Errorf("onLoopback(%q) = %t, want %t", registry, got, want)
		}
	}
}
