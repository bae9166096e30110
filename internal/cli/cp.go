package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/archive"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

func (a *app) cpCommand() *cobra.Command {
	var f envFlag
	var follow bool
	c := &cobra.Command{
		Use:   "cp SERVICE:PATH DEST | SRC SERVICE:PATH",
		Short: "Copy files out of a service, or into it",
		Long: `Copy a file, or a directory with everything below it, from a service to this host
or from this host into a service, as docker cp does:

  - where the destination is a directory, the source is copied into it, under its
    own name; a source that ends in /. is copied without its directory
  - where there is nothing at the destination, the source is copied to that name;
    the directory that the name is in must exist
  - - in the place of the host's path is a tar archive on standard input, which is
    unpacked into the service's directory, or on standard output

SERVICE.N is the Nth instance of a service that has several; SERVICE is the
first. A service's paths count from its root directory. A host's path with a colon
in it is written with a slash in front: ./a:b.

What is copied into a service belongs to the user that the service was started as,
what is copied out to you. An archive whose names lead out of the destination is
refused. Symbolic links are copied as links, except with --follow-link the source
itself.`,
		Example: "  rehearse cp db:/var/log/postgresql ./logs\n  rehearse cp fixtures/. docgen:/tmp/fixtures\n  rehearse cp docgen.2:/tmp/heap.out .\n  rehearse cp docgen:/etc - | tar t",
		Args:    cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var out []string
			if _, s, err := f.ask(cmd.Context(), a); err == nil && len(args) < 2 {
				for _, v := range s.Services {
					out = append(out, string(v.Service)+":")
				}
			}
			return out, cobra.ShellCompDirectiveNoSpace
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			from, fromService := servicePath(args[0])
			to, toService := servicePath(args[1])
			if fromService == toService {
				return usageError("one of %s and %s must be a service's path, as db:/tmp, and the other this host's", args[0], args[1])
			}
			e, s, err := f.ask(cmd.Context(), a)
			if err != nil {
				return err
			}
			if fromService {
				at, err := placeOf(from, s)
				if err != nil {
					return err
				}
				return copyOut(cmd.Context(), e, at, args[1], follow)
			}
			at, err := placeOf(to, s)
			if err != nil {
				return err
			}
			return copyIn(cmd.Context(), e, args[0], at, follow)
		},
	}
	f.add(a, c)
	c.Flags().BoolVarP(&follow, "follow-link", "L", false, "copy what a symbolic link as SRC leads to")
	return c
}

// servicePath takes SERVICE:PATH apart; ok is false for a path of this host.
func servicePath(arg string) (parts [2]string, ok bool) {
	name, file, ok := strings.Cut(arg, ":")
	if !ok || strings.HasPrefix(arg, ".") || strings.ContainsRune(name, '/') {
		return parts, false
	}
	return [2]string{name, file}, true
}

// placeOf finds whom the parts of SERVICE:PATH are about. The path keeps its end,
// which says whether a directory or its content is meant.
func placeOf(parts [2]string, s stand.Standing) (driver.Place, error) {
	at := driver.Place{Service: rehearse.ServiceName(parts[0]), Instance: 1, Path: parts[1]}
	if parts[1] == "" {
		return at, usageError("%s: there is no path behind the colon", parts[0])
	}
	if !strings.HasPrefix(at.Path, "/") {
		at.Path = "/" + at.Path
	}
	known := func(name rehearse.ServiceName) bool {
		return slices.ContainsFunc(s.Services, func(v environment.Status) bool { return v.Service == name })
	}
	if known(at.Service) {
		return at, nil
	}
	if i := strings.LastIndexByte(parts[0], '.'); i > 0 {
		n, err := strconv.Atoi(parts[0][i+1:])
		if name := rehearse.ServiceName(parts[0][:i]); err == nil && known(name) {
			at.Service, at.Instance = name, n
			return at, nil
		}
	}
	return at, unknownService(parts[0], s)
}

// trimmed takes the end off a path that says that a directory is meant, or, where
// content is true, what is in it.
func trimmed(file string) (clean string, dir, content bool) {
	content = strings.HasSuffix(file, "/.") || file == "."
	return filepath.Clean(file), content || strings.HasSuffix(file, "/"), content
}

// copyOut copies from a service to this host.
func copyOut(ctx context.Context, e environment.Entry, at driver.Place, dest string, follow bool) error {
	var asDir, content bool
	at.Path, asDir, content = trimmed(at.Path)
	content = content || at.Path == "/"
	info, err := stand.StatFile(ctx, e, at)
	if err == nil && info.Link != "" && (follow || asDir) {
		at.Path = info.Link
		info, err = stand.StatFile(ctx, e, at)
	}
	if err != nil {
		return err
	}
	if asDir && !info.Dir {
		return usageError("%s of service %q is no directory", at.Path, at.Service)
	}
	if dest == "-" {
		return stand.ReadFiles(ctx, e, at, os.Stdout)
	}
	dir, name, err := target(dest, path.Base(at.Path), info.Dir, content, hostStat)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	read := make(chan error, 1)
	go func() {
		read <- stand.ReadFiles(ctx, e, at, w)
		_ = w.Close() // the environment has its own
	}()
	unpacked := archive.Unpack(r, dir, name)
	if unpacked != nil {
		unpacked = &rehearse.Error{Kind: rehearse.Invalid, Msg: "copy to " + dest, Err: unpacked, Hint: "What came before it has been copied."}
	}
	_ = r.Close() // who still writes stops
	if err := <-read; err != nil && unpacked == nil {
		return err
	}
	return unpacked
}

// copyIn copies from this host into a service.
func copyIn(ctx context.Context, e environment.Entry, src string, at driver.Place, follow bool) error {
	stat := func(file string) (bool, bool, error) {
		at := at
		at.Path = path.Clean(file)
		return serviceStat(ctx, e, &at)
	}
	if src == "-" {
		_, err := serviceDir(ctx, e, &at)
		if err != nil {
			return err
		}
		return stand.WriteFiles(ctx, e, at, os.Stdin)
	}
	file, asDir, content := trimmed(src)
	info, err := os.Lstat(file)
	if err == nil && (follow || asDir) {
		info, err = os.Stat(file)
	}
	if err != nil {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("there is no %s to copy", src), Err: err, Hint: "SRC is a path of this host, or - for a tar archive on standard input."}
	}
	if asDir && !info.IsDir() {
		return usageError("%s is no directory", src)
	}
	name := filepath.Base(file)
	if abs, err := filepath.Abs(file); err == nil {
		name = filepath.Base(abs)
	}
	dest := at
	if exists, _, err := serviceStat(ctx, e, &dest); err != nil {
		return err
	} else if exists && dest.Path != path.Clean(at.Path) {
		at.Path = dest.Path // through a symbolic link
	}
	dir, name, err := target(at.Path, name, info.IsDir(), content, stat)
	if err != nil {
		return err
	}
	at.Path = dir
	if _, err := serviceDir(ctx, e, &at); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	packed := make(chan error, 1)
	go func() { packed <- errors.Join(archive.Pack(w, file, name, follow || asDir), w.Close()) }()
	err = stand.WriteFiles(ctx, e, at, r)
	_ = r.Close() // who still writes stops
	if wrong := <-packed; err == nil {
		err = wrong
	}
	return err
}

// serviceDir follows a place to the directory that it is.
func serviceDir(ctx context.Context, e environment.Entry, at *driver.Place) (dir bool, err error) {
	exists, dir, err := serviceStat(ctx, e, at)
	switch {
	case err != nil:
		return false, err
	case !exists:
		return false, at.Missing()
	case !dir:
		return false, usageError("%s of service %q is no directory", at.Path, at.Service)
	}
	return true, nil
}

// serviceStat says what lies at a place; where a symbolic link leads, the place is
// there afterwards.
func serviceStat(ctx context.Context, e environment.Entry, at *driver.Place) (exists, dir bool, err error) {
	at.Path = path.Clean(at.Path)
	info, err := stand.StatFile(ctx, e, *at)
	if err == nil && info.Link != "" {
		at.Path = info.Link
		info, err = stand.StatFile(ctx, e, *at)
	}
	if rehearse.KindOf(err) == rehearse.Invalid && err.Error() == at.Missing().Error() {
		return false, false, nil
	}
	return err == nil, info.Dir, err
}

// hostStat says what lies at a path of this host.
func hostStat(file string) (exists, dir bool, err error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	return err == nil, err == nil && info.IsDir(), err
}

// target decides, as docker cp does, into which directory a source is unpacked and
// under which name: "." is the directory itself.
func target(dest, name string, srcDir, content bool, stat func(string) (exists, dir bool, err error)) (dir, as string, err error) {
	exists, isDir, err := stat(dest)
	if err != nil {
		return "", "", err
	}
	clean := filepath.Clean(dest)
	switch {
	case exists && isDir && content:
		return clean, ".", nil
	case exists && isDir:
		return clean, name, nil
	case exists && srcDir:
		return "", "", usageError("a directory cannot be copied to the file %s", dest)
	case !exists && !srcDir && strings.HasSuffix(dest, "/"):
		return "", "", usageError("there is no directory %s to copy into", dest)
	}
	parent := filepath.Dir(clean)
	switch _, isDir, err := stat(parent); {
	case err != nil:
		return "", "", err
	case !isDir:
		return "", "", usageError("there is no directory %s to copy into", parent)
	}
	return parent, filepath.Base(clean), nil
}
