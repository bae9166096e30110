package forge_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/forge"
)

func detect(t *testing.T, env map[string]string, event string) *forge.Job {
	t.Helper()
	j, err := forge.Detect(func(name string) string { return env[name] }, func(string) ([]byte, error) { return []byte(event), nil })
	if err != nil {
		t.Fatal(err)
	}
	return j
}

var actions = map[string]string{
	"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "Acme/Shop.Web", "GITHUB_SHA": "feedfacefeedface", "GITHUB_WORKFLOW": "rehearse",
	"GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_EVENT_PATH": "event.json", "GITHUB_TOKEN": "t",
}

const pullEvent = `{"action":"synchronize","pull_request":{"number":42,"head":{"sha":"1a2b3c4d5e6f7081","repo":{"full_name":"Acme/Shop.Web"}}}}`

func TestDetectActions(t *testing.T) {
	j := detect(t, actions, pullEvent)
	want := &forge.Job{
		System: forge.ActionsCI, Repository: "Acme/Shop.Web", Number: 42, Commit: "1a2b3c4d5e6f7081", Workflow: "rehearse", Run: 77, Attempt: 2,
		RunURL: "https://github.com/Acme/Shop.Web/actions/runs/77", API: "https://api.github.com", Token: "t",
	}
	if diff := cmp.Diff(want, j); diff != "" {
		t.Error(diff)
	}
	if got := j.Change() + " " + j.Slug() + " " + j.About(); got != "Acme/Shop.Web#42@1a2b3c4 shop-web-42-1a2b3c4 Acme/Shop.Web#42@" {
		t.Errorf("got %q", got)
	}
	for event, want := range map[string]struct{ fork, closed bool }{
		pullEvent: {},
		strings.Replace(pullEvent, `"full_name":"Acme`, `"full_name":"bob`, 1):                                           {fork: true},
		strings.Replace(pullEvent, `{"full_name":"Acme/Shop.Web"}`, "null", 1):                                           {fork: true}, // deleted
		strings.Replace(pullEvent, "synchronize", "closed", 1):                                                           {closed: true},
		`{"ref":"refs/heads/main"}`:                                                                                      {},
		`{"workflow_run":{"id":5,"event":"pull_request","head_sha":"a","head_repository":{"full_name":"bob/Shop.Web"}}}`: {},
	} {
		j := detect(t, actions, event)
		f, why, err := j.Forge(forge.Waiting{})
		if j.Fork != want.fork || j.Closed != want.closed || err != nil || (f == nil) != want.fork || (why != "") != want.fork {
			t.Errorf("%s: got fork %v, closed %v, forge %v, %q, %v", event, j.Fork, j.Closed, f, why, err)
		}
	}
}

func TestDetectOthers(t *testing.T) {
	lab := map[string]string{
		"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/tools/shop", "CI_MERGE_REQUEST_IID": "7", "CI_COMMIT_SHA": "0000000aaa", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "bbbbbbbccc",
		"CI_JOB_NAME": "rehearse", "CI_JOB_ID": "9", "CI_JOB_URL": "https://gitlab.example/j/9", "CI_API_V4_URL": "https://gitlab.example/api/v4",
	}
	j := detect(t, lab, "")
	if j.System != forge.GitLabCI || j.Change() != "acme/tools/shop#7@bbbbbbb" || j.Slug() != "shop-7-bbbbbbb" || j.Fork {
		t.Errorf("got %+v", j)
	}
	if f, why, _ := j.Forge(forge.Waiting{}); f != nil || !strings.Contains(why, "GITLAB_TOKEN") {
		t.Errorf("without a token: got %v, %q", f, why)
	}
	j = detect(t, nil, "")
	if f, why, err := j.Forge(forge.Waiting{}); j.System != forge.Local || j.Change() != "" || j.Slug() != "" || f != nil || why == "" || err != nil {
		t.Errorf("without a CI: got %+v, %v, %q, %v", j, f, why, err)
	}
	var none *forge.Job
	if none.Change()+none.Slug() != "" {
		t.Error("no job has a name")
	}
}

func TestDetectDamagedEvent(t *testing.T) {
	for _, event := range []string{
		"", "[]", `{"pull_request":{}}`,
		strings.Replace(pullEvent, "42", "0", 1),
		strings.Replace(pullEvent, "42", "-3", 1),
		strings.Replace(pullEvent, "1a2b3c4d5e6f7081", "", 1),
		strings.Replace(pullEvent, "1a2b3c4d5e6f7081", "../../etc", 1),
	} {
		j, err := forge.Detect(func(name string) string { return actions[name] }, func(string) ([]byte, error) { return []byte(event), nil })
		if rehearse.KindOf(err) != rehearse.Invalid || !strings.Contains(err.Error(), "event.json") || len(rehearse.Hints(err)) != 1 {
			t.Errorf("%s: got %+v, %v", event, j, err)
		}
	}
	_, err := forge.Detect(func(name string) string { return actions[name] }, func(string) ([]byte, error) { return nil, os.ErrNotExist })
	if rehearse.KindOf(err) != rehearse.Invalid {
		t.Errorf("an event that is missing: %v", err)
	}
	j := &forge.Job{Repository: "acme/shop", Commit: "../../etc"}
	if got := j.Slug(); strings.ContainsAny(got, "/.") {
		t.Errorf("the name of an environment leads elsewhere: %q", got)
	}
}
