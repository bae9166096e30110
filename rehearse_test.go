package rehearse_test

import (
	"encoding/json"
	"math"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestParseThreshold(t *testing.T) {
	for _, c := range []struct {
		in        string
		metric    string
		tag       string
		aggregate string
		percent   float64
		op        string
		bound     float64
	}{
		{"http_req_duration p(99)<800ms", "http_req_duration", "", "p", 99, "<", 0.8},
		{"http_req_duration p(99.9) <= 800", "http_req_duration", "", "p", 99.9, "<=", 0.8},
		{"http_req_duration{name:create} med<1s", "http_req_duration", "create", "med", 0, "<", 1},
		{"http_req_failed rate<0.001", "http_req_failed", "", "rate", 0, "<", 0.001},
		{"http_req_failed rate<0.1%", "http_req_failed", "", "rate", 0, "<", 0.001},
		{"checks rate>=0.99", "checks", "", "rate", 0, ">=", 0.99},
		{"http_reqs count>100", "http_reqs", "", "count", 0, ">", 100},
		{" http_reqs  rate == 5 ", "http_reqs", "", "rate", 0, "==", 5},
	} {
		got, err := rehearse.ParseThreshold(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got.Metric != c.metric || got.Tag != c.tag || got.Aggregate != c.aggregate || got.Percent != c.percent || got.Op != c.op || math.Abs(got.Bound-c.bound) > 1e-12 {
			t.Errorf("%s: got %+v", c.in, got)
		}
	}
}

func TestParseThresholdSays(t *testing.T) {
	for in, want := range map[string]string{
		"fast please":                      `"fast please" is not a threshold; write METRIC AGGREGATE OP NUMBER, as in "http_req_duration p(99)<800ms"`,
		"http_req_duraton p(99)<1s":        `"http_req_duraton p(99)<1s": there is no metric "http_req_duraton"; did you mean http_req_duration?`,
		"http_req_failed p(99)<1":          `"http_req_failed p(99)<1": http_req_failed has no aggregate p(99); it has rate`,
		"http_req_duration p(0)<1s":        `"http_req_duration p(0)<1s": a percentile is above 0 and at most 100, not 0`,
		"http_req_failed rate<5ms":         `"http_req_failed rate<5ms": the unit ms does not fit http_req_failed`,
		"http_req_duration avg<5%":         `"http_req_duration avg<5%": the unit % does not fit http_req_duration`,
		"http_req_duration count<5":        `"http_req_duration count<5": http_req_duration has no aggregate count; it has avg, min, max, med, p(N)`,
		"http_req_duration p(99)<1.2.3 ms": `"http_req_duration p(99)<1.2.3 ms": 1.2.3 is not a number`,
	} {
		_, err := rehearse.ParseThreshold(in)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", in, err, want)
		}
	}
}

func TestThresholdHolds(t *testing.T) {
	for _, c := range []struct {
		in   string
		v    float64
		want bool
	}{
		{"http_reqs count<5", 4, true}, {"http_reqs count<5", 5, false},
		{"http_reqs count<=5", 5, true}, {"http_reqs count>5", 5, false}, {"http_reqs count>=5", 5, true},
		{"http_reqs count==5", 5, true}, {"http_reqs count!=5", 5, false},
	} {
		th, err := rehearse.ParseThreshold(c.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := th.Holds(c.v); got != c.want {
			t.Errorf("%s of %v: %v, want %v", c.in, c.v, got, c.want)
		}
	}
	if (rehearse.Threshold{}).Holds(0) {
		t.Error("the zero threshold holds")
	}
}

func TestTraffic(t *testing.T) {
	s := func(n float64) rehearse.Duration { return rehearse.Duration(n * float64(time.Second)) }
	ramp := rehearse.Traffic{Duration: s(10), Rate: []rehearse.RatePoint{{At: s(2), PerSecond: 10}, {At: s(4), PerSecond: 30}, {At: s(4), PerSecond: 5}}}
	for _, c := range []struct{ at, rate, before float64 }{
		{0, 10, 0}, {2, 10, 20}, {3, 20, 35}, {3.999999999, 30, 60}, {4, 5, 60}, {6, 5, 70}, {10, 5, 90}, {12, 5, 90},
	} {
		at := time.Duration(c.at * float64(time.Second))
		if got := ramp.At(at); math.Abs(got-c.rate) > 1e-4 {
			t.Errorf("rate at %v: %v, want %v", at, got, c.rate)
		}
		if got := ramp.Before(at); math.Abs(got-c.before) > 1e-4 {
			t.Errorf("arrivals before %v: %v, want %v", at, got, c.before)
		}
	}
	flat := ramp.Flat()
	if got, want := flat.Total(), ramp.Total(); math.Abs(got-want) > 1e-9 {
		t.Errorf("flat traffic has %v arrivals, want as many as before: %v", got, want)
	}
	if flat.Peak() != flat.At(0) || flat.Arrivals != rehearse.Even {
		t.Errorf("flat traffic is not: %+v", flat)
	}
	if got := (rehearse.Traffic{Duration: s(1)}).Total(); got != 0 {
		t.Errorf("no rate gives %v arrivals", got)
	}
}

func TestShapeString(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, c := range []struct {
		shape rehearse.Shape
		want  string
	}{
		{rehearse.Shape{}, "flat"},
		{rehearse.Symmetric(ms(84), ms(6), rehearse.Gbit), "rtt 84ms ±6ms, 1Gbit/s"},
		{rehearse.Symmetric(0, 0, 20*rehearse.Mbit), "20Mbit/s"},
		{rehearse.Shape{Up: rehearse.Path{Delay: rehearse.Duration(ms(5))}}, "up 5ms, down flat"},
	} {
		if got := c.shape.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestUnitsRoundTrip(t *testing.T) {
	rate := func(n uint32) bool {
		want := rehearse.Rate(n)
		data, err := json.Marshal(want)
		if err != nil {
			return false
		}
		var got rehearse.Rate
		return json.Unmarshal(data, &got) == nil && got == want
	}
	if err := quick.Check(rate, nil); err != nil {
		t.Error(err)
	}
	duration := func(n int64) bool {
		want := rehearse.Duration(n)
		data, err := json.Marshal(want)
		if err != nil {
			return false
		}
		var got rehearse.Duration
		return json.Unmarshal(data, &got) == nil && got == want
	}
	if err := quick.Check(duration, nil); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "fast", "-1Mbit", "1", "1Tbit"} {
		if _, err := rehearse.ParseRate(bad); err == nil {
			t.Errorf("%q is taken for a rate", bad)
		}
	}
}

func TestRound(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 1234567: "1.23ms", 84 * time.Millisecond: "84ms", 12345 * time.Millisecond: "12.3s", -1234567: "-1.23ms",
	} {
		if got := rehearse.Round(in).String(); got != want {
			t.Errorf("Round(%d) = %s, want %s", in, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"services", "network", "db", "traffic"}
	for word, want := range map[string]string{"servces": "services", "netwrok": "network", "trafic": "traffic", "dbb": "db", "web": "", "zzzzzzzz": "", "": ""} {
		if got, _ := rehearse.Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestConclude(t *testing.T) {
	finding := func(o ...rehearse.Outcome) (out []rehearse.Finding) {
		for _, x := range o {
			out = append(out, rehearse.Finding{Outcome: x})
		}
		return out
	}
	for _, c := range []struct {
		in   []rehearse.Finding
		want rehearse.Outcome
	}{
		{nil, rehearse.Unverified},
		{finding(rehearse.Pass), rehearse.Pass},
		{finding(rehearse.Pass, rehearse.Skipped), rehearse.Pass},
		{finding(rehearse.Skipped), rehearse.Unverified},
		{finding(rehearse.Pass, rehearse.Unverified), rehearse.Unverified},
		{finding(rehearse.Unverified, rehearse.Fail, rehearse.Pass), rehearse.Fail},
	} {
		if got := rehearse.Conclude(c.in); got != c.want {
			t.Errorf("Conclude(%v) = %s, want %s", c.in, got, c.want)
		}
	}
}

func TestLegs(t *testing.T) {
	if len(rehearse.Staging().Facets) != 0 {
		t.Error("the staging leg has facets in force")
	}
	for _, f := range rehearse.Facets() {
		if !rehearse.Production().Has(f) {
			t.Errorf("the production leg lacks %s", f)
		}
	}
	want := rehearse.Leg{Name: "only-network-data", Facets: []rehearse.Facet{rehearse.FacetNetwork, rehearse.FacetData}}
	if diff := cmp.Diff(want, rehearse.Only(rehearse.FacetData, rehearse.FacetNetwork)); diff != "" {
		t.Errorf("Only, -want +got:\n%s", diff)
	}
}

func TestErrorText(t *testing.T) {
	err := &rehearse.Error{Kind: rehearse.Invalid, File: "rehearse.yaml", Line: 3, Msg: "unknown key", Err: &rehearse.Error{Msg: "cause"}}
	if got, want := err.Error(), "rehearse.yaml:3: unknown key: cause"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := rehearse.KindOf(rehearse.Problems{err}); got != rehearse.Invalid {
		t.Errorf("the kind of problems is %v", got)
	}
	if rehearse.Problems(nil).Err() != nil {
		t.Error("no problem is an error")
	}
}
