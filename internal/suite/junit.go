package suite

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// junitSuite is a testsuites or testsuite element. There is no standard; the
// names are those of Ant's and Maven's reports, which everybody writes.
type junitSuite struct {
	XMLName xml.Name
	Suites  []junitSuite `xml:"testsuite"`
	Cases   []junitCase  `xml:"testcase"`
}

type junitCase struct {
	Class    string         `xml:"classname,attr"`
	Name     string         `xml:"name,attr"`
	Time     string         `xml:"time,attr"`
	Status   string         `xml:"status,attr"` // GoogleTest says "notrun" instead of adding an element
	Failures []junitProblem `xml:"failure"`
	Errors   []junitProblem `xml:"error"`
	Skipped  *junitProblem  `xml:"skipped"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

func parseJUnit(data []byte) ([]rehearse.Test, error) {
	d := xml.NewDecoder(bytes.NewReader(legal(data)))
	d.Entity = xml.HTMLEntity
	// legal has made it UTF-8, whatever it calls itself.
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var s junitSuite
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	if n := s.XMLName.Local; n != "testsuites" && n != "testsuite" {
		return nil, fmt.Errorf("it is XML, but not of JUnit: its root is <%s>", n)
	}
	return s.tests(), nil
}

func (s junitSuite) tests() []rehearse.Test {
	var out []rehearse.Test
	for _, c := range s.Cases {
		out = append(out, c.test())
	}
	for _, inner := range s.Suites {
		out = append(out, inner.tests()...)
	}
	return out
}

func (c junitCase) test() rehearse.Test {
	t := rehearse.Test{Name: full(c.Class, c.Name), Outcome: "passed"}
	// Some tools group thousands. What is no number at all is no time.
	if s, err := strconv.ParseFloat(strings.ReplaceAll(c.Time, ",", ""), 64); err == nil && s > 0 {
		t.Elapsed = elapsed(s)
	}
	switch problems := append(c.Failures, c.Errors...); {
	case len(problems) > 0:
		t.Outcome = "failed"
		t.Message = message(problems[0].Message, problems[0].Text, problems[0].Type)
	case c.Skipped != nil:
		t.Outcome = "skipped"
		t.Message = message(c.Skipped.Message, c.Skipped.Text)
	case c.Status == "notrun" || c.Status == "disabled" || c.Status == "skipped":
		t.Outcome = "skipped"
	}
	return t
}

var controlReference = regexp.MustCompile(`&#(x0*(0?[0-8bcefBCEF]|1[0-9a-fA-F])|0*([0-8]|1[124-9]|2[0-9]|3[01]));`)

// legal takes out the control characters that XML 1.0 forbids and that tools
// write all the same, when a test's output holds them. What is not UTF-8 becomes
// U+FFFD.
func legal(data []byte) []byte {
	data = controlReference.ReplaceAll(data, nil)
	return bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return -1
		}
		return r
	}, data)
}
