package evidence

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

var start = time.Date(2026, 11, 22, 16, 12, 7, 0, time.UTC)

const runID = rehearse.RunID("20261122-161207-4f9k")

func threshold(t testing.TB, s string) rehearse.Threshold {
	t.Helper()
	th, err := rehearse.ParseThreshold(s)
	if err != nil {
		t.Fatal(err)
	}
	return th
}

func testPlan(t testing.TB) rehearse.Plan {
	return rehearse.Plan{
		Project: "docgen", Leg: rehearse.Production(), Seed: 7,
		Services: []rehearse.Service{{Name: "db", Env: map[string]string{"POSTGRES_PASSWORD": "hunter2"}}},
		Links:    []rehearse.LinkSpec{{ID: "docgen:db", Shape: rehearse.Symmetric(84*time.Millisecond, 0, rehearse.Gbit)}},
		Steps: []rehearse.Step{{Load: &rehearse.LoadStep{
			Name: "peak", Thresholds: []rehearse.Threshold{threshold(t, "http_req_failed rate<0.001")},
		}}},
	}
}

var testSamples = []rehearse.Sample{
	{Intended: 0, Sent: 1, End: 5e6, Request: "create", Status: 201, Bytes: 12, Passed: 1},
	{Intended: 1e6, Sent: 1e6, End: 9e6, Request: "create", Error: "timeout", Missed: 1},
}

// writeRun writes a whole run of one leg and gives its directory.
func writeRun(t testing.TB) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), ".rehearse")
	run, err := Create(root, runID, Meta{Project: "docgen", Version: "test", Kind: KindRun, Started: start, Legs: []string{"production"}})
	if err != nil {
		t.Fatal(err)
	}
	run.Now = func() time.Time { return start }
	leg, err := run.Leg("production")
	if err != nil {
		t.Fatal(err)
	}
	rel, sha, err := leg.WriteSamples("peak", testSamples)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range []rehearse.Record{
		{Begin: &rehearse.Begin{Version: "test", Plan: testPlan(t)}},
		{Service: &rehearse.ServiceEvent{Service: "db", State: rehearse.Ready, After: 5e6}},
		{Load: &rehearse.LoadResult{Step: "peak", Samples: rel, Count: len(testSamples), SHA256: sha, Asked: 2, Sent: 2}},
		{End: &rehearse.End{Elapsed: 1e9}},
	} {
		if err := leg.Append(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := leg.Close(); err != nil {
		t.Fatal(err)
	}
	return run.Dir()
}

func openLeg(t testing.TB, dir string) *rehearse.Evidence {
	t.Helper()
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Legs) != 1 {
		t.Fatalf("got %d legs, want 1", len(a.Legs))
	}
	return a.Legs[0].Evidence
}

func TestRoundTrip(t *testing.T) {
	dir := writeRun(t)
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := Meta{Run: runID, Project: "docgen", Version: "test", Kind: KindRun, Started: start, Legs: []string{"production"}}
	if !reflect.DeepEqual(a.Meta, want) {
		t.Errorf("got meta %+v, want %+v", a.Meta, want)
	}
	ev := a.Legs[0].Evidence
	if len(ev.Damage) > 0 {
		t.Errorf("got damage %q, want none", ev.Damage)
	}
	if len(ev.Records) != 4 || !ev.Records[1].Time.Equal(start) {
		t.Errorf("got records %+v, want four with the time of Now", ev.Records)
	}
	if !reflect.DeepEqual(ev.Samples["peak"], testSamples) {
		t.Errorf("got samples %+v, want %+v", ev.Samples["peak"], testSamples)
	}
	if got := ev.Plan().Services[0].Env["POSTGRES_PASSWORD"]; got != redacted {
		t.Errorf("got password %q in the plan, want it redacted", got)
	}
	if r := a.Report(); r.Run != runID || len(r.Legs) != 1 {
		t.Errorf("got report %+v", r)
	}
}

func TestGitignore(t *testing.T) {
	dir := writeRun(t)
	got, err := os.ReadFile(filepath.Join(dir, "..", "..", ".gitignore"))
	if err != nil || string(got) != "*\n" {
		t.Errorf("got .gitignore %q, %v", got, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	root := filepath.Join(t.TempDir(), ".rehearse")
	if _, err := Create(root, runID, Meta{Legs: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(root, runID, Meta{}); !errors.Is(err, os.ErrExist) {
		t.Errorf("second run of the same name: got %v, want that it exists", err)
	}
	if _, err := Create(root, "../x", Meta{}); err == nil {
		t.Error("got a run outside of its directory")
	}
	if _, err := Create(root, "y", Meta{Legs: []string{".."}}); err == nil {
		t.Error("got a leg outside of its run")
	}
}

func TestAppendIsConcurrencySafe(t *testing.T) {
	root := filepath.Join(t.TempDir(), ".rehearse")
	run, err := Create(root, runID, Meta{Legs: []string{"production"}})
	if err != nil {
		t.Fatal(err)
	}
	leg, err := run.Leg("production")
	if err != nil {
		t.Fatal(err)
	}
	if err := leg.Append(rehearse.Record{Begin: &rehearse.Begin{}}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				if err := leg.Append(rehearse.Record{Fact: &rehearse.Fact{Name: fmt.Sprint(i), Value: fmt.Sprint(j)}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := leg.Append(rehearse.Record{End: &rehearse.End{}}); err != nil {
		t.Fatal(err)
	}
	if err := leg.Close(); err != nil {
		t.Fatal(err)
	}
	ev := openLeg(t, run.Dir())
	if len(ev.Records) != 402 || len(ev.Damage) > 0 {
		t.Errorf("got %d records and damage %q, want 402 and none", len(ev.Records), ev.Damage)
	}
	for i := 1; i < len(ev.Records); i++ {
		if ev.Records[i].Time.Before(ev.Records[i-1].Time) {
			t.Fatalf("record %d is older than the one before it", i)
		}
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("needs /dev/full, a device that Linux has: ", err)
	}
	defer full.Close()
	leg := &Records{now: time.Now, file: full}
	err = leg.Append(rehearse.Record{End: &rehearse.End{}})
	if !errors.Is(err, syscall.ENOSPC) || rehearse.KindOf(err) != rehearse.Unavailable {
		t.Fatalf("got %v of kind %v, want an Unavailable that wraps ENOSPC", err, rehearse.KindOf(err))
	}
	var e *rehearse.Error
	if errors.As(err, &e); !strings.Contains(e.Hint, "/dev is full") {
		t.Errorf("got hint %q, want it to name the place", e.Hint)
	}
}

func TestTornLineStaysOneLine(t *testing.T) {
	dir := writeRun(t)
	file := filepath.Join(dir, "production", evidenceFile)
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"time":"20`); err != nil {
		t.Fatal(err)
	}
	leg := &Records{now: time.Now, file: f, torn: true}
	if err := leg.Append(rehearse.Record{Fact: &rehearse.Fact{Name: "after"}}); err != nil {
		t.Fatal(err)
	}
	if err := leg.Close(); err != nil {
		t.Fatal(err)
	}
	ev := openLeg(t, dir)
	if len(ev.Records) != 5 || len(ev.Damage) != 1 || !strings.Contains(ev.Damage[0], "Line 5") {
		t.Errorf("got %d records and damage %q, want 5 and line 5", len(ev.Records), ev.Damage)
	}
}

func TestDamage(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, dir string)
		want string
	}{
		{"no run.json", remove("run.json"), "run.json is missing"},
		{"run.json is no JSON", write("run.json", "{"), "run.json cannot be read"},
		{"leg gone", remove("production/evidence.jsonl"), "production has no evidence"},
		{"samples gone", remove("production/samples/peak.jsonl"), "are missing"},
		{"samples changed", write("production/samples/peak.jsonl", "{}\n{}\n"), "checksum differs"},
		{"samples short", write("production/samples/peak.jsonl", "{}\n"), "are 1 where the evidence counts 2"},
		{"samples are no JSON", write("production/samples/peak.jsonl", "{}\n?\n"), "hold 1 lines that cannot be read"},
		{"samples are a directory", func(t *testing.T, dir string) {
			remove("production/samples/peak.jsonl")(t, dir)
			if err := os.Mkdir(filepath.Join(dir, "production/samples/peak.jsonl"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
		{"samples elsewhere", edit(`samples/peak.jsonl`, `../../../../etc/passwd`), "cannot be read"},
		{"a line is no JSON", edit(`"state":"ready"`, `"state":`), "Line 2 of the evidence cannot be read"},
		{"a line from the future", edit(`"service":`, `"serviceV2":`), "no record that this version"},
		{"no end", edit(`"end":`, `"fin":`), "no closing record"},
		{"no begin", edit(`"begin":`, `"opening":`), "no opening record"},
		{"empty", write("production/evidence.jsonl", ""), "no opening record"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := writeRun(t)
			tt.do(t, dir)
			got := strings.Join(openLeg(t, dir).Damage, " ")
			if !strings.Contains(got, tt.want) {
				t.Errorf("got damage %q, want it to say %q", got, tt.want)
			}
		})
	}
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func write(name, content string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func edit(old, new string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		name := filepath.Join(dir, "production", evidenceFile)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), old) {
			t.Fatalf("the evidence does not hold %q", old)
		}
		write(filepath.Join("production", evidenceFile), strings.ReplaceAll(string(data), old, new))(t, dir)
	}
}

func TestOpenNotARun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{t.TempDir(), file, filepath.Join(t.TempDir(), "none")} {
		_, err := Open(dir)
		var e *rehearse.Error
		if !errors.As(err, &e) || e.Kind != rehearse.Invalid || !strings.Contains(e.Hint, "ls .rehearse/runs") {
			t.Errorf("Open: got %v, want an Invalid that says where runs are", err)
		}
	}
}

func TestLatest(t *testing.T) {
	root := filepath.Join(t.TempDir(), ".rehearse")
	if _, err := Latest(root); rehearse.KindOf(err) != rehearse.Invalid {
		t.Errorf("got %v, want Invalid when there is no run", err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var want string
	for i := range 3 {
		run, err := Create(root, NewRunID(start.Add(time.Duration(i)*time.Second), rnd), Meta{})
		if err != nil {
			t.Fatal(err)
		}
		want = run.Dir()
	}
	// A run that died before its run.json is not the latest one.
	if err := os.Mkdir(filepath.Join(root, "runs", "29991231-000000-zzzz"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := Latest(root); err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestNewRunID(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	a, b := NewRunID(start, rnd), NewRunID(start, rnd)
	if a == b || !strings.HasPrefix(string(a), "20261122-161207-") || len(a) != len(runID) {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{"peak": "peak", "../x": "%2E.%2Fx", "a b": "a%20b", ".": "%2E", "v1.2": "v1.2"} {
		if got := fileName(in); got != want {
			t.Errorf("fileName(%q): got %q, want %q", in, got, want)
		}
	}
}

func TestLegFiles(t *testing.T) {
	root := filepath.Join(t.TempDir(), ".rehearse")
	run, err := Create(root, runID, Meta{Legs: []string{"production"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Leg("other"); err == nil {
		t.Error("got a leg that the run does not have")
	}
	leg, err := run.Leg("production")
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Close()
	for range 2 {
		f, err := leg.OpenLog("db")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(f, "hello")
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(leg.Dir(), "logs", "db.log")); err != nil || string(got) != "hello\nhello\n" {
		t.Errorf("got log %q, %v", got, err)
	}
	rel, err := leg.SuiteDir("e2e")
	if err != nil || rel != "suites/e2e" {
		t.Errorf("got suite directory %q, %v", rel, err)
	}
	if _, _, err := leg.WriteSamples("peak", nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := leg.WriteSamples("peak", nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("second samples of a step: got %v, want that they exist", err)
	}
}

// FuzzTruncate cuts a valid evidence file anywhere: either everything is still
// there, or there is a sentence about the loss.
func FuzzTruncate(f *testing.F) {
	whole, err := os.ReadFile(filepath.Join(writeRun(f), "production", evidenceFile))
	if err != nil {
		f.Fatal(err)
	}
	all, damage := parseRecords(whole)
	if len(damage) > 0 {
		f.Fatalf("the seed is damaged: %q", damage)
	}
	for n := range len(whole) + 1 {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n int) {
		n = min(max(n, 0), len(whole))
		got, damage := parseRecords(whole[:n])
		if len(damage) == 0 && !reflect.DeepEqual(got, all) {
			t.Errorf("cut at byte %d of %d: got %d of %d records and no damage", n, len(whole), len(got), len(all))
		}
	})
}

// FuzzParse reads arbitrary bytes.
func FuzzParse(f *testing.F) {
	f.Add([]byte("{\"begin\":{\"plan\":{\"steps\":[{}]}}}\n{\"end\":null}\n\n[]"))
	f.Add([]byte("{\"time\":\"x\"}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, damage := parseRecords(data)
		if len(damage) == 0 && (records[0].Begin == nil || len(records) < 2) {
			t.Errorf("got %d records and no damage from %q", len(records), data)
		}
	})
}

// Who follows a file gets whole records as they come, and the last ones also when
// the file has gone.
func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	w, err := CreateRecords(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Follow(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	next := func(want ...string) {
		t.Helper()
		records, err := r.Next()
		var got []string
		for _, rec := range records {
			got = append(got, rec.Fact.Name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q (%v), want %q", got, err, want)
		}
	}
	next()
	for _, name := range []string{"one", "two"} {
		if err := w.Append(rehearse.Record{Fact: &rehearse.Fact{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.file.WriteString(`{"what no version knows":{}}` + "\n" + `{"fact":{"name":"thr`); err != nil {
		t.Fatal(err)
	}
	next("one", "two")
	if r.Removed() {
		t.Error("the file is there, and counts as removed")
	}
	if _, err := w.file.WriteString(`ee","value":""}}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if !r.Removed() {
		t.Error("the file has gone, and does not count as removed")
	}
	next("three")
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
