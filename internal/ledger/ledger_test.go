package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/ledger"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local)

func entry(project string, ended time.Time, cpu time.Duration) ledger.Entry {
	return ledger.Entry{
		Ended: ended, Project: project, Purpose: "run",
		Spent:  rehearse.Spent{Elapsed: rehearse.Duration(time.Hour), Services: []rehearse.ServiceSpent{{Service: "db", CPU: rehearse.Duration(cpu), Memory: 3600 << 30}}},
		Prices: rehearse.Prices{Currency: "EUR", CPU: 0.5, Memory: 0.25, Environment: 0.125},
	}
}

func TestEntriesComeBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	l := ledger.In(dir)
	if got, _, err := l.Read(time.Time{}); err != nil || len(got) != 0 {
		t.Fatalf("a ledger that was never written has %v, %v", got, err)
	}
	want := []ledger.Entry{entry("a", noon, time.Hour), entry("b", noon.Add(time.Hour), 2*time.Hour)}
	for _, e := range want {
		if err := l.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	got, skipped, err := l.Read(time.Time{})
	if err != nil || skipped != 0 {
		t.Fatal(skipped, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if got, _, _ := l.Read(noon.Add(time.Minute)); len(got) != 1 || got[0].Project != "b" {
		t.Errorf("since a minute past noon there is %v", got)
	}
}

// TestCutLine adds to a ledger whose last line a crash has cut short.
func TestCutLine(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ledger.jsonl"), []byte(`{"ended":"2026-11-20T1`), 0o600); err != nil {
		t.Fatal(err)
	}
	l := ledger.In(dir)
	if err := l.Add(entry("a", noon, time.Hour)); err != nil {
		t.Fatal(err)
	}
	got, skipped, err := l.Read(time.Time{})
	if err != nil || skipped != 1 || len(got) != 1 {
		t.Errorf("read %d entries and skipped %d, %v; want one of each", len(got), skipped, err)
	}
}

func TestManyAddAtOnce(t *testing.T) {
	l := ledger.In(t.TempDir())
	var adding sync.WaitGroup
	const many = 50
	for i := range many {
		adding.Go(func() {
			if err := l.Add(entry(fmt.Sprint(i), noon, time.Hour)); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	if got, skipped, err := l.Read(time.Time{}); err != nil || skipped != 0 || len(got) != many {
		t.Errorf("%d entries and %d lines that are none, %v", len(got), skipped, err)
	}
}

func TestBy(t *testing.T) {
	free := entry("a", noon, time.Hour)
	free.Prices = rehearse.Prices{}
	dollars := entry("a", noon, time.Hour)
	dollars.Prices.Currency = "USD"
	entries := []ledger.Entry{entry("b", noon, 4*time.Hour), free, dollars, entry("a", noon.AddDate(0, 0, -1), time.Hour)}

	got := map[string][]string{}
	for _, way := range ledger.Ways() {
		for _, s := range ledger.By(way, entries) {
			got[way] = append(got[way], fmt.Sprintf("%s: %d, %g h CPU, %g GiB·h, %g h, %s", s.Key, s.Count, s.Hours, s.Memory, s.Stood, s.Amounts()))
		}
	}
	want := map[string][]string{
		"change":  {"–: 4, 7 h CPU, 4 GiB·h, 4 h, 3.25 EUR + 0.88 USD"},
		"day":     {"2026-11-19: 1, 1 h CPU, 1 GiB·h, 1 h, 0.88 EUR", "2026-11-20: 3, 6 h CPU, 3 GiB·h, 3 h, 2.38 EUR + 0.88 USD"},
		"project": {"b: 1, 4 h CPU, 1 GiB·h, 1 h, 2.38 EUR", "a: 3, 3 h CPU, 3 GiB·h, 3 h, 0.88 EUR + 0.88 USD"},
		"purpose": {"run: 4, 7 h CPU, 4 GiB·h, 4 h, 3.25 EUR + 0.88 USD"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
}

// Whatever a crash or a person has done to the file, what can be read of it counts.
func TestDamagedLinesAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	l := ledger.In(dir)
	long := make([]byte, 5<<20)
	for _, damage := range [][]byte{[]byte("garbage\n"), append(long, '\n'), []byte(`{"ended":"2026-11-20T12:00:00Z","spent":{"elapsed":"-3h"}}` + "\n"), []byte("\n"), []byte(`{"ended":"2026-11-20T1`)} {
		if err := l.Add(entry("a", noon, time.Hour)); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(dir, "ledger.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.Write(damage)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	got, skipped, err := l.Read(time.Time{})
	if err != nil || len(got) != 5 || skipped != 4 {
		t.Errorf("got %d entries, %d skipped, %v; want 5 and 4", len(got), skipped, err)
	}
}
