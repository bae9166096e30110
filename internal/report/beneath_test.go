package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

func TestBeneath(t *testing.T) {
	code := 137
	usage := func(throttled int64) *rehearse.UsageResult {
		return &rehearse.UsageResult{Step: "peak", Services: []rehearse.ServiceUsage{{
			Service: "api", Throttled: rehearse.Throttling{Periods: 100, Throttled: throttled, For: rehearse.Duration(3200 * time.Millisecond)},
		}}}
	}
	ev := &rehearse.Evidence{Records: []rehearse.Record{
		{Begin: &rehearse.Begin{Plan: rehearse.Plan{Services: []rehearse.Service{{Name: "api", Limits: rehearse.Limits{CPUs: 0.2}}, {Name: "db"}}}}},
		{Service: &rehearse.ServiceEvent{Service: "db", State: rehearse.Failed, ExitCode: &code, OutOfMemory: true, Restart: 1}},
		{Service: &rehearse.ServiceEvent{Service: "db", State: rehearse.Failed, ExitCode: &code, OutOfMemory: true, Restart: 2}},
		{Usage: usage(85)},
	}}
	r := rehearse.Report{Legs: []rehearse.LegReport{{Name: "production", Evidence: ev}}}
	said := func() (text, comment, page string) {
		t.Helper()
		var a, b, c bytes.Buffer
		if err := Terminal(&a, r, TerminalOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := Markdown(&b, r); err != nil {
			t.Fatal(err)
		}
		if err := HTML(&c, r); err != nil {
			t.Fatal(err)
		}
		return a.String(), b.String(), c.String()
	}
	text, comment, page := said()
	for _, want := range []string{
		"db was started again 2×: it had ended with exit code 137, signal 9, out of memory\n",
		"api was at its limit of 0.2 CPUs in 85% of the periods of peak, and kept from running for 3.2s\n",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("got %q, want %q in it", text, want)
		}
		if !strings.Contains(comment, "- "+want) {
			t.Errorf("got %q, want %q in it", comment, want)
		}
	}
	if want := "services.api.cpu.throttled"; !strings.Contains(page, want) {
		t.Errorf("the page does not have %s", want)
	}
	ev.Records[3].Usage = usage(5)
	text, _, page = said()
	if strings.Contains(text, "at its limit") {
		t.Errorf("5%% of periods are worth no line: %s", text)
	}
	if want := "5.0%"; !strings.Contains(page, want) {
		t.Errorf("the page does not have %s", want)
	}
}
