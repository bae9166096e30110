// Package forge says a verdict where a change is reviewed: one comment on its pull
// request, and a check of its commit with annotations.
//
// [Detect] finds out which CI this is and which change it is about; [Job.Forge] gives
// what speaks with its forge, [GitHub] or [GitLab]. A [Bundle] carries a verdict from a
// run that may not speak, as that of a fork, to one that may.
//
// Everything here comes after the verdict and never changes it: what a forge refuses
// is an error that a person can act on, and what it is too busy for is tried again,
// within a time.
package forge

import (
	"context"
	"encoding/json"
	"strings"
)

// Forge speaks about one repository. The errors of its methods say which permission
// is missing, where one is.
type Forge interface {
	// Comment makes or replaces the one comment of a pull request that has the marker's
	// project and workflow and is by the same author. Posted says where it is, or why
	// there is none.
	Comment(ctx context.Context, c Comment) (Posted, error)
	// Mark puts a note above what that comment says, in the place of an earlier note:
	// that it is not the last word any more. The comment stays that of the run that has
	// made it, and where there is none, none is made.
	Mark(ctx context.Context, n Comment) (Posted, error)
	// Check says of a commit what was found.
	Check(ctx context.Context, c Check) error
}

// Comment is what is said on a pull request.
type Comment struct {
	Number int
	Marker Marker
	Body   string // Markdown, at most MaxComment bytes
}

// MaxComment is how long a comment's text may be: GitHub takes 65,536 characters, of
// which the marker needs some.
const MaxComment = 64_000

// Posted is what became of a comment.
type Posted struct {
	URL string
	// Left says, in a complete sentence, why nothing was written; empty: it was.
	Left string
}

// Marker stands, invisible, in a comment, and says whose it is.
type Marker struct {
	Project  string `json:"project"`
	Workflow string `json:"workflow"`
	Commit   string `json:"commit"`
	Run      int64  `json:"run,omitempty"`
	Attempt  int    `json:"attempt,omitempty"`
}

const (
	markerBegin = "<!-- rehearse "
	markerEnd   = " -->"
)

// String is the marker as it stands in a comment. JSON's escapes keep it from ending
// early.
func (m Marker) String() string {
	data, err := json.Marshal(m)
	if err != nil {
		panic("forge: internal error: " + err.Error()) // it has only texts and numbers
	}
	return markerBegin + string(data) + markerEnd
}

// markerOf reads the marker that a comment begins with.
func markerOf(body string) (m Marker, ok bool) {
	line, _, _ := strings.Cut(body, "\n")
	text, ok := strings.CutPrefix(strings.TrimSpace(line), markerBegin)
	if ok {
		text, ok = strings.CutSuffix(text, markerEnd)
	}
	return m, ok && json.Unmarshal([]byte(text), &m) == nil
}

// same reports whether two markers are of one comment.
func (m Marker) same(o Marker) bool { return m.Project == o.Project && m.Workflow == o.Workflow }

// after reports whether a marker is of a later run of the same commit.
func (m Marker) after(o Marker) bool {
	return m.Commit == o.Commit && (m.Run > o.Run || m.Run == o.Run && m.Attempt > o.Attempt)
}

// body is a comment's whole text.
func (c Comment) body() string { return c.Marker.String() + "\n" + c.Body }

// noteMark is the line before a note.
const noteMark = "<!-- rehearse note -->"

// noted is a comment's whole text with a note above what it says.
func noted(body, note string) string {
	marker, rest, _ := strings.Cut(strings.ReplaceAll(body, "\r\n", "\n"), "\n")
	if strings.HasPrefix(rest, noteMark) {
		_, rest, _ = strings.Cut(rest, "\n\n")
	}
	return strings.Join([]string{marker, noteMark, note, "", rest}, "\n")
}

// standing is a comment with a marker, by us.
type standing struct {
	id     int64
	marker Marker
	body   string
}

// outdone says, in a complete sentence, why a run with a marker does not write over the
// comment, nor put a note on it; empty: it may.
func (s standing) outdone(by Marker, head string) string {
	switch {
	case s.marker.after(by):
		return isNewer
	case by.Commit != head && s.marker.Commit == head:
		return movedOn
	}
	return ""
}

// mine finds the comments of a marker, the oldest first; all but the first are
// doubles, of runs that met.
func mine(all []standing, m Marker) (found []standing) {
	for _, s := range all {
		if s.marker.same(m) {
			found = append(found, s)
		}
	}
	return found
}

const (
	movedOn  = "The pull request has moved on to another commit, whose own run comments on it."
	isNewer  = "A later run of the same commit has commented on the pull request."
	unsaid   = "There is no comment on the pull request that could be marked."
	pageSize = 100
)

// Check is what is said of a commit.
type Check struct {
	Name        string
	Commit      string
	Conclusion  Conclusion
	Title       string
	Summary     string // Markdown
	URL         string // the run
	ID          string // the same for every attempt to say the same
	Annotations []Annotation
}

// Conclusion is how a check ended.
type Conclusion string

// The conclusions.
const (
	Success Conclusion = "success"
	Failure Conclusion = "failure"
	Neutral Conclusion = "neutral" // it could not be shown
	// Cancelled: somebody has ended it before it could say anything.
	Cancelled Conclusion = "cancelled"
)

// Annotation is said at a line of a file.
type Annotation struct {
	Path    string `json:"path"` // from the repository's root, with forward slashes
	Line    int    `json:"line"` // from 1
	Failure bool   `json:"failure"`
	Title   string `json:"title"`
	Message string `json:"message"`
}
