package forge

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-github/v93/github"

	"github.com/rehearse-dev/rehearse"
)

// GitHub speaks with GitHub over its REST API.
type GitHub struct {
	client      *github.Client
	owner, repo string
	author      string // empty until it is known
	waiting     Waiting
}

var _ Forge = (*GitHub)(nil)

// GitHubOptions say which repository, and as whom.
type GitHubOptions struct {
	API        string // as in "https://api.github.com"
	Token      string
	Repository string // "owner/name"
	// Author is the login behind the token. Empty: it is asked for; an app's token,
	// as that of GitHub Actions, is not told, and is taken to be Actions' own.
	Author  string
	Waiting Waiting
}

// actionsBot is who comments with the token of GitHub Actions.
const actionsBot = "github-actions[bot]"

// NewGitHub makes a client. It speaks with nobody yet.
func NewGitHub(o GitHubOptions) (*GitHub, error) {
	owner, repo, ok := strings.Cut(o.Repository, "/")
	if !ok || owner == "" || repo == "" || strings.Contains(repo, "/") {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("%q is not a repository", o.Repository), Hint: "Write it as owner/name."}
	}
	api := strings.TrimSuffix(o.API, "/") + "/"
	// The waiting for rate limits is ours, for go-github's would refuse without it.
	client, err := github.NewClient(github.WithURLs(&api, nil), github.WithAuthToken(o.Token), github.WithEnvProxy(), github.WithDisableRateLimitCheck())
	if err != nil {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: "make a client of GitHub", Err: err, Hint: "Set GITHUB_TOKEN, and GITHUB_API_URL if it is not github.com."}
	}
	return &GitHub{client: client, owner: owner, repo: repo, author: o.Author, waiting: o.Waiting.orDefault()}, nil
}

const (
	pullPermission  = "`pull-requests: write`"
	checkPermission = "`checks: write`, which only tokens of GitHub apps, as GitHub Actions' own, can have"
)

// Pull are the facts of a pull request that count.
type Pull struct {
	Head     string // the commit
	HeadRepo string // "owner/name"; empty when the fork is gone
	BaseRepo string
	Open     bool
}

// Pull asks for a pull request.
func (g *GitHub) Pull(ctx context.Context, number int) (p Pull, err error) {
	err = g.waiting.again(ctx, func(ctx context.Context, _ int) error {
		p, err = g.pull(ctx, number)
		return err
	})
	if err != nil {
		return p, refusal(fmt.Sprintf("read pull request %d", number), "`pull-requests: read`", err)
	}
	return p, nil
}

func (g *GitHub) pull(ctx context.Context, number int) (Pull, error) {
	pull, _, err := g.client.PullRequests.Get(ctx, g.owner, g.repo, number)
	if err != nil {
		return Pull{}, err
	}
	return Pull{
		Head: pull.GetHead().GetSHA(), HeadRepo: pull.GetHead().GetRepo().GetFullName(),
		BaseRepo: pull.GetBase().GetRepo().GetFullName(), Open: pull.GetState() == "open",
	}, nil
}

// Comment makes or replaces the comment. Nothing is written for a commit that is not
// the pull request's head any more, nor over a later run of the same commit. A comment
// that a person has deleted is made again; one by somebody else is left alone, whatever
// its marker says.
func (g *GitHub) Comment(ctx context.Context, c Comment) (posted Posted, err error) {
	// Every attempt looks anew: one whose answer got lost may have made the comment.
	err = g.waiting.again(ctx, func(ctx context.Context, _ int) error {
		posted, err = g.comment(ctx, c)
		return err
	})
	if err != nil {
		return Posted{}, refusal("comment on the pull request", pullPermission, err)
	}
	return posted, nil
}

// Mark puts a note on the comment. A comment of the pull request's head is not marked
// for an older commit.
func (g *GitHub) Mark(ctx context.Context, n Comment) (posted Posted, err error) {
	err = g.waiting.again(ctx, func(ctx context.Context, _ int) error {
		posted, err = g.mark(ctx, n)
		return err
	})
	if err != nil {
		return Posted{}, refusal("mark the comment on the pull request", pullPermission, err)
	}
	return posted, nil
}

func (g *GitHub) mark(ctx context.Context, n Comment) (Posted, error) {
	head, found, err := g.found(ctx, n)
	if err != nil {
		return Posted{}, err
	}
	if len(found) == 0 {
		return Posted{Left: unsaid}, nil
	}
	if why := found[0].outdone(n.Marker, head); why != "" {
		return Posted{Left: why}, nil
	}
	edited, _, err := g.client.Issues.UpdateComment(ctx, g.owner, g.repo, found[0].id, github.IssueCommentRequest{Body: noted(found[0].body, n.Body)})
	if status(err) == http.StatusNotFound { // deleted since we looked
		return Posted{Left: unsaid}, nil
	}
	return Posted{URL: edited.GetHTMLURL()}, err
}

// found asks for a pull request's head, and for our comments on it that have the
// marker, the oldest first.
func (g *GitHub) found(ctx context.Context, c Comment) (head string, found []standing, err error) {
	if err := g.identify(ctx); err != nil {
		return "", nil, err
	}
	pull, err := g.pull(ctx, c.Number)
	if err != nil {
		return "", nil, err
	}
	all, err := g.standing(ctx, c.Number)
	return pull.Head, mine(all, c.Marker), err
}

func (g *GitHub) comment(ctx context.Context, c Comment) (Posted, error) {
	head, found, err := g.found(ctx, c)
	if err != nil {
		return Posted{}, err
	}
	if head != c.Marker.Commit {
		return Posted{Left: movedOn}, nil
	}
	for _, double := range found[min(1, len(found)):] {
		if _, err := g.client.Issues.DeleteComment(ctx, g.owner, g.repo, double.id); err != nil && status(err) != http.StatusNotFound {
			return Posted{}, err
		}
	}
	body := github.IssueCommentRequest{Body: c.body()}
	if len(found) > 0 {
		if why := found[0].outdone(c.Marker, head); why != "" {
			return Posted{Left: why}, nil
		}
		edited, _, err := g.client.Issues.UpdateComment(ctx, g.owner, g.repo, found[0].id, body)
		if status(err) != http.StatusNotFound { // deleted since we looked
			return Posted{URL: edited.GetHTMLURL()}, err
		}
	}
	made, _, err := g.client.Issues.CreateComment(ctx, g.owner, g.repo, c.Number, body)
	if err != nil {
		return Posted{}, err
	}
	return Posted{URL: made.GetHTMLURL()}, nil
}

// identify finds out who we are.
func (g *GitHub) identify(ctx context.Context) error {
	if g.author != "" {
		return nil
	}
	user, _, err := g.client.Users.Get(ctx, "")
	switch {
	case status(err) == http.StatusForbidden:
		g.author = actionsBot
	case err != nil:
		return err
	default:
		g.author = user.GetLogin()
	}
	return nil
}

// standing lists our comments that have a marker, the oldest first.
func (g *GitHub) standing(ctx context.Context, number int) (out []standing, err error) {
	o := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: pageSize}}
	for {
		page, resp, err := g.client.Issues.ListComments(ctx, g.owner, g.repo, number, o)
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			if m, ok := markerOf(c.GetBody()); ok && strings.EqualFold(c.GetUser().GetLogin(), g.author) {
				out = append(out, standing{c.GetID(), m, c.GetBody()})
			}
		}
		if resp.NextPage == 0 {
			return out, nil
		}
		o.Page = resp.NextPage
	}
}

// maxAnnotations is how many annotations GitHub takes at once.
const maxAnnotations = 50

// Check makes the check run, or completes the one that an attempt without an answer
// has made, and adds its annotations, fifty at a time.
func (g *GitHub) Check(ctx context.Context, c Check) error {
	var id int64
	err := g.waiting.again(ctx, func(ctx context.Context, before int) (err error) {
		if before > 0 {
			if id, err = g.checkRun(ctx, c); id != 0 || err != nil {
				return err
			}
		}
		made, _, err := g.client.Checks.CreateCheckRun(ctx, g.owner, g.repo, github.CreateCheckRunOptions{
			Name: c.Name, HeadSHA: c.Commit, DetailsURL: optional(c.URL), ExternalID: optional(c.ID),
			Status: new("completed"), Conclusion: new(string(c.Conclusion)), Output: c.output(0),
		})
		id = made.GetID()
		return err
	})
	for from := maxAnnotations; err == nil && from < len(c.Annotations); from += maxAnnotations {
		err = g.waiting.again(ctx, func(ctx context.Context, _ int) error {
			_, _, err := g.client.Checks.UpdateCheckRun(ctx, g.owner, g.repo, id, github.UpdateCheckRunOptions{Name: c.Name, Output: c.output(from)})
			return err
		})
	}
	if err != nil {
		return refusal("set the check of the commit", checkPermission, err)
	}
	return nil
}

// checkRun finds a check run by its external id; 0 when there is none.
func (g *GitHub) checkRun(ctx context.Context, c Check) (int64, error) {
	found, _, err := g.client.Checks.ListCheckRunsForRef(ctx, g.owner, g.repo, c.Commit, &github.ListCheckRunsOptions{
		CheckName: &c.Name, Filter: new("all"), ListOptions: github.ListOptions{PerPage: pageSize},
	})
	if err != nil {
		return 0, err
	}
	for _, run := range found.CheckRuns {
		if run.GetExternalID() == c.ID {
			return run.GetID(), nil
		}
	}
	return 0, nil
}

// output is what a check run shows, with the annotations from one on.
func (c Check) output(from int) *github.CheckRunOutput {
	out := &github.CheckRunOutput{Title: &c.Title, Summary: &c.Summary}
	for _, a := range c.Annotations[from:min(from+maxAnnotations, len(c.Annotations))] {
		level := "warning"
		if a.Failure {
			level = "failure"
		}
		out.Annotations = append(out.Annotations, &github.CheckRunAnnotation{
			Path: &a.Path, StartLine: new(max(a.Line, 1)), EndLine: new(max(a.Line, 1)), AnnotationLevel: &level,
			Title: &a.Title, Message: &a.Message,
		})
	}
	return out
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
