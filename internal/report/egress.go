package report

import (
	"fmt"
	"io"

	"github.com/rehearse-dev/rehearse"
)

// shownRefusals is how many ways out a terminal and a comment show; the page and
// the JSON have all.
const shownRefusals = 10

// refused are the ways out of the environment that services tried and no link
// gives, as in "worker → example.com".
func (l leg) refused() []string {
	var all []string
	for _, f := range l.facts {
		if f.Name == rehearse.FactRefused {
			all = append(all, plain(f.Value))
		}
	}
	if more := len(all) - shownRefusals; more > 0 {
		all = append(all[:shownRefusals], fmt.Sprintf("and %d more", more))
	}
	return all
}

// refused prints what services tried to reach and could not.
func (t *terminal) refused(l leg) {
	for i, line := range l.refused() {
		if i == 0 {
			fmt.Fprintf(t, "\n%s\n", t.paint(bold, "refused in "+plain(l.Name)+": no link leads there"))
		}
		fmt.Fprintln(t, line)
	}
}

func mdRefused(w io.Writer, l leg) {
	lines := l.refused()
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n<details><summary>Refused in %s: no link leads there</summary>\n\n", md(l.Name))
	for _, line := range lines {
		fmt.Fprintf(w, "- %s\n", md(line))
	}
	fmt.Fprint(w, "\n</details>\n")
}
