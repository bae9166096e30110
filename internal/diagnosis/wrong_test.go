package diagnosis

import (
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// spoken gives calls the attributes that links read from their protocols.
func spoken(s Side) Side {
	texts := map[string]string{
		"SELECT members": "SELECT balance FROM members WHERE id = $1", "UPDATE members": "UPDATE members SET balance = $2 WHERE id = $1",
		"SELECT members locked": "SELECT balance FROM members WHERE id = $1 FOR UPDATE", "BEGIN strict": "BEGIN ISOLATION LEVEL SERIALIZABLE",
	}
	for _, trace := range s.Telemetry.Traces {
		for i := range trace.Nodes {
			n := &trace.Nodes[i]
			add := func(key, v string) { n.Attributes = append(n.Attributes, rehearse.Attribute{Key: key, Value: v}) }
			words := strings.Fields(n.Name)
			if text := texts[n.Name]; text != "" {
				add("db.operation.name", words[0])
				add("db.query.text", text)
				if words[1] == "members" {
					add("db.collection.name", words[1])
				}
			} else {
				add("http.request.method", words[0])
			}
		}
	}
	return s
}

// moves is a leg of requests, ten a second, each of which makes these calls, and
// takes a while between them.
func moves(name string, seed uint64, between float64, calls ...call) Side {
	return spoken(steady(name, seed, 60, "points POST /movements", func(_ *world, i int, b *builder) int64 {
		for _, c := range calls {
			if c.abandoned != "" && i%10 != 0 {
				continue // only some of them
			}
			b.call(c)
			b.self(between)
		}
		return 201
	}))
}

func TestWrong(t *testing.T) {
	read, locked, strict := call{edge: "points → db", name: "SELECT members", server: 1}, call{edge: "points → db", name: "SELECT members locked", server: 1}, call{edge: "points → db", name: "BEGIN strict"}
	back := call{edge: "points → db", name: "UPDATE members", server: 1}
	charge := call{edge: "points → bank", name: "POST /charges", server: 60}
	cut, left := charge, charge
	cut.abandoned, cut.fault, cut.server = "client", "resets/reset", 30
	left.abandoned, left.server = "client", 30
	look := call{edge: "points → bank", name: "GET /charges", server: 60}
	cutLook := look
	cutLook.abandoned = "reset"
	finding := rehearse.Finding{Check: "saturday: checks rate>0.99", Detail: "19 of 216 checks did not hold."}
	for name, c := range map[string]struct {
		staging, production Side
		want                []string // none: nothing is found
	}{
		"another writes in between": {moves("staging", 1, 1, read, back), moves("production", 2, 150, read, back), []string{
			"POST /movements reads members and writes it back, 152ms from one end to the other", "another request writes members in between",
			"19 of 216 checks did not hold", "of 60 requests POST /movements do so, in staging 0 of 60", "WHERE id = $1. From its start", "3ms in staging",
		}},
		"in staging as well":        {moves("staging", 1, 150, read, back), moves("production", 2, 150, read, back), nil},
		"no other request":          {moves("staging", 1, 1, read, back), moves("production", 2, 10, read, back), nil},
		"the row is locked":         {moves("staging", 1, 1, locked, back), moves("production", 2, 150, locked, back), nil},
		"transactions are isolated": {moves("staging", 1, 1, strict, read, back), moves("production", 2, 150, strict, read, back), nil},
		"it is written first":       {moves("staging", 1, 1, back, read), moves("production", 2, 150, back, read), nil},
		"sent again after a fault": {moves("staging", 1, 1, charge), moves("production", 2, 1, cut, charge), []string{
			"points sends POST /charges to bank again when it gets no answer, with the fault resets/reset in force", "is done twice",
			"6 of 60 requests POST /movements do so, in staging 0 of 60", "had been under way for 30ms",
		}},
		"sent again after a while": {moves("staging", 1, 1, charge), moves("production", 2, 1, left, charge), []string{"again when it gets no answer, because it gave up waiting"}},
		"read again":               {moves("staging", 1, 1, look), moves("production", 2, 1, cutLook, look), nil},
		"given up":                 {moves("staging", 1, 1, charge), moves("production", 2, 1, charge, cut), nil},
		"no telemetry":             {Side{Name: "staging"}, moves("production", 2, 1, cut, charge), nil},
	} {
		d := Wrong(c.staging, c.production, finding)
		if c.want == nil {
			if d != nil {
				t.Errorf("%s: found %q", name, d.Sentence)
			}
			continue
		}
		if d == nil {
			t.Errorf("%s: nothing is found", name)
			continue
		}
		said := d.Sentence
		for _, f := range d.Facts {
			said += "\n" + f.Text
		}
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, said)
			}
		}
		if !strings.HasPrefix(d.Command, "rehearse trace show ") {
			t.Errorf("%s: command %q", name, d.Command)
		}
	}
}

func TestWrongAnswers(t *testing.T) {
	threshold, err := rehearse.ParseThreshold("checks rate>0.99")
	if err != nil {
		t.Fatal(err)
	}
	plan := &rehearse.Plan{Steps: []rehearse.Step{{Experiment: &rehearse.ExperimentStep{Name: "resets", Load: rehearse.LoadStep{Name: "resets"}, Steady: []rehearse.Threshold{threshold}}}}}
	for _, c := range []struct {
		finding rehearse.Finding
		wrong   bool
	}{
		{rehearse.Finding{Outcome: rehearse.Fail, Check: "resets: recovers within 1s: checks rate>0.99"}, true},
		{rehearse.Finding{Outcome: rehearse.Pass, Check: "resets: recovers within 1s: checks rate>0.99"}, false},
		{rehearse.Finding{Outcome: rehearse.Fail, Check: "resets: during: http_req_failed rate<0.01"}, false},
		{rehearse.Finding{Outcome: rehearse.Fail, Check: "check: checks rate>0.99"}, false},
	} {
		got := WrongAnswers(rehearse.Verdict{Findings: []rehearse.Finding{{Outcome: rehearse.Pass, Check: "ready"}, c.finding}}, plan)
		if (got != nil) != c.wrong || got != nil && got.Check != c.finding.Check {
			t.Errorf("%+v: %+v", c.finding, got)
		}
	}
}
