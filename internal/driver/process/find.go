//go:build unix

package process

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// find looks a recipe's program up in PATH, then in the usual places; of several
// places that match a pattern, the highest version wins.
func (e *environment) find(r *recipe.Recipe, program string, places []string) (string, error) {
	// The path stays as it was found: some programs are links, and go by the name
	// that they are called by.
	if path, err := e.lookHost(program, "/"); err == nil {
		return path, nil
	}
	if path := newest(program, append(places, "/usr/sbin", "/usr/local/sbin", "/sbin")); path != "" {
		return path, nil
	}
	hint := "Install it"
	if runtime.GOOS == "darwin" && r.Package["brew"] != "" {
		hint += ": brew install " + r.Package["brew"]
	} else if r.Package["apt"] != "" {
		hint += ": apt-get install " + r.Package["apt"]
	}
	return "", &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: fmt.Sprintf("%s needs %s, which is not on this host", r.Name, program),
		Hint: hint + " (or your system's package for it).",
	}
}

// newest finds a program in the first place that has it.
func newest(program string, places []string) string {
	for _, place := range places {
		found, _ := filepath.Glob(filepath.Join(place, program))
		slices.SortFunc(found, func(a, b string) int { return -compareVersions(a, b) })
		for _, path := range found {
			if st, err := os.Stat(path); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
				return path
			}
		}
	}
	return ""
}

// compareVersions compares two strings, taking runs of digits as numbers.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		x, restA := leadingNumber(a)
		y, restB := leadingNumber(b)
		if restA != a && restB != b {
			if c := cmp.Compare(x, y); c != 0 {
				return c
			}
			a, b = restA, restB
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingNumber(s string) (int, string) {
	rest := strings.TrimLeft(s, "0123456789")
	n, err := strconv.Atoi(s[:len(s)-len(rest)])
	if err != nil {
		return 0, s
	}
	return n, rest
}
