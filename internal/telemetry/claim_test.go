package telemetry

import (
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// TestServicesDoNotSpeakForLinks has a service tell of a span with a link's scope
// and attributes.
func TestServicesDoNotSpeakForLinks(t *testing.T) {
	s, err := New(Options{Services: []rehearse.ServiceName{"web"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	claim := rehearse.Span{
		Trace: rehearse.TraceID{1}, ID: rehearse.SpanID{1}, Name: "SELECT", Service: "web", Scope: rehearse.LinkScope,
		Attributes: []rehearse.Attribute{{Key: rehearse.AttrLink, Value: "web:db"}},
	}
	if err := export(s, "web", []rehearse.Span{claim}); err != nil {
		t.Fatal(err)
	}
	got := s.Spans(Query{})
	if len(got) != 1 || got[0].Scope == rehearse.LinkScope {
		t.Errorf("the store has %+v; want one span that is no link's", got)
	}
	if ops := s.Stats().Operations; len(ops) != 1 || ops[0].Link != "" {
		t.Errorf("operations are %+v; want one of a service", ops)
	}
}
