package cli

import (
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Every command of ours explains itself in sentences, with an example that it
// would accept.
func TestEveryCommandHasHelp(t *testing.T) {
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
	root := a.root()
	if root.Example == "" {
		t.Error("rehearse: no example")
	}
	for _, c := range root.Commands() {
		if first, _ := utf8.DecodeRuneInString(c.Short); !unicode.IsUpper(first) {
			t.Errorf("%s: the summary %q is no phrase that starts with a capital", c.Name(), c.Short)
		}
		if long := strings.TrimSpace(c.Long); !strings.HasSuffix(long, ".") {
			t.Errorf("%s: the description does not end in a full stop: %q", c.Name(), long)
		}
		if c.Example == "" {
			t.Errorf("%s: no example", c.Name())
		}
		for line := range strings.Lines(c.Example) {
			checkExample(t, a.root(), c.Name(), strings.TrimSpace(line))
		}
	}
}

// checkExample checks that an example is a command that exists, with flags that
// it has.
func checkExample(t *testing.T, root *cobra.Command, name, line string) {
	t.Helper()
	_, call, ok := strings.Cut(line, "rehearse ")
	if !ok {
		t.Errorf("%s: the example %q does not call rehearse", name, line)
		return
	}
	call, _, _ = strings.Cut(call, "|")
	call, _, _ = strings.Cut(call, ")") // of $(…)
	c, args, err := root.Find(strings.Fields(strings.ReplaceAll(call, "'", "")))
	if err != nil {
		t.Errorf("%s: the example %q: %v", name, line, err)
		return
	}
	if err := c.ParseFlags(args); err != nil {
		t.Errorf("%s: the example %q: %v", name, line, err)
	}
}
