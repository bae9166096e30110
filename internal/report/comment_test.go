package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

var commentOptions = CommentOptions{
	Limit:  64_000,
	Asides: []string{"Cost: 0.42 $ (61 CPU-seconds, 1.2 GB for 74 s)."},
	Links:  []Link{{"the run and its artifacts", "https://github.com/acme/shop/actions/runs/77"}},
}

func TestComment(t *testing.T) {
	golden(t, "comment.md", []byte(Comment(sampleReport(t), commentOptions)))
	golden(t, "comment-failed.md", []byte(CommentFailed(rehearse.Problems{
		{Kind: rehearse.Invalid, File: "rehearse.yaml", Line: 7, Msg: `unknown key "trafic"`, Hint: "Did you mean traffic?"},
		{Kind: rehearse.Invalid, File: "compose.yaml", Line: 2, Msg: "@everyone <b>", Hint: "See #12."},
	}, commentOptions)))
}

// TestCommentFits: whatever the limit, the comment is within it, ends with its links,
// and says what is not in it.
func TestCommentFits(t *testing.T) {
	r := sampleReport(t)
	whole := Comment(r, commentOptions)
	for limit := len(whole); limit > 1000; limit -= 97 {
		o := commentOptions
		o.Limit = limit
		got := Comment(r, o)
		if len(got) > limit {
			t.Errorf("limit %d: got %d bytes", limit, len(got))
		}
		if limit < len(whole) && !strings.Contains(got, "*Left out because a comment may not be longer: ") {
			t.Errorf("limit %d: the comment does not say what was left out", limit)
		}
		if !strings.HasSuffix(got, "/actions/runs/77)\n") || strings.Count(got, "<details>") != strings.Count(got, "</details>") {
			t.Errorf("limit %d: the comment ends with %q", limit, got[max(0, len(got)-200):])
		}
	}
}

func TestPlaces(t *testing.T) {
	const text = `name: shop
rehearsal:
  - load: calm
    thresholds: ["http_req_failed rate<0.01"]
  - load: peak
    for: 30s
    thresholds:
      - http_req_failed rate<0.01
      - http_req_duration p(99)<800ms
  - {suite: e2e}
checks:
  - slowest query of web < 10ms
`
	finding := func(step, check string, o rehearse.Outcome) rehearse.Finding {
		return rehearse.Finding{Outcome: o, Step: step, Check: check, Got: "3%", Hint: "Look there."}
	}
	r := rehearse.Report{Legs: []rehearse.LegReport{{Name: "production", Verdict: rehearse.Verdict{Findings: []rehearse.Finding{
		finding("", "ready", rehearse.Pass),
		finding("peak", "peak: http_req_failed rate<0.01", rehearse.Fail),
		finding("peak", "peak: http_req_duration p(99)<800ms", rehearse.Unverified),
		finding("e2e", "e2e: exit status", rehearse.Fail),
		finding("", "slowest query of web < 10ms", rehearse.Fail),
		finding("", "stayed up", rehearse.Fail),
		finding("gone", "gone: exit status", rehearse.Skipped),
	}}}}}
	var got []string
	for _, p := range Places(r, "rehearse.yaml", text) {
		got = append(got, fmt.Sprintf("%s:%d %v %s", p.File, p.Line, p.Failure, p.Title))
		if p.Message != "3%\nLook there." {
			t.Errorf("got the message %q", p.Message)
		}
	}
	want := []string{
		"rehearse.yaml:8 true production: peak: http_req_failed rate<0.01",
		"rehearse.yaml:9 false production: peak: http_req_duration p(99)<800ms",
		"rehearse.yaml:10 true production: e2e: exit status",
		"rehearse.yaml:12 true production: slowest query of web < 10ms",
		"rehearse.yaml:1 true production: stayed up",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	failed := fmt.Errorf("load: %w", rehearse.Problems{{File: "compose.yaml", Line: 3, Msg: "no image", Hint: "Say one."}, {Msg: "elsewhere"}})
	if diff := cmp.Diff([]Place{{"compose.yaml", 3, true, "no image", "no image Say one."}}, PlacesFailed(failed)); diff != "" {
		t.Error(diff)
	}
}
