package docker

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/archive"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

var _ driver.Copier = (*environment)(nil)

// Stat says what lies at a place.
func (e *environment) Stat(ctx context.Context, at driver.Place) (driver.FileInfo, error) {
	i, err := e.instanceAt(at)
	if err != nil {
		return driver.FileInfo{}, err
	}
	got, err := e.engine.api.ContainerStatPath(ctx, i.id, client.ContainerStatPathOptions{Path: at.Path})
	if err != nil {
		return driver.FileInfo{}, fileError(at, err)
	}
	if got.Stat.Mode&fs.ModeSymlink == 0 {
		return driver.FileInfo{Dir: got.Stat.Mode.IsDir()}, nil
	}
	return driver.FileInfo{Link: got.Stat.LinkTarget}, nil
}

// ReadFiles has the engine pack what lies at a place.
func (e *environment) ReadFiles(ctx context.Context, at driver.Place, to io.Writer) error {
	i, err := e.instanceAt(at)
	if err != nil {
		return err
	}
	got, err := e.engine.api.CopyFromContainer(ctx, i.id, client.CopyFromContainerOptions{SourcePath: at.Path})
	if err != nil {
		return fileError(at, err)
	}
	defer got.Content.Close()
	if _, err := io.Copy(to, got.Content); err != nil {
		return fmt.Errorf("copy files of service %q: %w", at.Service, err)
	}
	return nil
}

// WriteFiles has the engine unpack an archive, of which we have made the entries
// the service's own.
func (e *environment) WriteFiles(ctx context.Context, at driver.Place, from io.Reader) error {
	i, err := e.instanceAt(at)
	if err != nil {
		return err
	}
	uid, gid, err := e.owner(ctx, i, e.services[at.Service])
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	owned := make(chan error, 1)
	go func() {
		err := own(w, from, uid, gid)
		_ = w.CloseWithError(err) // it never fails
		owned <- err
	}()
	_, err = e.engine.api.CopyToContainer(ctx, i.id, client.CopyToContainerOptions{DestinationPath: at.Path, Content: r})
	_ = r.CloseWithError(errGone) // it never fails; who still writes stops
	if wrong := <-owned; wrong != nil && !errors.Is(wrong, errGone) {
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("copy files to service %q", at.Service), Err: wrong, Hint: "Give an archive that tar has made.",
		}
	}
	if err != nil {
		return fileError(at, err)
	}
	return nil
}

// instanceAt is the container that a place is in.
func (e *environment) instanceAt(at driver.Place) (*instance, error) {
	s, err := e.service(at.Service)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	p := s.proc
	s.mu.Unlock()
	if p == nil {
		return nil, fmt.Errorf("service %q has not been started", at.Service)
	}
	if at.Instance < 1 || at.Instance > len(p.instances) {
		return nil, at.NoInstance(len(p.instances))
	}
	return p.instances[at.Instance-1], nil
}

// fileError says what the engine has against a place.
func fileError(at driver.Place, err error) error {
	if isGone(err) {
		return at.Missing()
	}
	return &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("copy files of service %q at %s", at.Service, at.Path), Err: explain(err),
		Hint: "Where the container's file system is read-only, and in tmpfs, the engine copies nothing.",
	}
}

// own copies an archive whose entries stay below the directory that they are for,
// and gives them an owner.
func own(to io.Writer, from io.Reader, uid, gid int) error {
	out := tar.NewWriter(to)
	for in := tar.NewReader(from); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		name, err := archive.Rename(h.Name, "")
		if err != nil {
			return err
		}
		if name == "." {
			continue // the directory itself is there, and stays as it is
		}
		if h.Typeflag == tar.TypeDir {
			name += "/"
		}
		h.Name = name
		h.Uid, h.Gid, h.Uname, h.Gname = uid, gid, "", ""
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}

// owner is the user that a container's program was started as, in numbers.
func (e *environment) owner(ctx context.Context, i *instance, s *service) (uid, gid int, err error) {
	name := s.spec.User
	if name == "" {
		name = s.image.Config.User
	}
	if name == "" {
		return 0, 0, nil
	}
	user, group, grouped := strings.Cut(name, ":")
	fields, err := e.lookUp(ctx, i, "/etc/passwd", user)
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(user); err != nil && len(fields) > 3 {
		uid, err = strconv.Atoi(fields[2])
	}
	if err != nil {
		return 0, 0, fmt.Errorf("user %q of service %q has no number", user, s.spec.Name)
	}
	if !grouped {
		if len(fields) > 3 {
			gid, err = strconv.Atoi(fields[3])
		}
		return uid, gid, err
	}
	if gid, err = strconv.Atoi(group); err == nil {
		return uid, gid, nil
	}
	if fields, err = e.lookUp(ctx, i, "/etc/group", group); err != nil || len(fields) < 3 {
		return 0, 0, errors.Join(err, fmt.Errorf("group %q of service %q has no number", group, s.spec.Name))
	}
	gid, err = strconv.Atoi(fields[2])
	return uid, gid, err
}

// lookUp finds a name or number in a file like /etc/passwd; nil: it is not there.
func (e *environment) lookUp(ctx context.Context, i *instance, file, name string) ([]string, error) {
	got, err := e.engine.api.CopyFromContainer(ctx, i.id, client.CopyFromContainerOptions{SourcePath: file})
	if isGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(err)
	}
	defer got.Content.Close()
	in := tar.NewReader(got.Content)
	if h, err := in.Next(); err != nil || path.Base(h.Name) != path.Base(file) {
		return nil, err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if f := strings.Split(lines.Text(), ":"); len(f) > 2 && (f[0] == name || f[2] == name) {
			return f, nil
		}
	}
	return nil, nil
}
