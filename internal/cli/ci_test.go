package cli

import (
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rehearse-dev/rehearse/internal/forge/forgetest"
)

// servers are the scripts' GitHubs, by the script's name.
var servers sync.Map

// githubs gives the script command github HEAD [REPOSITORY]: it starts a GitHub, where
// pull request 42 has this head, sets the variables of a job of Actions, and later
// moves the head.
func githubs(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 1 || len(args) > 2 {
			ts.Fatalf("usage: github HEAD [REPOSITORY]")
		}
		var s *forgetest.Server
		if known, ok := servers.Load(ts.Name()); ok {
			s = known.(*forgetest.Server)
		} else {
			s = forgetest.New(t)
			servers.Store(ts.Name(), s)
			for name, value := range map[string]string{
				"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_API_URL": s.URL, "GITHUB_TOKEN": forgetest.Token, "GITHUB_WORKFLOW": "rehearse",
				"GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_WORKSPACE": ts.Getenv("WORK"),
			} {
				ts.Setenv(name, value)
			}
		}
		defer s.Hold()()
		s.Pulls[42] = &forgetest.Pull{Head: args[0], HeadRepo: args[len(args)-1]}
		if len(args) == 1 {
			s.Pulls[42].HeadRepo = ""
		}
	}
}

// comments N [REGEXP] asserts how many comments there are, and what the last says.
func comments(ts *testscript.TestScript, neg bool, args []string) {
	s := github(ts, neg, args, "comments N [REGEXP]")
	defer s.Hold()()
	if got := strconv.Itoa(len(s.Comments)); got != args[0] {
		ts.Fatalf("%s comments: %+v", got, s.Comments)
	}
	if len(args) > 1 && !regexp.MustCompile(args[1]).MatchString(s.Comments[len(s.Comments)-1].Body) {
		ts.Fatalf("the last comment says %s", s.Comments[len(s.Comments)-1].Body)
	}
	for _, wrong := range s.Wrong {
		ts.Fatalf("GitHub would not have taken it: %s", wrong)
	}
}

// checks N [CONCLUSION [PLACE]] asserts how many check runs there are, and how the last
// ended, with an annotation at FILE:LINE.
func checks(ts *testscript.TestScript, neg bool, args []string) {
	s := github(ts, neg, args, "checks N [CONCLUSION [PLACE]]")
	defer s.Hold()()
	if got := strconv.Itoa(len(s.Checks)); got != args[0] {
		ts.Fatalf("%s checks: %+v", got, s.Checks)
	}
	if len(args) == 1 {
		return
	}
	last := s.Checks[len(s.Checks)-1]
	place := ""
	for _, a := range last.Annotations {
		place += a.Path + ":" + strconv.Itoa(a.Start)
	}
	if last.Conclusion != args[1] || len(args) > 2 && place != args[2] {
		ts.Fatalf("the last check is %+v", last)
	}
}

func github(ts *testscript.TestScript, neg bool, args []string, usage string) *forgetest.Server {
	s, ok := servers.Load(ts.Name())
	if neg || len(args) < 1 || !ok {
		ts.Fatalf("usage, after github: %s", usage)
	}
	return s.(*forgetest.Server)
}
