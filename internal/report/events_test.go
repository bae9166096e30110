package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestEvents(t *testing.T) {
	code := 137
	for _, c := range []struct {
		record rehearse.Record
		want   []string
	}{
		{rehearse.Record{Service: &rehearse.ServiceEvent{Service: "web", State: rehearse.Waiting}}, nil},
		{rehearse.Record{Service: &rehearse.ServiceEvent{Service: "web", State: rehearse.Building}}, []string{"preparing|web|"}},
		{rehearse.Record{Service: &rehearse.ServiceEvent{Service: "web", State: rehearse.Building, Reset: true}}, []string{"reset|web|"}},
		{rehearse.Record{Service: &rehearse.ServiceEvent{Service: "web", State: rehearse.Ready, After: rehearse.Duration(1500 * time.Millisecond)}}, []string{"ready|web|after 1.5s"}},
		{rehearse.Record{Service: &rehearse.ServiceEvent{
			Service: "web", State: rehearse.Failed, ExitCode: &code, Reason: "out of memory: the limit is 64 MB", Again: true, Detail: "it ended and is started again",
		}}, []string{"out of memory|web|out of memory: the limit is 64 MB", "restarted|web|it ended and is started again"}},
		{rehearse.Record{Service: &rehearse.ServiceEvent{Service: "web", State: rehearse.Failed, ExitCode: &code, Reason: "exit 1", Detail: "it ended (exit 1) after 2s"}},
			[]string{"exited|web|it ended (exit 1) after 2s"}},
		{rehearse.Record{Service: &rehearse.ServiceEvent{Service: "web", State: rehearse.Failed, Detail: "it is not ready"}}, []string{"failed|web|it is not ready"}},
		{rehearse.Record{Service: &rehearse.ServiceEvent{Service: "web", State: rehearse.Stopped, Lost: true, Detail: "the engine is gone"}}, []string{"lost|web|the engine is gone"}},
		{rehearse.Record{Link: &rehearse.LinkEvent{Link: "web:db", By: "toxiproxy", Cleared: []string{"slow"}, Set: []rehearse.Fault{{Kind: rehearse.FaultReset}}}},
			[]string{"fault cleared|web:db|slow by toxiproxy", "fault set|web:db|reset by toxiproxy"}},
		{rehearse.Record{Link: &rehearse.LinkEvent{Link: "web:db", By: "person", Shape: &rehearse.Shape{}}}, []string{"shape set|web:db|flat by person"}},
		{rehearse.Record{Fact: &rehearse.Fact{Name: rehearse.FactRefused, Value: "web → example.com", Note: "no link leads there"}}, []string{"egress refused|web|example.com: no link leads there"}},
		{rehearse.Record{Fact: &rehearse.Fact{Name: "driver.tier", Value: "containers"}}, []string{"fact|driver.tier|containers"}},
		{rehearse.Record{Happening: &rehearse.Happening{Service: "web", Action: "pause", Outside: true, Detail: "web was paused"}}, []string{"pause from outside|web|web was paused"}},
		{rehearse.Record{Happening: &rehearse.Happening{Service: "web", Action: rehearse.HappenedOOM, Detail: "a process was killed"}}, []string{"out of memory|web|a process was killed"}},
		{rehearse.Record{Action: &rehearse.ActionEvent{Step: "cut", Action: 1, Over: true, Error: "no such link"}}, []string{"action ended|cut|number 1: no such link"}},
		{rehearse.Record{Tick: &rehearse.Tick{}}, nil},
		{rehearse.Record{End: &rehearse.End{Error: "interrupted"}}, []string{"ended||interrupted"}},
	} {
		var got []string
		for _, e := range Events(c.record) {
			got = append(got, e.Event+"|"+e.Of+"|"+e.Text())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.record, diff)
		}
	}
}
