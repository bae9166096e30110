package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// Bundle is a verdict on its way from a run that may not write to one that may: two
// files, comment.md and check.json. Who reads it trusts nothing in it; see
// [Bundle.Vouch].
type Bundle struct {
	Version     int          `json:"version"` // bundleVersion
	Repository  string       `json:"repository"`
	Number      int          `json:"number"`
	Commit      string       `json:"commit"`
	Project     string       `json:"project"`
	Conclusion  Conclusion   `json:"conclusion"`
	Title       string       `json:"title"`
	Annotations []Annotation `json:"annotations,omitempty"`
	Comment     string       `json:"-"` // Markdown, without a marker
}

const (
	bundleVersion = 1
	commentFile   = "comment.md"
	checkFile     = "check.json"
	maxCheckFile  = 1 << 20
	// maxBundled is how many annotations are posted of a bundle.
	maxBundled = 50
)

// Write writes the bundle into a directory, which it makes.
func (b Bundle) Write(dir string) error {
	b.Version = bundleVersion
	data, err := json.MarshalIndent(b, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, checkFile), append(data, '\n'), 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, commentFile), []byte(b.Comment), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return nil
}

// ReadBundle reads a bundle, of which it believes only the size.
func ReadBundle(dir string) (*Bundle, error) {
	refuse := func(msg string, err error) (*Bundle, error) {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, File: dir, Msg: msg, Err: err, Hint: "Name the directory into which the artifact of rehearse ci was downloaded."}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return refuse("there is no such bundle", err)
	}
	defer root.Close()
	check, err := readSmall(root, checkFile, maxCheckFile)
	if err != nil {
		return refuse("the bundle cannot be read", err)
	}
	comment, err := readSmall(root, commentFile, 2*MaxComment)
	if err != nil {
		return refuse("the bundle cannot be read", err)
	}
	b := &Bundle{Comment: string(comment)}
	if err := json.Unmarshal(check, b); err != nil {
		return refuse("check.json of the bundle cannot be read", err)
	}
	if b.Version != bundleVersion {
		return refuse(fmt.Sprintf("the bundle has the version %d, where this version of rehearse reads %d", b.Version, bundleVersion), nil)
	}
	return b, nil
}

// readSmall reads a file of at most some bytes.
func readSmall(root *os.Root, name string, limit int64) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errors.New(name + " is too large")
	}
	return data, err
}

// Vouch checks that the bundle is of the run that GitHub says has started this one, and
// that its pull request is what it says; and makes what it says harmless. The verdict
// stays the word of a run of the change's own code.
func (b *Bundle) Vouch(ctx context.Context, j *Job, pulls interface {
	Pull(ctx context.Context, number int) (Pull, error)
}) error {
	refuse := func(format string, args ...any) error {
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "the bundle is not posted: " + fmt.Sprintf(format, args...),
			Hint: "A bundle is posted by a workflow that runs on workflow_run, about the run that has made it; see docs/ci.md.",
		}
	}
	run := j.Trusted
	switch {
	case run == nil:
		return refuse("this job was not started by the run of another workflow")
	case run.Event != "pull_request":
		return refuse("the run was started by %q, not by a pull request", run.Event)
	case !strings.EqualFold(b.Repository, j.Repository):
		return refuse("it says that it is about another repository")
	case b.Commit != run.Commit:
		return refuse("it is about another commit than the run %d", run.ID)
	case b.Number <= 0:
		return refuse("it names no pull request")
	}
	pull, err := pulls.Pull(ctx, b.Number)
	if err != nil {
		return err
	}
	switch {
	case !strings.EqualFold(pull.BaseRepo, j.Repository):
		return refuse("its pull request is one of another repository")
	case !strings.EqualFold(pull.HeadRepo, run.Repository.FullName):
		return refuse("pull request %d does not come from the repository of the run", b.Number)
	case pull.Head != run.Commit:
		return refuse("the head of pull request %d is another commit than that of the run", b.Number)
	case !pull.Open:
		return refuse("pull request %d is closed", b.Number)
	}
	b.clean()
	return nil
}

var projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// clean makes the texts of a bundle harmless.
func (b *Bundle) clean() {
	if !projectName.MatchString(b.Project) {
		b.Project = "unknown"
	}
	if b.Conclusion != Success && b.Conclusion != Failure {
		b.Conclusion = Neutral
	}
	b.Title = cut(Harmless(b.Title), 200)
	b.Comment = Harmless(b.Comment)
	b.Annotations = b.Annotations[:min(len(b.Annotations), maxBundled)]
	for i := range b.Annotations {
		a := &b.Annotations[i]
		a.Title, a.Message = cut(a.Title, 200), cut(a.Message, 4000)
		if !filepath.IsLocal(a.Path) || len(a.Path) > 500 {
			a.Path = "rehearse.yaml"
		}
	}
}

var (
	tag = regexp.MustCompile(`<[^>]*>?`)
	// ours are the tags that reports are written with.
	ours = map[string]bool{
		"<details>": true, "</details>": true, "<summary>": true, "</summary>": true, "<code>": true, "</code>": true, "<sub>": true, "</sub>": true,
	}
	mention = regexp.MustCompile(`@+(\x{200b})?`)
	issue   = regexp.MustCompile(`#([0-9])`)
)

// Harmless takes from Markdown what could do more than be read: mentions, links,
// images, HTML but for the tags of reports, and comments, in which a marker could be.
// Tables, lists and emphasis stay.
func Harmless(markdown string) string {
	text := strings.ToValidUTF8(markdown, "�")
	text = strings.ReplaceAll(text, "\x00", "")
	text = tag.ReplaceAllStringFunc(text, func(t string) string {
		if ours[t] {
			return t
		}
		return strings.ReplaceAll(t, "<", "&lt;")
	})
	text = mention.ReplaceAllString(text, "@\u200b")
	text = issue.ReplaceAllString(text, "#\u200b$1")
	return strings.NewReplacer(
		"](", "]\u200b(", "][", "]\u200b[", "]:", "]\u200b:", "://", ":\u200b//", "www.", "www\u200b.", "mailto:", "mailto\u200b:", "&#", "&amp;#", "&commat;", "&amp;commat;",
	).Replace(text)
}
