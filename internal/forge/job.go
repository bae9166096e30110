package forge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// System is a CI system.
type System string

// The systems that are known.
const (
	ActionsCI System = "GitHub Actions"
	GitLabCI  System = "GitLab CI"
	Local     System = "local" // none
)

// Job is the job of a CI that this process is, and the change that it is about.
type Job struct {
	System     System
	Repository string // "owner/name"
	Number     int    // of the pull request; 0: there is none
	Commit     string // the pull request's head, not its merge; empty: not known
	Workflow   string
	Run        int64
	Attempt    int
	RunURL     string
	// Fork is true when the change comes from another repository: the job has no
	// secrets, and its token may only read.
	Fork bool
	// Closed is true when the job runs because the pull request was closed.
	Closed    bool
	Workspace string // the checkout, absolute
	API       string
	Token     string
	Author    string // see GitHubOptions
	Output    string // a file of NAME=value for later steps; empty: none
	Summary   string // a file of Markdown; empty: none
	// Trusted is set in a run that another run has started: the one that it is about.
	Trusted *WorkflowRun
}

// WorkflowRun is what GitHub says of a run that another workflow was started by. It is
// GitHub's word and not the run's.
type WorkflowRun struct {
	ID         int64  `json:"id"`
	Attempt    int    `json:"run_attempt"`
	Name       string `json:"name"`
	Event      string `json:"event"`
	Commit     string `json:"head_sha"`
	URL        string `json:"html_url"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"head_repository"`
}

// event is the part of GitHub's payloads that is read.
type event struct {
	Action string `json:"action"`
	Pull   *struct {
		Number int `json:"number"`
		Head   struct {
			SHA  string `json:"sha"`
			Repo *struct {
				FullName string `json:"full_name"`
			} `json:"repo"`
		} `json:"head"`
	} `json:"pull_request"`
	Run *WorkflowRun `json:"workflow_run"`
}

// Detect finds out which job this is, from the environment and the files that it
// names.
func Detect(getenv func(string) string, read func(file string) ([]byte, error)) (*Job, error) {
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return actionsJob(getenv, read)
	case getenv("GITLAB_CI") == "true":
		return gitlabJob(getenv), nil
	}
	return &Job{System: Local}, nil
}

func actionsJob(getenv func(string) string, read func(file string) ([]byte, error)) (*Job, error) {
	j := &Job{
		System: ActionsCI, Repository: getenv("GITHUB_REPOSITORY"), Commit: getenv("GITHUB_SHA"), Workflow: getenv("GITHUB_WORKFLOW"),
		Workspace: getenv("GITHUB_WORKSPACE"), API: cmp.Or(getenv("GITHUB_API_URL"), "https://api.github.com"), Token: getenv("GITHUB_TOKEN"),
		Author: getenv("REHEARSE_COMMENT_AUTHOR"), Output: getenv("GITHUB_OUTPUT"), Summary: getenv("GITHUB_STEP_SUMMARY"),
	}
	j.Run, _ = strconv.ParseInt(getenv("GITHUB_RUN_ID"), 10, 64) // 0 orders before all others
	j.Attempt, _ = strconv.Atoi(getenv("GITHUB_RUN_ATTEMPT"))
	if server := getenv("GITHUB_SERVER_URL"); server != "" && j.Run != 0 {
		j.RunURL = fmt.Sprintf("%s/%s/actions/runs/%d", server, j.Repository, j.Run)
	}
	file := getenv("GITHUB_EVENT_PATH")
	if file == "" {
		return j, nil
	}
	data, err := read(file)
	if err != nil {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, File: file, Msg: "the event that started this job cannot be read", Err: err, Hint: eventHint}
	}
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, File: file, Msg: "this is no event of GitHub's", Err: err, Hint: eventHint}
	}
	if p := e.Pull; p != nil {
		if p.Number < 1 || !isCommit(p.Head.SHA) {
			return nil, &rehearse.Error{Kind: rehearse.Invalid, File: file, Msg: fmt.Sprintf("this is no event of GitHub's: pull request %d has the commit %q", p.Number, p.Head.SHA), Hint: eventHint}
		}
		j.Number, j.Commit = p.Number, p.Head.SHA
		j.Fork = p.Head.Repo == nil || !strings.EqualFold(p.Head.Repo.FullName, j.Repository)
		j.Closed = e.Action == "closed"
	}
	j.Trusted = e.Run
	return j, nil
}

const eventHint = "Leave GITHUB_EVENT_PATH as the runner has set it."

// isCommit reports whether a text is the hash of a commit.
func isCommit(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdef") == ""
}

func gitlabJob(getenv func(string) string) *Job {
	j := &Job{
		System: GitLabCI, Repository: getenv("CI_PROJECT_PATH"), Workflow: getenv("CI_JOB_NAME"), RunURL: getenv("CI_JOB_URL"),
		// Of a pipeline for merged results, CI_COMMIT_SHA is a commit that nobody made.
		Commit:    cmp.Or(getenv("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"), getenv("CI_COMMIT_SHA")),
		Workspace: getenv("CI_PROJECT_DIR"), API: cmp.Or(getenv("CI_API_V4_URL"), "https://gitlab.com/api/v4"), Token: getenv("GITLAB_TOKEN"),
	}
	j.Number, _ = strconv.Atoi(getenv("CI_MERGE_REQUEST_IID"))
	j.Run, _ = strconv.ParseInt(getenv("CI_JOB_ID"), 10, 64)
	source := getenv("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH")
	j.Fork = source != "" && source != j.Repository
	return j
}

// Forge makes what speaks with the job's forge. It is nil, with the reason as a
// complete sentence, where the job may not speak.
func (j *Job) Forge(w Waiting) (f Forge, why string, err error) {
	switch {
	case j.System == Local:
		return nil, "This is no CI that rehearse knows: nothing is posted.", nil
	case j.Fork:
		return nil, "The change comes from a fork, whose runs may not write: a trusted workflow can post the bundle with rehearse ci post.", nil
	case j.Token == "" && j.System == GitLabCI:
		return nil, "Without GITLAB_TOKEN nothing is posted; give the job " + gitlabPermission + ".", nil
	case j.Token == "":
		return nil, "Without GITHUB_TOKEN nothing is posted; the action passes it on, other steps say env: {GITHUB_TOKEN: ${{ github.token }}}.", nil
	case j.System == GitLabCI:
		return NewGitLab(GitLabOptions{API: j.API, Token: j.Token, Project: j.Repository, Waiting: w}), "", nil
	}
	g, err := NewGitHub(GitHubOptions{API: j.API, Token: j.Token, Repository: j.Repository, Author: j.Author, Waiting: w})
	if err != nil {
		return nil, "", err
	}
	return g, "", nil
}

// Change names the change for people, as in "acme/shop#42@1a2b3c4"; empty when nothing
// is known of it.
func (j *Job) Change() string {
	if j == nil {
		return ""
	}
	out := j.Repository
	if j.Number != 0 {
		out += "#" + strconv.Itoa(j.Number)
	}
	if j.Commit != "" && out != "" {
		out += "@" + j.Commit[:min(7, len(j.Commit))]
	}
	return out
}

// About is what the names of all changes to the job's pull request begin with; empty
// when there is none.
func (j *Job) About() string {
	if j.Number == 0 {
		return ""
	}
	return fmt.Sprintf("%s#%d@", j.Repository, j.Number)
}

// Slug is Change as the beginning of a name: "shop-42-1a2b3c4". Empty when nothing is
// known. Both may be asked of nil.
func (j *Job) Slug() string {
	if j == nil || j.Repository == "" {
		return ""
	}
	name := strings.Trim(strings.Map(slugRune, path.Base(j.Repository)), "-")
	out := strings.TrimRight(name[:min(len(name), maxSlug)], "-")
	if j.Number != 0 {
		out += "-" + strconv.Itoa(j.Number)
	}
	if j.Commit != "" {
		out += "-" + strings.Map(slugRune, j.Commit[:min(7, len(j.Commit))])
	}
	return out
}

// slugRune is a letter of a name as those of environments have it.
func slugRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
		return r
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A'
	}
	return '-'
}

// maxSlug is how much of a repository's name gets into that of an environment, on which
// the length of a socket's path depends.
const maxSlug = 16

// Marker is that of the job's comment.
func (j *Job) Marker(project string) Marker {
	return Marker{Project: project, Workflow: j.Workflow, Commit: j.Commit, Run: j.Run, Attempt: j.Attempt}
}
