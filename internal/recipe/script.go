package recipe

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// script is one initialisation script of a database image.
type script struct {
	path   string
	digest string
}

// scripts run in order.
type scripts []script

// initScripts lists what the image's entry point would run: the files below the
// directory, by name, and then the service's dataset.
func initScripts(s rehearse.Service, dir string) (scripts, error) {
	named := map[string]string{} // name in the container → path on the host
	for _, m := range s.Mounts {
		switch {
		case m.Target == dir && m.Source != "":
			entries, err := os.ReadDir(m.Source)
			if errors.Is(err, os.ErrNotExist) {
				return nil, &rehearse.Error{
					Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q mounts %s, which does not exist", s.Name, m.Source),
					Hint: "Create it, or correct the volume in the Compose file.",
				}
			}
			if err != nil {
				return nil, fmt.Errorf("list initialisation scripts: %w", err)
			}
			for _, e := range entries {
				if !e.IsDir() {
					named[e.Name()] = filepath.Join(m.Source, e.Name())
				}
			}
		case path.Dir(m.Target) == dir && m.Source != "":
			named[path.Base(m.Target)] = m.Source
		}
	}
	var files []string
	names := make([]string, 0, len(named))
	for name := range named {
		if strings.HasSuffix(name, ".sql") || strings.HasSuffix(name, ".sql.gz") || strings.HasSuffix(name, ".sh") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		files = append(files, named[name])
	}
	return scriptsOf(append(files, s.SQL...))
}

func scriptsOf(files []string) (scripts, error) {
	var out scripts
	for _, file := range files {
		digest, err := fileDigest(file)
		if err != nil {
			return nil, fmt.Errorf("read initialisation script: %w", err)
		}
		out = append(out, script{path: file, digest: digest})
	}
	return out, nil
}

func fileDigest(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (s scripts) paths() []string {
	var out []string
	for _, x := range s {
		out = append(out, x.path)
	}
	return out
}

func (s scripts) digests() []string {
	var out []string
	for _, x := range s {
		out = append(out, x.path, x.digest)
	}
	return out
}

// text is the script's content, unpacked.
func (s script) text() (string, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(s.path, ".gz") {
		zr, err := gzip.NewReader(f)
		if err != nil {
			return "", err
		}
		r = zr
	}
	data, err := io.ReadAll(r)
	return string(data), err
}

// environment is what a template with shell scripts depends on: they may read
// any variable. Without one it is empty.
func (s scripts) environment(service rehearse.Service) map[string]string {
	for _, x := range s {
		if strings.HasSuffix(x.path, ".sh") {
			return service.Env
		}
	}
	return nil
}

// scriptCommand runs a shell script as the images do: by itself when it is
// executable, else in bash, for which such scripts are written.
func scriptCommand(file string) []string {
	if st, err := os.Stat(file); err == nil && st.Mode()&0o111 != 0 && startsWith(file, "#!") {
		return []string{file}
	}
	for _, shell := range []string{"/bin/bash", "/usr/bin/bash"} {
		if _, err := os.Stat(shell); err == nil {
			return []string{shell, file}
		}
	}
	return []string{"/bin/sh", file}
}

func startsWith(file, text string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(text))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == text
}

// failed is the error of a script that failed, with what it said.
func (s script) failed(err error) error {
	hint := "The script fails on an empty database, as it would in the container."
	var said *rehearse.Error
	if errors.As(err, &said) && said.Hint != "" {
		hint += " " + said.Hint
	}
	return &rehearse.Error{Kind: rehearse.NotReady, Msg: "run " + s.path, Err: err, Hint: hint}
}
