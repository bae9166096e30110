package forge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/forge"
	"github.com/rehearse-dev/rehearse/internal/forge/forgetest"
)

func bundle() forge.Bundle {
	return forge.Bundle{
		Version: 1, Repository: "acme/shop", Number: 42, Commit: head, Project: "shop", Conclusion: forge.Failure, Title: "production: FAIL",
		Annotations: []forge.Annotation{{Path: "rehearse.yaml", Line: 3, Failure: true, Title: "peak", Message: "1.2 s"}}, Comment: "### it failed\n",
	}
}

func TestBundleRoundTrip(t *testing.T) {
	dir, want := filepath.Join(t.TempDir(), "verdict"), bundle()
	if err := want.Write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := forge.ReadBundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadBundleRefuses(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"a link": func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "comment.md")) },
		"too large": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "comment.md"), make([]byte, 1<<20), 0o600)
		},
		"no comment": func(string) error { return nil },
		"another one": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "check.json"), []byte(`{"version":2}`), 0o600)
		},
		"no JSON": func(dir string) error { return os.WriteFile(filepath.Join(dir, "check.json"), []byte(`{`), 0o600) },
	} {
		dir := t.TempDir()
		if err := bundle().Write(dir); err != nil {
			t.Fatal(err)
		}
		if name == "a link" || name == "no comment" {
			if err := os.Remove(filepath.Join(dir, "comment.md")); err != nil {
				t.Fatal(err)
			}
		}
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		if b, err := forge.ReadBundle(dir); rehearse.KindOf(err) != rehearse.Invalid {
			t.Errorf("%s: got %v, %v", name, b, err)
		}
	}
	if _, err := forge.ReadBundle(filepath.Join(t.TempDir(), "none")); rehearse.KindOf(err) != rehearse.Invalid {
		t.Errorf("no directory: got %v", err)
	}
}

func TestVouch(t *testing.T) {
	for name, spoil := range map[string]func(*forge.Bundle, *forge.Job, *forgetest.Pull){
		"":                          func(*forge.Bundle, *forge.Job, *forgetest.Pull) {},
		"not started by a workflow": func(_ *forge.Bundle, j *forge.Job, _ *forgetest.Pull) { j.Trusted = nil },
		"not by a pull request":     func(_ *forge.Bundle, j *forge.Job, _ *forgetest.Pull) { j.Trusted.Event = "push" },
		"another repository":        func(b *forge.Bundle, _ *forge.Job, _ *forgetest.Pull) { b.Repository = "acme/bank" },
		"another commit":            func(b *forge.Bundle, _ *forge.Job, _ *forgetest.Pull) { b.Commit = strings.Repeat("0", 40) },
		"another pull request":      func(b *forge.Bundle, _ *forge.Job, _ *forgetest.Pull) { b.Number = 43 },
		"no pull request":           func(b *forge.Bundle, _ *forge.Job, _ *forgetest.Pull) { b.Number = -1 },
		"another fork":              func(_ *forge.Bundle, _ *forge.Job, p *forgetest.Pull) { p.HeadRepo = "eve/shop" },
		"a newer head":              func(_ *forge.Bundle, _ *forge.Job, p *forgetest.Pull) { p.Head = strings.Repeat("1", 40) },
		"closed":                    func(_ *forge.Bundle, _ *forge.Job, p *forgetest.Pull) { p.State = "closed" },
	} {
		s := forgetest.New(t)
		s.Pulls[42] = &forgetest.Pull{Head: head, HeadRepo: "bob/shop"}
		s.Pulls[43] = &forgetest.Pull{Head: strings.Repeat("2", 40), HeadRepo: "bob/shop"}
		g, _ := client(t, s)
		run := &forge.WorkflowRun{ID: 5, Name: "rehearse", Event: "pull_request", Commit: head}
		run.Repository.FullName = "bob/shop"
		b, j := bundle(), &forge.Job{Repository: "acme/shop", Trusted: run}
		spoil(&b, j, s.Pulls[42])
		err := b.Vouch(t.Context(), j, g)
		if name == "" && err != nil || name != "" && rehearse.KindOf(err) != rehearse.Invalid {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"| a | **b** |\n<details><summary>x</summary>\n- c\n</details>": "| a | **b** |\n<details><summary>x</summary>\n- c\n</details>",
		"@acme/everyone":                           "@\u200bacme/everyone",
		"a@\u200bb":                                "a@\u200bb",
		"fixes #12":                                "fixes #\u200b12",
		"![](https://spy.example/a.png)":           "![]\u200b(https:\u200b//spy.example/a.png)",
		"[x][y]\n[y]: http://a":                    "[x]\u200b[y]\n[y]\u200b: http:\u200b//a",
		"www.spy.example":                          "www\u200b.spy.example",
		"<!-- rehearse {\"project\":\"shop\"} -->": "&lt;!-- rehearse {\"project\":\"shop\"} -->",
		"<img src=x>":                              "&lt;img src=x>",
		"<details open onclick=x>":                 "&lt;details open onclick=x>",
		"<svg":                                     "&lt;svg",
		"&#64;bob &commat;bob":                     "&amp;#\u200b64;bob &amp;commat;bob",
	} {
		if got := forge.Harmless(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		if got := forge.Harmless(forge.Harmless(in)); strings.Contains(got, "<!--") || strings.Contains(got, "://") {
			t.Errorf("%q twice: got %q", in, got)
		}
	}
}
