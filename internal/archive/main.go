package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Info is what lies at a path.
type Info struct {
	Dir bool `json:"dir"`
	// Link is where a symbolic link leads, as an absolute path; empty for all else.
	Link string `json:"link,omitempty"`
}

// Stat says what lies at a path.
func Stat(file string) (Info, error) {
	st, err := os.Lstat(file)
	if err != nil {
		return Info{}, err
	}
	if st.Mode()&fs.ModeSymlink == 0 {
		return Info{Dir: st.IsDir()}, nil
	}
	to, err := filepath.EvalSymlinks(file)
	if err != nil {
		if to, err = os.Readlink(file); err != nil {
			return Info{}, err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(file), to)
		}
	}
	return Info{Link: to}, nil
}

// What [Main] is asked.
const (
	OpStat  = "stat"  // PATH: its Info, as JSON
	OpRead  = "read"  // PATH: it, packed under its own name
	OpWrite = "write" // DIRECTORY: what comes is unpacked into it
)

// ExitMissing is how Main ends when there is nothing at the path.
const ExitMissing = 3

// Main does what its arguments ask, an op and a path, and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintln(stderr, "usage: OP PATH")
		return 2
	}
	var err error
	switch op, file := args[0], args[1]; op {
	case OpStat:
		var info Info
		if info, err = Stat(file); err == nil {
			err = json.NewEncoder(stdout).Encode(info)
		}
	case OpRead:
		name := filepath.Base(file)
		if name == string(filepath.Separator) {
			name = "root"
		}
		err = Pack(stdout, file, name, false)
	case OpWrite:
		err = Unpack(stdin, file, "")
	default:
		err = fmt.Errorf("unknown op %q", op)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, fs.ErrNotExist):
		fmt.Fprintln(stderr, err)
		return ExitMissing
	}
	fmt.Fprintln(stderr, err)
	return 1
}
