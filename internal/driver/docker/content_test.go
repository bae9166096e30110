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
