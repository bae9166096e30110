package lint_test

import (
	"bytes"
	"go/format"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestGofmt(t *testing.T) {
	for _, file := range files(t) {
		if path.Ext(file) != ".go" {
			continue
		}
		got, _ := text(t, file)
		want, err := format.Source(got)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not formatted: gofmt -w %s", file, file)
		}
	}
}

// TestNothingOfOneMachine finds what holds only where it was written: paths of a
// machine, and the hosts of registries, which a lock file picks up.
func TestNothingOfOneMachine(t *testing.T) {
	places := regexp.MustCompile(`(^|[^\w.$}~-])/(work|root|Users)/`)
	links := regexp.MustCompile(`https?://[^\s"'<>` + "`" + `)]+`)
	for _, file := range files(t) {
		data, readable := text(t, file)
		if !readable {
			continue
		}
		lines := 0
		for line := range strings.Lines(string(data)) {
			lines++
			if m := places.FindString(line); m != "" {
				t.Errorf("%s:%d names a directory of one machine (%s): make it relative, or take it as a setting", file, lines, strings.TrimSpace(m))
			}
			for _, link := range links.FindAllString(line, -1) {
				u, err := url.Parse(link)
				if err != nil {
					continue
				}
				fetched := path.Base(file) == "package-lock.json" && strings.Contains(line, `"resolved"`)
				if fetched || registryHost.MatchString(u.Hostname()) {
					t.Errorf("%s:%d names the registry %s: leave the choice of a registry to whoever builds", file, lines, u.Hostname())
				}
			}
		}
	}
}

var registryHost = regexp.MustCompile(`(^|[.-])(registry|mirror|mirrors|artifactory|nexus|goproxy|npm-proxy|pypi)([.-]|$)`)
