package process_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// TestBuild builds once, and again only when something has changed.
func TestBuild(t *testing.T) {
	dir, o := openDir(t), options(t)
	count := filepath.Join(openDir(t), "count")
	source := filepath.Join(dir, "source")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(source, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	service := rehearse.Service{Name: "app", Process: &rehearse.Process{
		Build:   []string{"/bin/sh", "-c", "echo built >> " + count + " && cp source ${out}/program && chmod +x ${out}/program"},
		Command: []string{"${out}/program"}, Dir: dir,
	}}
	run := func(want string, builds int) {
		t.Helper()
		e := openOne(t, o, dir, service)
		p := started(t, e, "app")
		<-p.Done()
		if got := p.Exit().Reason; got != want {
			t.Errorf("the program ended with %q, want %q", got, want)
		}
		data, err := os.ReadFile(count)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(data), "built"); got != builds {
			t.Errorf("built %d times, want %d", got, builds)
		}
	}
	write("#!/bin/sh\nexit 3\n")
	run("exit 3", 1)
	run("exit 3", 1)
	write("#!/bin/sh\nexit 44\n")
	run("exit 44", 2)
}

func TestBuildFails(t *testing.T) {
	dir := openDir(t)
	for _, c := range []struct {
		name  string
		build []string
		kind  rehearse.Kind
		want  string
	}{
		{"with its words", []string{"/bin/sh", "-c", "echo the bolt is missing; exit 1"}, rehearse.NotReady, "the bolt is missing"},
		{"without its program", []string{"no-such-compiler"}, rehearse.Unavailable, "no-such-compiler"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := openOne(t, options(t), dir, rehearse.Service{Name: "app", Process: &rehearse.Process{Build: c.build, Command: []string{"true"}, Dir: dir}})
			err := e.Prepare(t.Context(), "app")
			var problem *rehearse.Error
			if !errors.As(err, &problem) || problem.Kind != c.kind || !strings.Contains(problem.Msg+problem.Hint, c.want) {
				t.Errorf("Prepare: %+v, want kind %v and %q", problem, c.kind, c.want)
			}
		})
	}
}

func TestUnknownReference(t *testing.T) {
	dir := openDir(t)
	e := openOne(t, options(t), dir, rehearse.Service{Name: "app", Process: &rehearse.Process{Command: []string{"echo", "${cache.port}"}, Dir: dir}})
	err := e.Prepare(t.Context(), "app")
	if rehearse.KindOf(err) != rehearse.Invalid || !strings.Contains(err.Error(), "${cache.port}") {
		t.Errorf("Prepare: %v, want one that names ${cache.port}", err)
	}
}
