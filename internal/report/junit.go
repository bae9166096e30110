package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Time       string          `xml:"time,attr,omitempty"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Out        string          `xml:"system-out,omitempty"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	Classname string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr,omitempty"`
	Failure   *junitProblem `xml:"failure,omitempty"`
	Error     *junitProblem `xml:"error,omitempty"`
	Skipped   *junitProblem `xml:"skipped,omitempty"`
	Out       string        `xml:"system-out,omitempty"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes the report as JUnit XML: a test suite for each leg, a test case
// for each check. Unverified becomes an error, as JUnit calls a test that did not
// get so far as to pass or fail: to skip it would make the run look green.
func JUnit(w io.Writer, r rehearse.Report) error {
	out := junitSuites{Name: "rehearse " + plain(r.Project)}
	for i, l := range legsOf(r) {
		s := newJUnitSuite(r, l)
		if i == failing(r) {
			s.Out = diagnosisText(r)
		}
		out.Tests += s.Tests
		out.Failures += s.Failures
		out.Errors += s.Errors
		out.Suites = append(out.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func newJUnitSuite(r rehearse.Report, l leg) junitSuite {
	s := junitSuite{
		Name:       plain(l.Name),
		Properties: []junitProperty{{"run", plain(string(r.Run))}, {"seed", fmt.Sprint(l.Verdict.Seed)}, {"version", plain(r.Version)}},
	}
	if l.end != nil {
		s.Time = fmt.Sprintf("%.3f", l.end.Elapsed.Seconds())
	}
	if !l.started.IsZero() {
		s.Timestamp = l.started.UTC().Format(time.RFC3339)
	}
	elapsed := map[string]rehearse.Duration{}
	for _, d := range l.loads {
		elapsed[d.result.Step] = d.result.Elapsed
	}
	for _, d := range l.suites {
		elapsed[d.Step] = d.Elapsed
	}
	for _, f := range l.Verdict.Findings {
		c := junitCase{Name: plain(f.Check), Classname: plain(r.Project + "." + l.Name), Out: plain(f.Got)}
		if d, ok := elapsed[f.Step]; ok && f.Step != "" {
			c.Time = fmt.Sprintf("%.3f", d.Seconds())
		}
		problem := &junitProblem{
			Message: plain(f.Got),
			Type:    string(f.Outcome),
			Text:    strings.TrimSpace(strings.TrimSpace(plain(f.Detail)+"\n"+plain(f.Hint)) + "\n" + showCommand(f.Traces)),
		}
		s.Tests++
		switch f.Outcome {
		case rehearse.Fail:
			s.Failures++
			c.Failure = problem
		case rehearse.Unverified:
			s.Errors++
			c.Error = problem
		case rehearse.Skipped:
			c.Skipped = problem
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}
