package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

func TestRefused(t *testing.T) {
	ev := &rehearse.Evidence{Records: []rehearse.Record{
		{Fact: &rehearse.Fact{Name: "driver.tier", Value: "containers"}},
		{Fact: &rehearse.Fact{Name: rehearse.FactRefused, Value: "api → api.payments.example"}},
		{Fact: &rehearse.Fact{Name: rehearse.FactRefused, Value: "api → 192.0.2.9:80"}},
	}}
	r := rehearse.Report{Legs: []rehearse.LegReport{{Name: "production", Evidence: ev}}}
	var text, comment bytes.Buffer
	if err := Terminal(&text, r, TerminalOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Markdown(&comment, r); err != nil {
		t.Fatal(err)
	}
	if want := "\nrefused in production: no link leads there\napi → api.payments.example\napi → 192.0.2.9:80\n"; !strings.HasSuffix(text.String(), want) {
		t.Errorf("got %q, want %q at its end", text.String(), want)
	}
	if want := "\n- api → api.payments.example\n- api → 192.0.2.9:80\n"; !strings.Contains(comment.String(), want) {
		t.Errorf("got %q, want %q in it", comment.String(), want)
	}

	for i := range shownRefusals {
		ev.Records = append(ev.Records, rehearse.Record{Fact: &rehearse.Fact{Name: rehearse.FactRefused, Value: fmt.Sprintf("api → 192.0.2.9:%d", i)}})
	}
	text.Reset()
	if err := Terminal(&text, r, TerminalOptions{}); err != nil {
		t.Fatal(err)
	}
	if want := "\napi → 192.0.2.9:7\nand 2 more\n"; !strings.HasSuffix(text.String(), want) {
		t.Errorf("got %q, want %q at its end", text.String(), want)
	}
}
