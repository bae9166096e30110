package verdict

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// finding is the one of a check; nil when there is none.
func finding(v rehearse.Verdict, check string) *rehearse.Finding {
	i := slices.IndexFunc(v.Findings, func(f rehearse.Finding) bool { return f.Check == check })
	if i < 0 {
		return nil
	}
	return &v.Findings[i]
}

// TestOutside has somebody do things to services of a change that fails.
func TestOutside(t *testing.T) {
	pause := rehearse.Happening{Service: "web", Action: "pause", Outside: true, Detail: "web was paused"}
	resume := rehearse.Happening{Service: "web", Action: "unpause", Outside: true, Detail: "web was paused for 3.2s", For: rehearse.Duration(3200 * time.Millisecond)}
	kill := rehearse.Happening{Service: "db", Action: "kill", Outside: true, Detail: "db was sent the signal 15 (terminated)"}
	ours := rehearse.Happening{Service: "db", Action: "oom", Detail: "db ran out of memory"}
	for _, test := range []struct {
		name           string
		before, during []rehearse.Happening
		unready        bool
		outcome        rehearse.Outcome // of the whole
		got, detail    string           // of the finding; empty: none
	}{
		{name: "nothing", outcome: rehearse.Fail},
		{name: "our own", during: []rehearse.Happening{ours}, outcome: rehearse.Fail},
		{name: "a pause before", before: []rehearse.Happening{pause, resume}, outcome: rehearse.Fail, got: "paused before the first step", detail: ": web was paused for 3.2s. It was over"},
		{name: "a pause that kept it from being ready", before: []rehearse.Happening{pause, resume}, unready: true, outcome: rehearse.Unverified, got: "1 thing done from outside", detail: ": web was paused for 3.2s."},
		{name: "a pause during", during: []rehearse.Happening{pause, resume}, outcome: rehearse.Unverified, got: "1 thing done from outside", detail: ": web was paused for 3.2s."},
		{name: "a pause into", before: []rehearse.Happening{pause}, during: []rehearse.Happening{resume}, outcome: rehearse.Unverified, got: "1 thing done from outside", detail: ": web was paused for 3.2s."},
		{name: "a pause without end", before: []rehearse.Happening{pause}, outcome: rehearse.Unverified, got: "1 thing done from outside", detail: ": web was paused."},
		{name: "a signal before", before: []rehearse.Happening{pause, resume, kill}, outcome: rehearse.Unverified, got: "2 things done from outside", detail: ": web was paused for 3.2s; db was sent the signal 15 (terminated)."},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.suite.ExitCode = 1
			if test.unready {
				s.services = []rehearse.ServiceEvent{{Service: "web", State: rehearse.Failed}}
			}
			ev := s.evidence()
			at := slices.IndexFunc(ev.Records, func(r rehearse.Record) bool { return r.Load != nil })
			insert := func(at int, all []rehearse.Happening) {
				for i := range all {
					ev.Records = slices.Insert(ev.Records, at+i, rehearse.Record{Happening: &all[i]})
				}
			}
			insert(at+1, test.during)
			insert(at, test.before)
			v := Judge("production", ev)
			if v.Outcome != test.outcome {
				t.Errorf("the verdict is %s, want %s: %+v", v.Outcome, test.outcome, v.Findings)
			}
			f := finding(v, "left alone")
			switch {
			case f == nil && test.got != "":
				t.Error("no finding says so")
			case f != nil && (f.Got != test.got || !strings.Contains(f.Detail, test.detail)):
				t.Errorf("the finding is %+v, want %s, %s", f, test.got, test.detail)
			}
		})
	}
}

// TestMemory has a process killed for want of memory while its service goes on.
func TestMemory(t *testing.T) {
	for _, test := range []struct {
		name    string
		limit   int64
		falls   bool
		outcome rehearse.Outcome // of the finding; empty: none
	}{
		{"at its limit", 64 << 20, false, rehearse.Fail},
		{"the host's", 0, false, rehearse.Unverified},
		{"with its service", 64 << 20, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.plan.Services[2].Limits.Memory = test.limit
			if test.falls {
				s.services = append(s.services, rehearse.ServiceEvent{Service: "web", State: rehearse.Failed, OutOfMemory: true})
			}
			ev := s.evidence()
			ev.Records = append(ev.Records, rehearse.Record{Happening: &rehearse.Happening{Service: "web", Action: rehearse.HappenedOOM, Detail: "web ran out of memory: the limit is 64 MB"}})
			f := finding(Judge("production", ev), "within memory")
			switch {
			case (f == nil) != (test.outcome == ""):
				t.Errorf("the finding is %+v", f)
			case f != nil && (f.Outcome != test.outcome || !strings.Contains(f.Detail, "the limit is 64 MB.")):
				t.Errorf("the finding is %+v, want %s with the limit", f, test.outcome)
			}
		})
	}
}
