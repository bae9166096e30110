package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestRead(t *testing.T) {
	got, err := read([]byte(`{"legs": [
		{"name": "staging", "outcome": "unverified", "findings": [{"check": "peak: load offered", "outcome": "unverified"}]},
		{"name": "production", "outcome": "fail", "findings": [{"check": "ready", "outcome": "pass"}, {"check": "check: log_errors", "outcome": "fail"}]}
	], "diagnosis": {"sentence": "It is the moon."}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := verdict{
		Staging: rehearse.Unverified, Production: rehearse.Fail,
		FoundBy: []string{"check: log_errors"}, Unsure: []string{"staging: peak: load offered"}, Diagnosis: "It is the moon.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the verdict (-want +got):\n%s", diff)
	}
	for _, report := range []string{"", "{}", `{"legs": [{"name": "production"}]}`} {
		if v, err := read([]byte(report)); err == nil {
			t.Errorf("read(%q): got %v, want an error", report, v)
		}
	}
}

func TestTotals(t *testing.T) {
	pass := verdict{Staging: rehearse.Pass, Production: rehearse.Pass}
	found := verdict{Staging: rehearse.Pass, Production: rehearse.Fail, Diagnosis: "It is the moon."}
	unsure := verdict{Staging: rehearse.Pass, Production: rehearse.Unverified}
	busy := verdict{Staging: rehearse.Fail, Production: rehearse.Fail, Unsure: []string{"staging: peak: load offered"}}
	good := result{Service: "good", AsItIs: found, Corrected: []verdict{pass, pass}}
	bad := result{Service: "bad", AsItIs: pass, Corrected: []verdict{found, unsure, busy}}
	if !good.right() || bad.right() {
		t.Errorf("right: got %v and %v, want true and false", good.right(), bad.right())
	}
	want := "staging passes 2/2 · detected in production 1/2 · diagnosed 1/2 · false alarms on the corrected 1/5 · unverified 2/5\n"
	if got := totals([]result{good, bad}); got != want {
		t.Errorf("totals: got %q, want %q", got, want)
	}
	if got := table([]result{good, bad}); !strings.Contains(got, "2 of 2 pass") || !strings.Contains(got, "0 of 3 pass, 1 FAIL, 2 unverified") {
		t.Errorf("the table does not say how the corrected services did:\n%s", got)
	}
}
