package docker

import (
	"bytes"
	"testing"
)

func TestUnrunnable(t *testing.T) {
	for said, want := range map[string]int{
		`OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused: exec: "nothing": executable file not found in $PATH: unknown`:    codeNotFound,
		`OCI runtime exec failed: exec failed: unable to start container process: exec: "/nothing": stat /nothing: no such file or directory: unknown`:                     codeNotFound,
		"crun: executable file `nothing` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found":                      codeNotFound,
		`OCI runtime exec failed: exec failed: unable to start container process: exec: "/etc/passwd": permission denied: unknown`:                                         codeUnrunnable,
		`OCI runtime exec failed: exec failed: unable to start container process: chdir to cwd ("/nowhere") set in config.json failed: no such file or directory: unknown`: 0,
		`sh: nothing: not found`: 0,
	} {
		if u, ok := unrunnableFrom(said); ok != (want != 0) || u.code != want {
			t.Errorf("%s: got %d, want %d", said, u.code, want)
		}
	}
}

// TestFirstWords has output that begins as an engine's excuse does, and goes on.
func TestFirstWords(t *testing.T) {
	for _, parts := range [][]string{{"O", "K\n"}, {"plain", " text"}, {"OCI run", "ning", " well"}, {""}} {
		var got bytes.Buffer
		f := &firstWords{to: &got}
		want := ""
		for _, p := range parts {
			want += p
			if n, err := f.Write([]byte(p)); n != len(p) || err != nil {
				t.Errorf("%q: %d, %v", p, n, err)
			}
		}
		if err := f.flush(); err != nil || got.String() != want {
			t.Errorf("got %q, %v, want %q", &got, err, want)
		}
	}
}
