package suite

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// ctrfReport is the part of a CTRF report that is read.
type ctrfReport struct {
	Results *struct {
		Tests []ctrfTest `json:"tests"`
	} `json:"results"`
}

type ctrfTest struct {
	Name     string    `json:"name"`
	Status   string    `json:"status"`
	Duration float64   `json:"duration"` // in milliseconds
	Message  string    `json:"message"`
	Trace    string    `json:"trace"`
	Suite    ctrfSuite `json:"suite"`
}

// ctrfSuite is a text in older reports and a list of texts in newer ones.
type ctrfSuite string

func (s *ctrfSuite) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*s = ctrfSuite(one)
		return nil
	}
	var many []string
	err := json.Unmarshal(data, &many)
	*s = ctrfSuite(strings.Join(many, " › "))
	return err
}

func parseCTRF(data []byte) ([]rehearse.Test, error) {
	var r ctrfReport
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, err
	}
	if r.Results == nil {
		return nil, errors.New("it is JSON, but not of CTRF: it has no results")
	}
	var out []rehearse.Test
	for _, c := range r.Results.Tests {
		t := rehearse.Test{Name: full(string(c.Suite), c.Name), Elapsed: elapsed(c.Duration / 1000), Message: message(c.Message, c.Trace)}
		switch c.Status {
		case "passed", "failed":
			t.Outcome = c.Status
		default: // "skipped", "pending", "other": none of them shows anything
			t.Outcome = "skipped"
		}
		out = append(out, t)
	}
	return out, nil
}
