package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// GitLab speaks with GitLab over its REST API: notes of merge requests, and statuses
// of commits, which have no annotations.
type GitLab struct {
	api, token, project string
	http                http.Client
	waiting             Waiting
	author              int64 // 0 until it is known
}

var _ Forge = (*GitLab)(nil)

// GitLabOptions say which project, and as whom.
type GitLabOptions struct {
	API     string // as in "https://gitlab.com/api/v4"
	Token   string // a project's access token with the scope api; that of a job may not comment
	Project string // its number, or "group/name"
	Waiting Waiting
}

// NewGitLab makes a client. It speaks with nobody yet.
func NewGitLab(o GitLabOptions) *GitLab {
	return &GitLab{
		api: strings.TrimSuffix(o.API, "/"), token: o.Token, project: url.PathEscape(o.Project),
		http: http.Client{Timeout: 30 * time.Second}, waiting: o.Waiting.orDefault(),
	}
}

const gitlabPermission = "a project access token with the scope `api` in GITLAB_TOKEN"

// Comment makes or replaces the note, by the rules of [GitHub.Comment].
func (g *GitLab) Comment(ctx context.Context, c Comment) (posted Posted, err error) {
	err = g.waiting.again(ctx, func(ctx context.Context, _ int) error {
		posted, err = g.comment(ctx, c)
		return err
	})
	if err != nil {
		return Posted{}, refusal("comment on the merge request", gitlabPermission, err)
	}
	return posted, nil
}

// note is a comment of GitLab's.
type note struct {
	ID     int64  `json:"id"`
	Body   string `json:"body"`
	Author struct {
		ID int64 `json:"id"`
	} `json:"author"`
}

// Mark puts a note on the note, by the rules of [GitHub.Mark].
func (g *GitLab) Mark(ctx context.Context, n Comment) (posted Posted, err error) {
	err = g.waiting.again(ctx, func(ctx context.Context, _ int) error {
		posted, err = g.mark(ctx, n)
		return err
	})
	if err != nil {
		return Posted{}, refusal("mark the comment on the merge request", gitlabPermission, err)
	}
	return posted, nil
}

func (g *GitLab) mark(ctx context.Context, n Comment) (Posted, error) {
	merge, found, err := g.found(ctx, n)
	if err != nil {
		return Posted{}, err
	}
	if len(found) == 0 {
		return Posted{Left: unsaid}, nil
	}
	if why := found[0].outdone(n.Marker, merge.SHA); why != "" {
		return Posted{Left: why}, nil
	}
	_, err = g.do(ctx, http.MethodPut, fmt.Sprintf("%s/notes/%d", g.request(n), found[0].id), map[string]string{"body": noted(found[0].body, n.Body)}, nil)
	if status(err) == http.StatusNotFound { // deleted since we looked
		return Posted{Left: unsaid}, nil
	}
	return Posted{URL: merge.note(found[0].id)}, err
}

// merge is a merge request, as far as it counts.
type merge struct {
	SHA string `json:"sha"`
	URL string `json:"web_url"`
}

// note is where a note of it is.
func (m merge) note(id int64) string { return fmt.Sprintf("%s#note_%d", m.URL, id) }

// request is the path of the merge request that a comment is on.
func (g *GitLab) request(c Comment) string {
	return fmt.Sprintf("/projects/%s/merge_requests/%d", g.project, c.Number)
}

// found asks for a merge request, and for our notes on it that have the marker, the
// oldest first.
func (g *GitLab) found(ctx context.Context, c Comment) (m merge, found []standing, err error) {
	if g.author == 0 {
		var me struct {
			ID int64 `json:"id"`
		}
		if _, err := g.do(ctx, http.MethodGet, "/user", nil, &me); err != nil {
			return m, nil, err
		}
		g.author = me.ID
	}
	if _, err := g.do(ctx, http.MethodGet, g.request(c), nil, &m); err != nil {
		return m, nil, err
	}
	var all []standing
	for page := "1"; page != ""; {
		var notes []note
		header, err := g.do(ctx, http.MethodGet, fmt.Sprintf("%s/notes?sort=asc&per_page=%d&page=%s", g.request(c), pageSize, page), nil, &notes)
		if err != nil {
			return m, nil, err
		}
		for _, n := range notes {
			if marker, ok := markerOf(n.Body); ok && n.Author.ID == g.author {
				all = append(all, standing{n.ID, marker, n.Body})
			}
		}
		page = header.Get("X-Next-Page")
	}
	return m, mine(all, c.Marker), nil
}

func (g *GitLab) comment(ctx context.Context, c Comment) (Posted, error) {
	merge, found, err := g.found(ctx, c)
	if err != nil {
		return Posted{}, err
	}
	if merge.SHA != c.Marker.Commit {
		return Posted{Left: movedOn}, nil
	}
	request := g.request(c)
	for _, double := range found[min(1, len(found)):] {
		if _, err := g.do(ctx, http.MethodDelete, fmt.Sprintf("%s/notes/%d", request, double.id), nil, nil); err != nil && status(err) != http.StatusNotFound {
			return Posted{}, err
		}
	}
	body := map[string]string{"body": c.body()}
	var written note
	if len(found) > 0 {
		if why := found[0].outdone(c.Marker, merge.SHA); why != "" {
			return Posted{Left: why}, nil
		}
		_, err := g.do(ctx, http.MethodPut, fmt.Sprintf("%s/notes/%d", request, found[0].id), body, &written)
		if status(err) != http.StatusNotFound { // deleted since we looked
			return Posted{URL: merge.note(found[0].id)}, err
		}
	}
	_, err = g.do(ctx, http.MethodPost, request+"/notes", body, &written)
	return Posted{URL: merge.note(written.ID)}, err
}

// Check sets the status of the commit. Setting it twice is setting it once.
func (g *GitLab) Check(ctx context.Context, c Check) error {
	state := map[Conclusion]string{Success: "success", Cancelled: "canceled"}[c.Conclusion]
	if state == "" {
		state = "failed"
	}
	err := g.waiting.again(ctx, func(ctx context.Context, _ int) error {
		_, err := g.do(ctx, http.MethodPost, fmt.Sprintf("/projects/%s/statuses/%s", g.project, url.PathEscape(c.Commit)), map[string]string{
			"state": state, "name": c.Name, "target_url": c.URL, "description": cut(c.Title, 255),
		}, nil)
		return err
	})
	if err != nil {
		return refusal("set the status of the commit", gitlabPermission, err)
	}
	return nil
}

// maxAnswer is how much of an answer is read.
const maxAnswer = 16 << 20

// do sends a request and reads its answer.
func (g *GitLab) do(ctx context.Context, method, path string, body, into any) (http.Header, error) {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.api+path, content)
	if err != nil {
		return nil, err
	}
	req.Header.Set("PRIVATE-TOKEN", g.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := g.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, &url.Error{Op: method, URL: g.api + path, Err: err}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, &statusError{resp.StatusCode, resp.Header, cut(string(data), 200)}
	case into != nil:
		if err := json.Unmarshal(data, into); err != nil {
			return nil, fmt.Errorf("read the answer to %s %s: %w", method, path, err)
		}
	}
	return resp.Header, nil
}

// cut shortens a text to n runes.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
