package suite

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// otherNames are further names of programs that systems do not agree on.
var otherNames = map[string][]string{
	"chromium": {"chromium-browser", "google-chrome", "google-chrome-stable"},
}

// missing are the needed programs that are not there under any of their names.
func missing(names, env []string, dir string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(append([]string{name}, otherNames[name]...), func(n string) bool {
			_, ok := find(n, env, dir)
			return ok
		})
	})
}

// needs says what is missing.
func needs(missing []string) string {
	n := len(missing) - 1
	if n == 0 {
		return "needs " + missing[0] + ", which is not on this host"
	}
	return "needs " + strings.Join(missing[:n], ", ") + " and " + missing[n] + ", which are not on this host"
}

// find finds a program as a shell in dir would: a name with a slash is a path,
// any other is looked for in env's PATH. exec.LookPath would look in the PATH of
// this process.
func find(name string, env []string, dir string) (path string, ok bool) {
	if strings.ContainsRune(name, filepath.Separator) {
		path = within(dir, name)
		return path, executable(path)
	}
	for _, place := range filepath.SplitList(variable(env, "PATH")) {
		path = filepath.Join(within(dir, place), name)
		if executable(path) {
			return path, true
		}
	}
	return "", false
}

// within is a path as seen from dir.
func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// variable is the last value of a variable.
func variable(env []string, name string) string {
	for _, kv := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}
