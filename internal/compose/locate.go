package compose

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"

	"github.com/rehearse-dev/rehearse"
)

// sources is which files make up a project.
type sources struct {
	dir      string // absolute
	shown    string // dir as the caller wrote it, for messages
	files    []string
	envFiles []string
	env      []string
}

// locate finds the project's files. Everything in it is absolute.
func locate(o Options) (sources, error) {
	shown := o.Dir
	if shown == "" {
		shown = "."
		if len(o.Files) > 0 {
			shown = filepath.Dir(o.Files[0])
		}
	}
	dir, err := filepath.Abs(shown)
	if err != nil {
		return sources{}, &rehearse.Error{Kind: rehearse.Internal, Msg: "find the project directory", Err: err}
	}
	src := sources{dir: dir, shown: shown, env: o.Env}
	if err := src.findEnvFiles(o); err != nil {
		return sources{}, err
	}
	for _, f := range o.Files {
		// With no Dir, the files are relative to where Dir came from.
		if o.Dir == "" {
			f, err = filepath.Abs(f)
			if err != nil {
				return sources{}, &rehearse.Error{Kind: rehearse.Internal, Msg: "find " + f, Err: err}
			}
		}
		src.files = append(src.files, inDir(dir, f))
	}
	if len(src.files) == 0 {
		src.files = src.namedByEnv()
	}
	if len(src.files) == 0 {
		src.files = defaultFiles(dir)
	}
	if len(src.files) == 0 {
		return sources{}, &rehearse.Error{
			Kind: rehearse.Invalid,
			Msg:  "no Compose file in " + shown,
			Hint: "Run rehearse where your compose.yaml is, or name it with -f.",
		}
	}
	for _, f := range src.files {
		info, err := os.Stat(f)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return sources{}, &rehearse.Error{Kind: rehearse.Invalid, File: src.show(f), Msg: "there is no such Compose file"}
		case err != nil:
			return sources{}, &rehearse.Error{Kind: rehearse.Invalid, File: src.show(f), Msg: "cannot read the Compose file", Err: err}
		case info.IsDir():
			return sources{}, &rehearse.Error{
				Kind: rehearse.Invalid, File: src.show(f), Msg: "this is a directory, not a Compose file",
				Hint: "Name the file itself with -f, or give the directory as the argument.",
			}
		}
	}
	return src, nil
}

// findEnvFiles sets the files for interpolation.
func (s *sources) findEnvFiles(o Options) error {
	for _, f := range o.EnvFiles {
		f = inDir(s.dir, f)
		if _, err := os.Stat(f); err != nil {
			return &rehearse.Error{Kind: rehearse.Invalid, File: s.show(f), Msg: "cannot read the env file", Err: errors.Unwrap(err)}
		}
		s.envFiles = append(s.envFiles, f)
	}
	off, _ := strconv.ParseBool(lookup(s.env, "COMPOSE_DISABLE_ENV_FILE"))
	if len(o.EnvFiles) > 0 || off {
		return nil
	}
	f := filepath.Join(s.dir, ".env")
	if info, err := os.Stat(f); err == nil && !info.IsDir() {
		s.envFiles = []string{f}
	}
	return nil
}

// namedByEnv reads COMPOSE_FILE, from the environment or else the env files.
func (s *sources) namedByEnv() []string {
	value, sep := lookup(s.env, "COMPOSE_FILE"), lookup(s.env, "COMPOSE_PATH_SEPARATOR")
	if fromFiles, err := dotenv.GetEnvFromFile(map[string]string{}, s.envFiles); err == nil {
		if value == "" {
			value = fromFiles["COMPOSE_FILE"]
		}
		if sep == "" {
			sep = fromFiles["COMPOSE_PATH_SEPARATOR"]
		}
	}
	if value == "" {
		return nil
	}
	if sep == "" {
		sep = string(os.PathListSeparator)
	}
	var files []string
	for f := range strings.SplitSeq(value, sep) {
		files = append(files, inDir(s.dir, f))
	}
	return files
}

// defaultFiles finds the Compose file by its usual names, and the override file
// that goes with it.
func defaultFiles(dir string) []string {
	var found []string
	for _, names := range [][]string{cli.DefaultFileNames, cli.DefaultOverrideFileNames} {
		for _, name := range names {
			f := filepath.Join(dir, name)
			if info, err := os.Stat(f); err == nil && !info.IsDir() {
				found = append(found, f)
				break
			}
		}
		if len(found) == 0 {
			return nil
		}
	}
	return found
}

// show is a path as the caller would write it.
func (s *sources) show(path string) string {
	if rel := relativeTo(s.dir, path); rel != path {
		return filepath.Join(s.shown, rel)
	}
	return path
}

func (s *sources) relative() []string {
	files := make([]string, len(s.files))
	for i, f := range s.files {
		files[i] = relativeTo(s.dir, f)
	}
	return files
}

func inDir(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// lookup reads a variable from a list in the form of os.Environ, where the last
// of several wins.
func lookup(env []string, name string) string {
	value := ""
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			value = v
		}
	}
	return value
}
