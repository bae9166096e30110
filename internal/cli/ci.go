package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/forge"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
	"github.com/rehearse-dev/rehearse/internal/report"
)

// ciFlags are those of a rehearsal in a CI.
type ciFlags struct {
	project  projectFlags
	forward  forwardFlag
	single   bool
	bundle   string
	patience time.Duration
}

func (a *app) ciCommand() *cobra.Command {
	var f ciFlags
	c := &cobra.Command{
		Use:   "ci [DIR]",
		Short: "Rehearse a pull request in its CI, and say there what was found",
		Long: `Rehearse the change that this job of a CI is about, as rehearse compare does, and
say on its pull request what was found: one comment, which later runs replace, a
check of the commit with annotations, and the job's summary. The CI is found by
its variables: GitHub Actions and GitLab CI are known; elsewhere nothing is
posted. Paths go to GITHUB_OUTPUT: verdict, run-dir, report, environment, bundle.

Where the job may not write, as in a fork's, the bundle is what a trusted
workflow posts with rehearse ci post. A forge that cannot be reached, or that
refuses, never changes the verdict or the exit status, which is that of compare.

For a pull request that was closed, rehearsals of it that are still under way on
this host are ended, what dead ones have left is removed, and the comment says so.
A job that is cancelled marks the comment as well, and completes the check of its
commit as cancelled.`,
		Example: "  rehearse ci\n  rehearse ci --run services/shop\n  rehearse ci post verdict",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPatience(f.patience); err != nil {
				return err
			}
			job, err := forge.Detect(a.Getenv, os.ReadFile)
			if err != nil {
				return err
			}
			if job.Closed {
				return a.endChange(cmd.Context(), job, args, f.patience)
			}
			return a.ci(cmd.Context(), f, job, args)
		},
	}
	f.project.add(c)
	f.forward.add(c)
	c.Flags().BoolVar(&f.single, "run", false, "only under production's conditions, without the leg of staging")
	c.Flags().StringVar(&f.bundle, "bundle", filepath.Join(".rehearse", "verdict"), "where the verdict's bundle is written, in the project's directory")
	addPatience(c, &f.patience)
	c.AddCommand(a.ciPostCommand())
	return c
}

// addPatience adds how long the forge is tried.
func addPatience(c *cobra.Command, patience *time.Duration) {
	c.Flags().DurationVar(patience, "patience", 2*time.Minute, "how long a forge that is down or busy is tried again")
}

func checkPatience(patience time.Duration) error {
	if patience <= 0 {
		return usageError("--patience must be above 0, not %v", patience)
	}
	return nil
}

// ci rehearses, says so in the CI, and decides the exit code by the verdict alone.
func (a *app) ci(ctx context.Context, f ciFlags, job *forge.Job, args []string) error {
	a.job, a.secrets = job, a.Secrets(nil)
	kind, legs := "compare", []rehearse.Leg{rehearse.Staging(), rehearse.Production()}
	if f.single {
		kind, legs = "run", []rehearse.Leg{rehearse.Production()}
	}
	// A forge that cancels a job gives it a few seconds: it is told while everything is
	// torn down.
	told := make(chan cancellation, 1)
	stop := context.AfterFunc(ctx, func() { told <- cancelled(context.WithoutCancel(ctx), job, args, time.Now()) })
	result, failed := a.rehearse(ctx, f.project, f.forward, args, kind, legs...)
	if !stop() {
		a.reportCancelled(<-told)
	} else {
		s := a.saying(f, job, args, result, failed)
		if err := s.write(a); err != nil {
			a.warn("the job does not show everything", err)
		}
		a.say(ctx, job, s, f.patience)
	}
	return a.conclude(result, failed, false)
}

// saying is what a rehearsal says in its CI.
type saying struct {
	job     *forge.Job
	bundle  forge.Bundle
	to      string // the bundle's directory
	outputs [][2]string
}

func (a *app) saying(f ciFlags, job *forge.Job, args []string, result *rehearsal.Result, failed error) saying {
	dir := directoryOf(args)
	config := filepath.Join(dir, f.project.Config)
	s := saying{job: job, to: within(dir, f.bundle)}
	s.bundle = forge.Bundle{Repository: job.Repository, Number: job.Number, Commit: job.Commit, Project: projectOf(job, dir), Conclusion: forge.Neutral}
	o := report.CommentOptions{Limit: forge.MaxComment}
	if job.RunURL != "" {
		o.Links = append(o.Links, report.Link{Text: "the run and its artifacts", URL: job.RunURL})
	}
	var places []report.Place
	outcome := rehearse.Unverified
	if result == nil || len(result.Report.Legs) == 0 {
		s.bundle.Comment, s.bundle.Title = report.CommentFailed(failed, o), "could not be rehearsed"
		places = report.PlacesFailed(failed)
	} else {
		r := result.Report
		outcome = report.Overall(r)
		s.bundle.Comment, s.bundle.Title = report.Comment(r, o), report.Headline(r)
		text, err := os.ReadFile(config)
		if err == nil { // without the file, nothing in it has asked
			places = report.Places(r, config, string(text))
		}
		s.outputs = append(s.outputs, [2]string{"run-dir", result.Dir}, [2]string{"report", filepath.Join(result.Dir, "report.html")}, [2]string{"environment", environmentsOf(r)})
	}
	switch outcome {
	case rehearse.Pass:
		s.bundle.Conclusion = forge.Success
	case rehearse.Fail:
		s.bundle.Conclusion = forge.Failure
	}
	s.outputs = append(s.outputs, [2]string{"verdict", string(outcome)}, [2]string{"bundle", s.to})
	for _, p := range places {
		s.bundle.Annotations = append(s.bundle.Annotations, forge.Annotation{
			Path: fromRoot(job.Workspace, p.File), Line: p.Line, Failure: p.Failure,
			Title: a.secrets.String(p.Title), Message: a.secrets.String(p.Message),
		})
	}
	s.bundle.Comment, s.bundle.Title = a.secrets.String(s.bundle.Comment), a.secrets.String(s.bundle.Title)
	return s
}

// directoryOf is the project's directory.
func directoryOf(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

// projectOf names a project by where it is in the repository, which is known also of one
// whose files cannot be read.
func projectOf(job *forge.Job, dir string) string {
	at := fromRoot(job.Workspace, dir)
	if at == "." || filepath.IsAbs(at) {
		at = path.Base(job.Repository)
	}
	if at == "." {
		if abs, err := filepath.Abs(dir); err == nil {
			at = filepath.Base(abs)
		}
	}
	return strings.Trim(notOfName.ReplaceAllString(strings.ToLower(at), "-"), "-_")
}

var notOfName = regexp.MustCompile(`[^a-z0-9_-]+`)

// environmentsOf names the environments of a run, one for each leg.
func environmentsOf(r rehearse.Report) string {
	var out []string
	for _, l := range r.Legs {
		for _, rec := range l.Evidence.Records {
			if rec.Begin != nil {
				out = append(out, string(rec.Begin.Environment))
			}
		}
	}
	return strings.Join(out, " ")
}

// within is a path in a directory, unless it is absolute.
func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// fromRoot is a file as the repository names it.
func fromRoot(workspace, file string) string {
	abs, err := filepath.Abs(file)
	if err != nil || workspace == "" {
		return filepath.ToSlash(file)
	}
	if rel, err := filepath.Rel(workspace, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(file)
}

// write writes what later steps and people find in the job: the bundle, the summary,
// the outputs.
func (s saying) write(a *app) error {
	errs := []error{s.bundle.Write(s.to), appendTo(s.job.Summary, s.bundle.Comment+"\n")}
	var lines strings.Builder
	for _, kv := range s.outputs {
		fmt.Fprintf(&lines, "%s=%s\n", kv[0], strings.NewReplacer("\n", " ", "\r", " ").Replace(kv[1]))
	}
	return errors.Join(append(errs, appendTo(s.job.Output, lines.String()))...)
}

// appendTo adds to a file that the CI has named; without one it does nothing.
func appendTo(file, text string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// say posts the comment and the check. What goes wrong is a warning.
func (a *app) say(ctx context.Context, job *forge.Job, s saying, patience time.Duration) {
	to, why, err := job.Forge(forge.Waiting{Patience: patience})
	if err != nil {
		a.warn("not everything is posted", err)
		return
	}
	if to == nil {
		fmt.Fprintln(a.stderr, why)
		return
	}
	a.post(ctx, to, job.Marker(s.bundle.Project), s.bundle, job.RunURL)
}

// post says a bundle's verdict.
func (a *app) post(ctx context.Context, to forge.Forge, marker forge.Marker, b forge.Bundle, url string) {
	if b.Number != 0 {
		posted, err := to.Comment(ctx, forge.Comment{Number: b.Number, Marker: marker, Body: b.Comment})
		switch {
		case err != nil:
			a.warn("not everything is posted", err)
		case posted.Left != "":
			fmt.Fprintln(a.stderr, posted.Left)
		default:
			fmt.Fprintln(a.stderr, "commented:", posted.URL)
		}
	}
	if marker.Commit == "" {
		return
	}
	err := to.Check(ctx, forge.Check{
		Name: checkName(b.Project), Commit: marker.Commit, Conclusion: b.Conclusion, Title: b.Title, Summary: b.Comment, URL: url,
		ID: checkID(marker), Annotations: b.Annotations,
	})
	if err != nil {
		a.warn("not everything is posted", err)
	}
}

// checkName is what the check of a project is called.
func checkName(project string) string { return "rehearse / " + project }

// checkID is the same for every attempt of a run to say the same.
func checkID(m forge.Marker) string { return fmt.Sprintf("%s-%d-%d", m.Project, m.Run, m.Attempt) }

func (a *app) ciPostCommand() *cobra.Command {
	var patience time.Duration
	c := &cobra.Command{
		Use:   "post BUNDLE",
		Short: "Post the verdict of a run that may not post it itself",
		Long: `Post a bundle that rehearse ci has written in a run of a fork. This runs in a
workflow that is started by workflow_run, whose token may write, and whose code is
the repository's own. Nothing in the bundle is trusted: its commit must be that of
the run which has started this one, and the head of its pull request; its text is
made harmless. Its verdict is the word of the fork's own run.`,
		Example: "  rehearse ci post verdict",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPatience(patience); err != nil {
				return err
			}
			job, err := forge.Detect(a.Getenv, os.ReadFile)
			if err != nil {
				return err
			}
			a.secrets = a.Secrets(nil)
			b, err := forge.ReadBundle(args[0])
			if err != nil {
				return err
			}
			if job.System != forge.ActionsCI || job.Token == "" {
				return &rehearse.Error{Kind: rehearse.Invalid, Msg: "a bundle is posted by GitHub Actions, with a token", Hint: "See docs/ci.md for the workflow, and give the step env: {GITHUB_TOKEN: ${{ github.token }}}."}
			}
			g, err := forge.NewGitHub(forge.GitHubOptions{API: job.API, Token: job.Token, Repository: job.Repository, Author: job.Author, Waiting: forge.Waiting{Patience: patience}})
			if err != nil {
				return err
			}
			if err := b.Vouch(cmd.Context(), job, g); err != nil {
				return err
			}
			run := job.Trusted
			o := report.CommentOptions{
				Limit: forge.MaxComment, Asides: []string{"This is what a run of the fork's own code says; nobody else vouches for it."},
				Links: []report.Link{{Text: "the run and its artifacts", URL: run.URL}},
			}
			b.Comment = report.Fit(a.secrets.String(b.Comment), o)
			a.post(cmd.Context(), g, forge.Marker{Project: b.Project, Workflow: run.Name, Commit: run.Commit, Run: run.ID, Attempt: run.Attempt}, *b, run.URL)
			return nil
		},
	}
	addPatience(c, &patience)
	return c
}
