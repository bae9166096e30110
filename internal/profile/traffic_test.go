package profile

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rehearse-dev/rehearse"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestReadTraffic(t *testing.T) {
	profile, err := ReadTraffic(filepath.Join("testdata", "peak.traffic.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := rehearse.Traffic{
		Duration: rehearse.Duration(20 * time.Second),
		Arrivals: rehearse.Poisson,
		Timeout:  rehearse.Duration(5 * time.Second),
		Rate: []rehearse.RatePoint{
			{At: 0, PerSecond: 5},
			{At: rehearse.Duration(7 * time.Second), PerSecond: 32},
		},
		Origins: []rehearse.Origin{{Region: "eu-west-1", Weight: 0.7}, {Region: "us-east-1", Weight: 0.3}},
		Lists:   map[string][]string{"template": {"invoice", "receipt"}},
		Requests: []rehearse.Request{{
			Name:     "create",
			Weight:   8,
			Method:   "POST",
			Path:     "/documents",
			Headers:  map[string]string{"Content-Type": "application/json"},
			Body:     `{"template":"{{pick "template"}}","customer":{{int 1 5000}}}`,
			Capture:  map[string]string{"id": "$.id"},
			Status:   []int{201},
			Contains: []string{`"id"`},
		}, {
			Name:   "read",
			Weight: 2,
			Method: "GET",
			Path:   `/documents/{{captured "id"}}`,
		}},
	}
	if diff := cmp.Diff(want, profile.Over(0)); diff != "" {
		t.Errorf("Over(0) (-want +got):\n%s", diff)
	}

	got := profile.Over(40 * time.Second)
	want.Duration = rehearse.Duration(40 * time.Second)
	want.Rate[1].At = rehearse.Duration(14 * time.Second)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Over(40s) (-want +got):\n%s", diff)
	}

	got.Origins[0].Link = "ingress/eu-west-1:web"
	if link := profile.Over(0).Origins[0].Link; link != "" {
		t.Errorf("a link set in one answer of Over shows in another: %s", link)
	}
}

func TestDefaults(t *testing.T) {
	profile, err := ParseTraffic("small.yaml", []byte(`{version: 1, duration: 1s, rate: [{at: 0, rps: 1}], requests: [{name: home, path: /}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := rehearse.Traffic{
		Duration: rehearse.Duration(time.Second),
		Arrivals: rehearse.Poisson,
		Timeout:  rehearse.Duration(10 * time.Second),
		Rate:     []rehearse.RatePoint{{PerSecond: 1}},
		Origins:  []rehearse.Origin{{Weight: 1}},
		Requests: []rehearse.Request{{Name: "home", Weight: 1, Method: "GET", Path: "/"}},
	}
	if diff := cmp.Diff(want, profile.Over(0)); diff != "" {
		t.Errorf("Over(0) (-want +got):\n%s", diff)
	}
}

// TestPackageExample keeps the example of the package documentation readable
// by the package, and the same as the one that the tests read.
func TestPackageExample(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join("testdata", "peak.traffic.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	traffic, _, found := strings.Cut(string(doc), "# The data profile")
	if !found {
		t.Fatal("doc.go has no part on the data profile")
	}
	var example strings.Builder
	for line := range strings.Lines(traffic) {
		if code, ok := strings.CutPrefix(line, "//\t"); ok {
			example.WriteString(code)
		}
	}
	if diff := cmp.Diff(string(file), example.String()); diff != "" {
		t.Errorf("testdata/peak.traffic.yaml and the example in doc.go differ (-file +doc):\n%s", diff)
	}
}

// TestProblems compares all problems of each testdata/bad/*.yaml, with hints,
// with the golden text beside it.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "bad", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files to try: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = ParseTraffic(filepath.Base(file), data)
			var problems rehearse.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want problems", err)
			}
			var got strings.Builder
			for _, p := range problems {
				fmt.Fprintln(&got, p)
				if p.Hint != "" {
					fmt.Fprintln(&got, "\t"+p.Hint)
				}
				if p.Kind != rehearse.Invalid {
					t.Errorf("%v is of kind %v, want Invalid", p, p.Kind)
				}
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	_, err := ReadTraffic(filepath.Join(t.TempDir(), "none.yaml"))
	if !errors.Is(err, os.ErrNotExist) || rehearse.KindOf(err) != rehearse.Invalid {
		t.Errorf("got %v, want an Invalid error that says that the file does not exist", err)
	}
	if n := strings.Count(err.Error(), "none.yaml"); n != 1 {
		t.Errorf("%q names the file %d times, want once", err, n)
	}
}

func FuzzParseTraffic(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/bad/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		profile, err := ParseTraffic("fuzz.yaml", data)
		if err != nil {
			var problems rehearse.Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("got %T %v, want problems", err, err)
			}
			return
		}
		traffic := profile.Over(time.Minute)
		if total := traffic.Total(); total < 0 || math.IsInf(total, 0) || math.IsNaN(total) {
			t.Errorf("a valid profile with %v arrivals", total)
		}
		if len(traffic.Requests) == 0 || len(traffic.Origins) == 0 {
			t.Errorf("a valid profile without requests or origins: %+v", traffic)
		}
	})
}
