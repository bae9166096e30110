package forge_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/forge"
	"github.com/rehearse-dev/rehearse/internal/forge/forgetest"
)

const head = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"

// clock is time that passes only when somebody waits.
type clock struct {
	now    time.Time
	waited []time.Duration
}

func (c *clock) waiting() forge.Waiting {
	return forge.Waiting{
		Now: func() time.Time { return c.now },
		Sleep: func(_ context.Context, d time.Duration) error {
			c.now = c.now.Add(d)
			c.waited = append(c.waited, d)
			return nil
		},
	}
}

func client(t *testing.T, s *forgetest.Server) (*forge.GitHub, *clock) {
	t.Helper()
	c := &clock{now: time.Now()}
	g, err := forge.NewGitHub(forge.GitHubOptions{API: s.URL, Token: forgetest.Token, Repository: "acme/shop", Waiting: c.waiting()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, w := range s.Wrong {
			t.Error("GitHub would not have taken it: " + w)
		}
	})
	return g, c
}

func server(t *testing.T) *forgetest.Server {
	s := forgetest.New(t)
	s.Pulls[42] = &forgetest.Pull{Head: head}
	return s
}

func comment(run int64, body string) forge.Comment {
	return forge.Comment{Number: 42, Marker: forge.Marker{Project: "shop", Workflow: "rehearse -->", Commit: head, Run: run, Attempt: 1}, Body: body}
}

func post(t *testing.T, g *forge.GitHub, c forge.Comment) forge.Posted {
	t.Helper()
	posted, err := g.Comment(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return posted
}

func TestOneComment(t *testing.T) {
	for _, login := range []string{"", "ann"} {
		s := server(t)
		s.Login = login
		// Three pages of others' comments, one with our marker.
		for i := range 250 {
			s.Comments = append(s.Comments, forgetest.Comment{ID: int64(i + 1), Number: 42, Author: "bob", Body: "hm"})
		}
		s.Comments[3].Body = comment(9, "forged").Marker.String() + "\nforged"
		g, _ := client(t, s)
		first := post(t, g, comment(1, "one"))
		second := post(t, g, comment(2, "two"))
		if first.URL == "" || first != second {
			t.Errorf("got %v and then %v, want the same comment", first, second)
		}
		if n := len(s.Comments); n != 251 || !strings.HasSuffix(s.Comments[250].Body, "\ntwo") || !strings.HasSuffix(s.Comments[3].Body, "forged") {
			t.Errorf("as %q: got %d comments, the last %q", login, n, s.Comments[n-1].Body)
		}
		other := comment(2, "other workflow")
		other.Marker.Workflow = "nightly"
		post(t, g, other)
		if len(s.Comments) != 252 {
			t.Errorf("got %d comments, want another one for another workflow", len(s.Comments))
		}
	}
}

func TestRaces(t *testing.T) {
	s := server(t)
	g, _ := client(t, s)
	post(t, g, comment(7, "seven"))
	if posted := post(t, g, comment(6, "six")); posted.Left == "" || !strings.HasSuffix(s.Comments[0].Body, "seven") {
		t.Errorf("an earlier run of the same commit: got %+v and %q", posted, s.Comments[0].Body)
	}
	older := comment(8, "older commit")
	older.Marker.Commit = strings.Repeat("0", 40)
	if posted := post(t, g, older); posted.Left == "" || len(s.Comments) != 1 || !strings.HasSuffix(s.Comments[0].Body, "seven") {
		t.Errorf("an older commit: got %+v and %v", posted, s.Comments)
	}
	// Two runs that met, and did not see each other's comment.
	s.Comments = append(s.Comments, s.Comments[0])
	s.Comments[1].ID++
	post(t, g, comment(9, "nine"))
	if len(s.Comments) != 1 || !strings.HasSuffix(s.Comments[0].Body, "nine") {
		t.Errorf("doubles: got %v", s.Comments)
	}
	// A person deletes it: the next run says it again.
	s.Comments = nil
	post(t, g, comment(10, "ten"))
	if len(s.Comments) != 1 {
		t.Errorf("after it was deleted: got %v", s.Comments)
	}
}

func TestTroubles(t *testing.T) {
	for name, c := range map[string]struct {
		troubles []forgetest.Trouble
		waited   []time.Duration
	}{
		"the server fails":          {[]forgetest.Trouble{forgetest.BadGateway, forgetest.BadGateway, forgetest.BadGateway}, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}},
		"a connection breaks":       {[]forgetest.Trouble{forgetest.Broken, forgetest.Broken, forgetest.Broken}, nil},
		"a secondary limit":         {[]forgetest.Trouble{forgetest.SecondaryLimit}, []time.Duration{17 * time.Second}},
		"a silent secondary limit":  {[]forgetest.Trouble{forgetest.SecondarySilent}, []time.Duration{time.Minute}},
		"limits and then a failure": {[]forgetest.Trouble{forgetest.SecondaryLimit, forgetest.BadGateway}, []time.Duration{17 * time.Second, 2 * time.Second}},
	} {
		s := server(t)
		s.Troubles = c.troubles
		g, clock := client(t, s)
		post(t, g, comment(1, "one"))
		if len(s.Comments) != 1 {
			t.Errorf("%s: got %d comments, want 1", name, len(s.Comments))
		}
		if c.waited != nil && !slices.Equal(clock.waited, c.waited) {
			t.Errorf("%s: waited %v, want %v", name, clock.waited, c.waited)
		}
	}
}

func TestPrimaryLimit(t *testing.T) {
	s := server(t)
	g, clock := client(t, s)
	s.Troubles = []forgetest.Trouble{forgetest.PrimaryLimit(clock.now.Add(30 * time.Second))}
	post(t, g, comment(1, "one"))
	if len(clock.waited) != 1 || clock.waited[0] < 29*time.Second || clock.waited[0] > 32*time.Second {
		t.Errorf("waited %v, want until the limit is over", clock.waited)
	}
	// One that is over long after our patience is not waited for.
	s.Troubles = []forgetest.Trouble{forgetest.PrimaryLimit(clock.now.Add(time.Hour))}
	clock.waited = nil
	_, err := g.Comment(t.Context(), comment(2, "two"))
	if rehearse.KindOf(err) != rehearse.Unavailable || !strings.Contains(err.Error(), "given up") || len(clock.waited) != 0 {
		t.Errorf("got %v after waiting %v", err, clock.waited)
	}
}

// TestLostAnswers: a comment or a check that was made while its answer got lost is not
// made twice.
func TestLostAnswers(t *testing.T) {
	s := server(t)
	g, _ := client(t, s)
	post(t, g, comment(1, "one"))
	s.Comments = nil
	// Who we are is known by now: the pull request, the comments, the new comment.
	s.Troubles = []forgetest.Trouble{forgetest.LostAnswer, forgetest.LostAnswer, forgetest.LostAnswer, forgetest.LostAnswer, forgetest.LostAnswer}
	post(t, g, comment(2, "two"))
	if len(s.Comments) != 1 {
		t.Errorf("got %d comments, want 1", len(s.Comments))
	}
	s.Troubles = []forgetest.Trouble{forgetest.LostAnswer}
	if err := g.Check(t.Context(), check(3)); err != nil {
		t.Fatal(err)
	}
	if len(s.Checks) != 1 {
		t.Errorf("got %d checks, want 1", len(s.Checks))
	}
}

func check(annotations int) forge.Check {
	c := forge.Check{Name: "rehearse / shop", Commit: head, Conclusion: forge.Failure, Title: "production: FAIL", Summary: "it failed", URL: "https://ci.example/1", ID: "shop-1-1"}
	for i := range annotations {
		c.Annotations = append(c.Annotations, forge.Annotation{Path: "rehearse.yaml", Line: i + 1, Failure: i%2 == 0, Title: fmt.Sprint("no ", i), Message: "1.2 s"})
	}
	return c
}

func TestAnnotations(t *testing.T) {
	s := server(t)
	g, _ := client(t, s)
	if err := g.Check(t.Context(), check(120)); err != nil {
		t.Fatal(err)
	}
	if len(s.Checks) != 1 || len(s.Checks[0].Annotations) != 120 || s.Checks[0].Annotations[119].Start != 120 || s.Checks[0].Conclusion != "failure" {
		t.Errorf("got %+v", s.Checks)
	}
	want := []string{"POST /repos/acme/shop/check-runs", "PATCH /repos/acme/shop/check-runs/1001", "PATCH /repos/acme/shop/check-runs/1001"}
	if !slices.Equal(s.Requests, want) {
		t.Errorf("got %v, want %v", s.Requests, want)
	}
}

func TestPermissions(t *testing.T) {
	s := server(t)
	g, clock := client(t, s)
	s.Denied = map[string]bool{"comment": true, "check": true}
	_, err := g.Comment(t.Context(), comment(1, "one"))
	if hints := strings.Join(rehearse.Hints(err), " "); !strings.Contains(hints, "`pull-requests: write`") {
		t.Errorf("the comment: %v, %q", err, hints)
	}
	err = g.Check(t.Context(), check(0))
	if hints := strings.Join(rehearse.Hints(err), " "); !strings.Contains(hints, "`checks: write`") {
		t.Errorf("the check: %v, %q", err, hints)
	}
	if len(clock.waited) != 0 {
		t.Errorf("waited %v for a permission", clock.waited)
	}
	other, err := forge.NewGitHub(forge.GitHubOptions{API: s.URL, Token: "ghs_expired", Repository: "acme/shop"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Comment(t.Context(), comment(1, "one"))
	if hints := strings.Join(rehearse.Hints(err), " "); !strings.Contains(hints, "expired") || strings.Contains(fmt.Sprint(err), "ghs_expired") {
		t.Errorf("a token that nobody knows: %v, %q", err, hints)
	}
}

// TestMark puts notes on the comment, which stays that of its run.
func TestMark(t *testing.T) {
	s := server(t)
	g, _ := client(t, s)
	mark := func(c forge.Comment) forge.Posted {
		t.Helper()
		posted, err := g.Mark(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return posted
	}
	if posted := mark(comment(1, "> cancelled")); posted.Left == "" || len(s.Comments) > 0 {
		t.Errorf("without a comment: %v, and there are %d", posted, len(s.Comments))
	}
	verdict := comment(2, "verdict\n\nmore")
	post(t, g, verdict)
	for _, note := range []string{"> cancelled", "> closed"} {
		posted := mark(comment(3, note))
		if want := verdict.Marker.String() + "\n<!-- rehearse note -->\n" + note + "\n\nverdict\n\nmore"; posted.URL == "" || s.Comments[0].Body != want {
			t.Errorf("%v; got %q, want %q", posted, s.Comments[0].Body, want)
		}
	}
	was := s.Comments[0].Body
	if posted := mark(comment(1, "> older")); posted.Left == "" || s.Comments[0].Body != was {
		t.Errorf("by an earlier run: %v; got %q", posted, s.Comments[0].Body)
	}

	// The pull request moves on: the old comment is marked until the new one is there.
	newer := comment(4, "new")
	newer.Marker.Commit = strings.Repeat("2", 40)
	s.Pulls[42].Head = newer.Marker.Commit
	if posted := mark(comment(3, "> superseded")); posted.URL == "" || !strings.Contains(s.Comments[0].Body, "> superseded\n") {
		t.Errorf("of an older commit: %v; got %q", posted, s.Comments[0].Body)
	}
	post(t, g, newer)
	if posted := mark(comment(3, "> late")); posted.Left == "" || s.Comments[0].Body != newer.Marker.String()+"\nnew" {
		t.Errorf("after the new one: %v; got %q", posted, s.Comments[0].Body)
	}
	if len(s.Comments) != 1 {
		t.Errorf("got %d comments, want one", len(s.Comments))
	}
}
