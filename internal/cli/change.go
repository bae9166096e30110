package cli

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
)

// pullRef is what GitHub calls the merge of a pull request.
var pullRef = regexp.MustCompile(`^refs/pull/(\d+)/`)

// resource says which change is rehearsed, as attributes of OpenTelemetry's
// resources: the commit and the pull request, as CI tells them, or else as git
// does. What nobody tells is left out.
func (a *app) resource(ctx context.Context, dir string) map[string]string {
	r := map[string]string{}
	commit := first(a.getenv("GITHUB_SHA"), a.getenv("CI_COMMIT_SHA"))
	if commit == "" {
		out, err := exec.CommandContext(ctx, "git", "-C", dir, "rev-parse", "HEAD").Output()
		if err == nil {
			commit = strings.TrimSpace(string(out))
		}
	}
	if commit != "" {
		r["vcs.ref.head.revision"] = commit
	}
	pull := a.getenv("CI_MERGE_REQUEST_IID")
	if m := pullRef.FindStringSubmatch(a.getenv("GITHUB_REF")); m != nil {
		pull = m[1]
	}
	if pull != "" {
		r["vcs.change.id"] = pull
	}
	return r
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
