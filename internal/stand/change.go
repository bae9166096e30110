package stand

import (
	"cmp"
	"context"
	"os/exec"
	"regexp"
	"strings"
)

// pullRef is what GitHub calls the merge of a pull request.
var pullRef = regexp.MustCompile(`^refs/pull/(\d+)/`)

// Resource says which change is rehearsed, as attributes of OpenTelemetry's
// resources: the commit and the pull request, as CI tells them, or else as git
// does. What nobody tells is left out.
func (h *Host) Resource(ctx context.Context, dir string) map[string]string {
	r := map[string]string{}
	commit := cmp.Or(h.Getenv("GITHUB_SHA"), h.Getenv("CI_COMMIT_SHA"))
	if commit == "" {
		out, err := exec.CommandContext(ctx, "git", "-C", dir, "rev-parse", "HEAD").Output()
		if err == nil {
			commit = strings.TrimSpace(string(out))
		}
	}
	if commit != "" {
		r["vcs.ref.head.revision"] = commit
	}
	pull := h.Getenv("CI_MERGE_REQUEST_IID")
	if m := pullRef.FindStringSubmatch(h.Getenv("GITHUB_REF")); m != nil {
		pull = m[1]
	}
	if pull != "" {
		r["vcs.change.id"] = pull
	}
	return r
}

// Change names a change as people do, from what Resource says of it: "#42 at
// 4f9c2d1a7e03", or the commit alone; empty where nothing is known.
func Change(resource map[string]string) string {
	commit := resource["vcs.ref.head.revision"]
	if len(commit) > 12 {
		commit = commit[:12]
	}
	switch pull := resource["vcs.change.id"]; {
	case pull == "":
		return commit
	case commit == "":
		return "#" + pull
	default:
		return "#" + pull + " at " + commit
	}
}
