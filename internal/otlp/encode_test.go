package otlp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	rehearse "github.com/rehearse-dev/rehearse"
)

func TestAppendSpanBytes(t *testing.T) {
	sp := fullDecoded()
	sp.Attributes = sp.Attributes[:5]
	want := strings.Join([]string{
		pbytes(1, trace1), pbytes(2, span1), pbytes(4, span2), pbytes(5, "GET /"), pvarint(6, 3), pfixed64(7, 1_000_000_000), pfixed64(8, 1_250_000_000),
		pattr(9, "text", pbytes(1, "é")), pattr(9, "yes", pvarint(2, 1)), pattr(9, "no", pvarint(2, 0)), pattr(9, "minus", pvarint(3, 1<<64-1)), pattr(9, "half", pdouble(4, 0.5)),
		pbytes(11, pfixed64(1, 1_100_000_000), pbytes(2, "retry"), pattr(3, "n", pvarint(3, 2))),
		pbytes(13, pbytes(1, "fedcba9876543210"), pbytes(2, "linkspan")),
		pbytes(15, pbytes(2, "it broke"), pvarint(3, 2)),
	}, "")
	if got := string(AppendSpan(nil, &sp)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAppendTraces(t *testing.T) {
	sdk := fullDecoded()
	link := rehearse.Span{
		Trace: sdk.Trace, ID: rehearse.SpanID([]byte("linkspan")), Parent: sdk.ID, Name: "SELECT", Kind: rehearse.SpanClient, Service: "shop", Scope: rehearse.LinkScope,
		Start: time.Unix(5, 5).UTC(), Attributes: []rehearse.Attribute{{Key: rehearse.AttrLink, Value: "shop-db"}, {Key: rehearse.AttrShape, Value: 84.25}},
	}
	other := link
	other.Service, other.ID = "mail", rehearse.SpanID([]byte("mailspan"))
	spans := []rehearse.Span{sdk, link, other, sdk, link}
	spans[3].Name = strings.Repeat("long ", 100)
	got, err := decodeTraces(t, AppendTraces(nil, spans))
	if err != nil {
		t.Fatal(err)
	}
	// In order of their groups; a link's span has its service as the resource.
	link.Resource = []rehearse.Attribute{{Key: "service.name", Value: "shop"}}
	other.Resource = []rehearse.Attribute{{Key: "service.name", Value: "mail"}}
	want := []rehearse.Span{sdk, spans[3], link, link, other}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error("got -, want +:\n", diff)
	}
	if got, want := strings.Count(string(AppendTraces(nil, spans)), "service.name"), 3; got != want {
		t.Errorf("got %d resources, want %d", got, want)
	}
	if got := AppendTraces([]byte("before"), nil); string(got) != "before" {
		t.Errorf("no spans: got %q", got)
	}
}

func TestAppendLogs(t *testing.T) {
	records := []rehearse.LogRecord{
		{Time: time.Unix(2, 0).UTC(), Service: "shop", Stream: "out", Body: "ready", Severity: rehearse.SeverityInfo},
		{Time: time.Unix(3, 0).UTC(), Service: "shop", Body: "over OTLP", Trace: rehearse.TraceID([]byte(trace1)), Span: rehearse.SpanID([]byte(span1)), Attributes: []rehearse.Attribute{{Key: "k", Value: "v"}}},
		{Service: "mail", Stream: "err"},
	}
	var got []rehearse.LogRecord
	err := Logs(AppendLogs(nil, records), func(r *Resource, s *Scope, l *Log) error {
		got = append(got, l.Decode(r, s))
		return nil
	})
	if diff := cmp.Diff(got, records); diff != "" || err != nil {
		t.Error("got -, want +:\n", diff, err)
	}
}

func TestAppendRaw(t *testing.T) {
	var again []byte
	err := Traces([]byte(fullTraces), func(r *Resource, s *Scope, sp *Span) error {
		again = AppendResourceSpans(again, r.Raw, *s, [][]byte{sp.Raw, sp.Raw})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeTraces(t, again)
	if diff := cmp.Diff(got, []rehearse.Span{fullDecoded(), fullDecoded()}); diff != "" || err != nil {
		t.Error("got -, want +:\n", diff, err)
	}
}

// Lengths are written before what they are of, so that sizes on both sides of where
// a length takes a byte more have to be right.
func TestAppendRawLengths(t *testing.T) {
	for _, n := range []int{0, 1, 100, 123, 124, 125, 126, 127, 128, 129, 16379, 16380, 16381, 16382, 16383, 16384, 1 << 21} {
		text := []byte(strings.Repeat("x", n))
		resource := AppendResource(nil, "", []rehearse.Attribute{{Key: "k", Value: string(text)}})
		raw := AppendSpan(nil, &rehearse.Span{Trace: rehearse.TraceID{1}, ID: rehearse.SpanID{1}, Name: string(text)})
		for _, scope := range []Scope{{}, {Name: text}, {Version: text}, {Name: text, Version: text}} {
			spans := 0
			b := AppendResourceSpans([]byte{}, resource, scope, [][]byte{raw, raw})
			err := Traces(b, func(r *Resource, s *Scope, sp *Span) error {
				if !bytes.Equal(r.Raw, resource) || !bytes.Equal(s.Name, scope.Name) || !bytes.Equal(s.Version, scope.Version) || !bytes.Equal(sp.Raw, raw) {
					t.Errorf("%d bytes: something has come back as something else", n)
				}
				spans++
				return nil
			})
			if err != nil || spans != 2 {
				t.Errorf("%d bytes: got %d spans, want 2: %v", n, spans, err)
			}
		}
		// AppendTraces has lengths of its own.
		sp := rehearse.Span{Trace: rehearse.TraceID{1}, ID: rehearse.SpanID{1}, Scope: string(text), Service: rehearse.ServiceName(text)}
		err := Traces(AppendTraces(nil, []rehearse.Span{sp, sp}), func(r *Resource, s *Scope, _ *Span) error {
			if !bytes.Equal(r.Service, text) || !bytes.Equal(s.Name, text) {
				t.Errorf("%d bytes: the service or scope has come back as another", n)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestAppendValue(t *testing.T) {
	deep := any("bottom")
	for range 2 * MaxDepth {
		deep = []any{deep}
	}
	deepMap := any("bottom")
	for range 2 * MaxDepth {
		deepMap = []rehearse.Attribute{{Key: "k", Value: deepMap}}
	}
	for name, v := range map[string]any{"lists": deep, "maps": deepMap} {
		sp := fullDecoded()
		sp.Attributes = []rehearse.Attribute{{Key: "deep", Value: v}}
		if _, err := decodeTraces(t, AppendTraces(nil, []rehearse.Span{sp})); err != nil {
			t.Errorf("%s nested too deep are refused by the other side: %v", name, err)
		}
	}
	if got := ParseValue(appendValue(nil, 42, 1)).Any(); got != "42" {
		t.Errorf("a value of another type: got %v, want its text", got)
	}
	if got := ParseValue(appendValue(nil, "a\xff", 1)).Any(); got != "a\uFFFD" {
		t.Errorf("got %q, want UTF-8", got)
	}
}

func TestShut(t *testing.T) {
	for _, size := range []int{0, 1, 127, 128, 16383, 16384, 1 << 21} {
		body := strings.Repeat("x", size)
		b, place := open([]byte("before"), 7)
		got := string(shut(append(b, body...), place))
		if want := "before" + pbytes(7, body); got != want {
			t.Errorf("%d bytes: got %q…, want %q…", size, got[:12], want[:12])
		}
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		t    time.Time
		want uint64
	}{
		{time.Time{}, 0},
		{time.Unix(-1, 0), 0},
		{time.Unix(1, 5), 1_000_000_005},
	} {
		if got := nanoseconds(c.t); got != c.want {
			t.Errorf("%v: got %d, want %d", c.t, got, c.want)
		}
	}
	if got := at(1<<64 - 1); got.Year() != 2262 {
		t.Errorf("the last time: got %v, want it in 2262", got)
	}
	if !at(0).IsZero() {
		t.Error("0 is not the zero time")
	}
}

func ExampleAttributes() {
	sp := rehearse.Span{Attributes: []rehearse.Attribute{{Key: "db.system.name", Value: "postgresql"}, {Key: "server.port", Value: int64(5432)}}}
	for key, value := range Attributes(AppendSpan(nil, &sp), SpanAttributes) {
		fmt.Printf("%s = %v\n", key, value.Any())
	}
	// Output:
	// db.system.name = postgresql
	// server.port = 5432
}
