package load

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rehearse-dev/rehearse"
)

func TestTemplates(t *testing.T) {
	c := newCaptured()
	c.add("id", "doc-7")
	traffic := rehearse.Traffic{Lists: map[string][]string{"kind": {"invoice", "receipt"}}}
	tests := []struct{ template, want string }{
		{`plain`, `plain`},
		{`{{pick "kind"}}`, `invoice|receipt`},
		{`{{int 5 7}}`, `[567]`},
		{`{{int -9223372036854775808 9223372036854775807}}`, `-?\d+`},
		{`{{uuid}}`, `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`},
		{`{{seq}} {{seq}}`, `12 12`},
		{`{{captured "id"}}`, `doc-7`},
		{`{{text 40}}`, `[a-z][a-z ]{38}[a-z]`},
		{`{{text 0}}`, ``},
	}
	for _, tt := range tests {
		traffic.Requests = append(traffic.Requests, rehearse.Request{Name: tt.template, Method: "POST", Path: "/", Body: tt.template, Capture: map[string]string{"id": "$"}})
	}
	ws, err := newWriters(traffic, 9, c)
	if err != nil {
		t.Fatal(err)
	}
	body := func(n, index int) string {
		t.Helper()
		_, r, err := ws.write(context.Background(), n, index, "http://service")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.http.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for i, tt := range tests {
		want := regexp.MustCompile("^(?:" + tt.want + ")$")
		if got := body(11, i); !want.MatchString(got) {
			t.Errorf("%s gave %q, want %s", tt.template, got, tt.want)
		}
		if first, second := body(11, i), body(11, i); first != second {
			t.Errorf("%s gave %q and %q for the same request", tt.template, first, second)
		}
	}
	const uuid = 4
	if first, second := body(11, uuid), body(12, uuid); first == second {
		t.Errorf("two requests got the same UUID %s", first)
	}
}

// TestReplaced checks which request takes the place of one that cannot be made.
func TestReplaced(t *testing.T) {
	c := newCaptured()
	needs := func(name string) string { return fmt.Sprintf("/{{captured %q}}", name) }
	ws, err := newWriters(rehearse.Traffic{Requests: []rehearse.Request{
		{Name: "0", Path: needs("a"), Capture: map[string]string{"a": "$", "b": "$"}},
		{Name: "1", Path: "/"},
		{Name: "2", Path: needs("a")},
		{Name: "3", Path: needs("b")},
		{Name: "4", Path: needs("b")},
		{Name: "5", Path: "/"},
	}}, 1, c)
	if err != nil {
		t.Fatal(err)
	}
	all := func() []int {
		var made []int
		for i := range ws.requests {
			which, _, err := ws.write(context.Background(), 0, i, "http://service")
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, which)
		}
		return made
	}
	if diff := cmp.Diff([]int{1, 1, 1, 1, 5, 5}, all()); diff != "" {
		t.Errorf("requests made with nothing captured (-want +got):\n%s", diff)
	}
	c.add("a", "1")
	if diff := cmp.Diff([]int{0, 1, 2, 2, 5, 5}, all()); diff != "" {
		t.Errorf("requests made with a captured (-want +got):\n%s", diff)
	}
}

func TestLookUp(t *testing.T) {
	const body = `{"id": "x", "n": 1234567890123456789, "ok": true, "none": null, "list": [[1], {"a-b": "y"}]}`
	tests := []struct {
		path, want string
	}{
		{"$.id", "x"},
		{"$.n", "1234567890123456789"},
		{"$.ok", "true"},
		{"$.list[0][0]", "1"},
		{"$.list[1].a-b", "y"},
		{"$.none", ""},
		{"$.list", ""},
		{"$.list[2]", ""},
		{"$.id.x", ""},
		{"$.missing[0].x", ""},
		{"$", ""},
		{"id", ""},
	}
	for _, tt := range tests {
		c := newCaptured()
		c.take(map[string]string{"v": tt.path}, []byte(body))
		got := ""
		if r := c.values["v"]; r != nil {
			got = r.values[0]
		}
		if got != tt.want {
			t.Errorf("%s gave %q, want %q", tt.path, got, tt.want)
		}
	}
}

func TestCapturedForgetsTheOldest(t *testing.T) {
	c := newCaptured()
	for i := range keptValues + 3 {
		c.add("id", fmt.Sprint(i))
	}
	r := c.values["id"]
	if len(r.values) != keptValues || r.values[0] != fmt.Sprint(keptValues) || r.values[3] != "3" {
		t.Errorf("%d values, %s and %s in places 0 and 3; want %d, the newest and 3", len(r.values), r.values[0], r.values[3], keptValues)
	}
}
