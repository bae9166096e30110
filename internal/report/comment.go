package report

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// CommentOptions say what a comment on a pull request has besides the report.
type CommentOptions struct {
	// Asides are lines below the report, plain text, as what the run has cost.
	Asides []string
	// Links lead from the comment to the run and its artifacts.
	Links []Link
	// Limit is how many bytes the comment may have.
	Limit int
}

// Link is a link in a comment. Its URL is trusted.
type Link struct{ Text, URL string }

// Comment is the report as a comment on a pull request: [Markdown], what comes beside
// it, and no more than fits. What was left out is said.
func Comment(r rehearse.Report, o CommentOptions) string {
	var b strings.Builder
	_ = Markdown(&b, r) // a builder takes everything
	return fit(b.String(), asides(o), o.Limit)
}

// Fit is a comment that was written elsewhere, with what comes beside it, and no more
// than fits.
func Fit(markdown string, o CommentOptions) string { return fit(markdown, asides(o), o.Limit) }

// Headline says how each leg ended: "staging: PASS · production: FAIL".
func Headline(r rehearse.Report) string { return headline(r.Legs) }

// CommentFailed is the comment of a rehearsal that could not be run.
func CommentFailed(failed error, o CommentOptions) string {
	var b strings.Builder
	b.WriteString("### " + outcomeSign(rehearse.Unverified) + " could not be rehearsed\n\n")
	for _, p := range problems(failed) {
		fmt.Fprintf(&b, "- %s", md(p.Error()))
		for _, hint := range rehearse.Hints(p) {
			fmt.Fprintf(&b, " *%s*", md(hint))
		}
		b.WriteString("\n")
	}
	return fit(b.String(), asides(o), o.Limit)
}

// problems are all that an error is made of.
func problems(err error) []error {
	var many rehearse.Problems
	if !errors.As(err, &many) {
		return []error{err}
	}
	out := make([]error, len(many))
	for i, p := range many {
		out[i] = p
	}
	return out
}

func asides(o CommentOptions) string {
	var b strings.Builder
	for _, line := range o.Asides {
		fmt.Fprintf(&b, "\n%s\n", md(line))
	}
	var links []string
	for _, l := range o.Links {
		links = append(links, fmt.Sprintf("[%s](%s)", md(l.Text), l.URL))
	}
	if len(links) > 0 {
		fmt.Fprintf(&b, "\n%s\n", strings.Join(links, " · "))
	}
	return b.String()
}

var folded = regexp.MustCompile(`(?s)\n<details><summary>(.*?)</summary>.*?\n</details>\n`)

// fit makes a comment fit: first what is folded away is left out, the last first, then
// lines at the end.
func fit(text, end string, limit int) string {
	var left []string
	said := func() string {
		if len(left) == 0 {
			return ""
		}
		return "\n*Left out because a comment may not be longer: " + strings.Join(left, ", ") + ". The run's artifact has the whole report.*\n"
	}
	for len(text)+len(end)+len(said()) > limit {
		all := folded.FindAllStringSubmatchIndex(text, -1)
		if len(all) == 0 {
			break
		}
		last := all[len(all)-1]
		left = append([]string{text[last[2]:last[3]]}, left...)
		text = text[:last[0]] + text[last[1]:]
	}
	if len(text)+len(end)+len(said()) > limit {
		left = append(left, "the end of what is above")
		text = text[:max(0, limit-len(end)-len(said()))]
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	return text + said() + end
}

// Place is a line of a file at which something is to be said.
type Place struct {
	File    string
	Line    int
	Failure bool // else it could not be shown
	Title   string
	Message string
}

// Places finds the lines of the project's file, as rehearse.yaml, that asked what did
// not pass: those of the thresholds and checks themselves or else of their steps.
func Places(r rehearse.Report, file, text string) []Place {
	lines := strings.Split(text, "\n")
	var out []Place
	for _, l := range r.Legs {
		for _, f := range notPassed(l.Verdict) {
			if f.Outcome == rehearse.Skipped {
				continue
			}
			message := plain(f.Got)
			for _, more := range []string{f.Detail, f.Hint} {
				if more != "" {
					message += "\n" + plain(more)
				}
			}
			out = append(out, Place{
				File: file, Line: lineOf(lines, f), Failure: f.Outcome == rehearse.Fail,
				Title: plain(l.Name) + ": " + plain(f.Check), Message: message,
			})
		}
	}
	return out
}

// lineOf is the line, from 1, that asks for a finding; the first where none does.
func lineOf(lines []string, f rehearse.Finding) int {
	asked := f.Check
	if f.Step != "" {
		asked = strings.TrimPrefix(asked, f.Step+": ")
	}
	for _, words := range []string{asked, ": " + f.Step} {
		if len(words) < 3 {
			continue
		}
		within := f.Step == ""
		for i, line := range lines {
			// The threshold of this step, and not the same one of another.
			within = within || names(line, f.Step)
			if within && strings.Contains(line, words) {
				return i + 1
			}
		}
	}
	return 1
}

// names reports whether a line begins a step of this name.
func names(line, step string) bool {
	_, after, ok := strings.Cut(line, "- ")
	_, name, colon := strings.Cut(after, ": ")
	return ok && colon && strings.HasPrefix(strings.Trim(name, `"' {}`), step)
}

// PlacesFailed are the lines that an error names.
func PlacesFailed(failed error) []Place {
	var out []Place
	for _, p := range problems(failed) {
		var e *rehearse.Error
		if errors.As(p, &e) && e.File != "" {
			out = append(out, Place{File: e.File, Line: max(e.Line, 1), Failure: true, Title: plain(e.Msg), Message: plain(strings.Join(append([]string{e.Msg}, rehearse.Hints(e)...), " "))})
		}
	}
	return out
}
