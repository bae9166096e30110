package docker

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
)

// dial makes a client for a candidate. ctx is for the first connection alone.
func dial(ctx context.Context, o endpoint, c candidate) (*client.Client, error) {
	u, err := c.url()
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "unix":
		// The client's own errors do not tell why a connection failed.
		conn, err := new(net.Dialer).DialContext(ctx, "unix", u.Path)
		if err != nil {
			return nil, c.unreachable(u.Path, err)
		}
		_ = conn.Close()
		return client.New(client.WithHost("unix://" + u.Path))
	case "ssh":
		program, err := o.look("ssh")
		if err != nil {
			return nil, &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: fmt.Sprintf("%s is reached by ssh, which is not on this host", c.host),
				Hint: "Install OpenSSH's client.",
			}
		}
		// As a unix socket there is no proxy on the way, and no name to resolve.
		return client.New(client.WithHost("unix:///ssh"), client.WithDialContext(func(context.Context, string, string) (net.Conn, error) {
			return dialSSH(program, u)
		}))
	}
	var options []client.Opt
	if c.tls != nil || u.Scheme == "https" {
		transport := &http.Transport{TLSClientConfig: cmp.Or(c.tls, &tls.Config{MinVersion: tls.VersionTLS12})}
		options = append(options, client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}))
	}
	return client.New(append(options, client.WithHost("tcp://"+u.Host+u.Path))...)
}

// url takes a candidate's host apart. A missing scheme is tcp, a missing port the
// one that is registered for docker.
func (c candidate) url() (*url.URL, error) {
	host := c.host
	if !strings.Contains(host, "://") && !strings.HasPrefix(host, "/") {
		host = "tcp://" + host
	}
	u, err := url.Parse(host)
	if err == nil {
		switch u.Scheme {
		case "unix":
			if u.Path != "" {
				return u, nil
			}
		case "ssh":
			if u.Hostname() != "" {
				return u, nil
			}
		case "tcp", "http", "https":
			if u.Port() == "" {
				port := "2375"
				if c.tls != nil || u.Scheme == "https" {
					port = "2376"
				}
				u.Host = net.JoinHostPort(u.Hostname(), port)
			}
			return u, nil
		}
	}
	return nil, &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("%s names the engine %q, which is no address", c.from, c.host), Err: err,
		Hint: "It is unix://PATH, tcp://HOST:PORT or ssh://USER@HOST.",
	}
}

// silence is the error of a socket at which nothing listens.
type silence struct{ of *rehearse.Error }

func (s silence) Error() string { return s.of.Error() }
func (s silence) Unwrap() error { return s.of }

func isSilent(err error) bool {
	var s silence
	return errors.As(err, &s)
}

// unreachable says why a connection to a socket of this host failed.
func (c candidate) unreachable(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		hint := fmt.Sprintf("Ask for the right to use %s.", path)
		if group, mode, ok := socketOwner(path); ok && group != "root" && mode&0o060 == 0o060 {
			hint = fmt.Sprintf("It belongs to the group %q. `sudo usermod -aG %s $USER` makes you a member, and `newgrp %s` makes that hold in this shell.", group, group, group)
		} else if ok {
			hint = fmt.Sprintf("It belongs to the group %q and its mode is %04o: others cannot use it. The rootless mode of Docker or Podman needs no such right.", group, mode)
		}
		return &rehearse.Error{Kind: rehearse.Unavailable, Msg: "no permission to use the engine's socket " + path, Hint: hint, Err: syscall.EACCES}
	}
	from := ""
	if c.from != "" {
		from = ", which " + c.from + " names"
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		err = number // without the path once more
	}
	return silence{&rehearse.Error{
		Kind: rehearse.Unavailable, Msg: fmt.Sprintf("no engine listens at %s%s", path, from), Err: err,
		Hint: "Start it, or name another in DOCKER_HOST or with `docker context use`.",
	}}
}

func groupOf(st fs.FileInfo) string {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return "unknown"
	}
	id := strconv.FormatUint(uint64(sys.Gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// unanswered says why an engine that could be reached, or has a name, gave no
// answer.
func (c candidate) unanswered(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &rehearse.Error{Kind: rehearse.Unavailable, Msg: "the engine at " + c.host + " does not answer", Err: err}
	from := ""
	if c.from != "" {
		from = " " + strings.ToUpper(c.from[:1]) + c.from[1:] + " names it."
	}
	var failed *sshError
	var untrusted *tls.CertificateVerificationError
	switch text := err.Error(); {
	case errors.As(err, &failed):
		e.Msg, e.Err = "ssh to "+failed.target+" failed", failed
		way := failed.target
		if u, err := c.url(); err == nil && u.Port() != "" {
			way = "-p " + u.Port() + " " + way
		}
		e.Hint = fmt.Sprintf("`ssh %s docker version` must work without a question.", way)
	case errors.As(err, &untrusted):
		e.Msg = "the engine at " + c.host + " shows a certificate that is not trusted"
		e.Hint = "Put the certificate of its authority as ca.pem into DOCKER_CERT_PATH, or make the context again with the right `--docker ca=…`."
	case strings.Contains(text, "tls: ") || strings.Contains(text, "--tlsverify") || strings.Contains(text, "certificate"):
		e.Hint = "It asks for a client's certificate that it trusts: cert.pem and key.pem in DOCKER_CERT_PATH, or in the context."
	case strings.Contains(text, "HTTP response to HTTPS client"):
		e.Hint = "It speaks no TLS. Unset DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or correct the port."
	case strings.Contains(text, "malformed HTTP response") || strings.Contains(text, "HTTP request to an HTTPS server"):
		e.Hint = "It speaks TLS. Set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the directory of ca.pem, cert.pem and key.pem."
	case errors.Is(err, context.DeadlineExceeded):
		e.Err, e.Hint = nil, "It took the connection, or the way there is slow, and said nothing in time. Try `docker version`."
	default:
		e.Hint = "Try `docker version`, which asks the same."
	}
	e.Hint += from
	return e
}

// tlsConfig reads ca.pem, cert.pem and key.pem of a directory, each as far as it
// is there. Without ca.pem the host's own authorities are trusted.
func tlsConfig(dir string, verify bool) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: !verify}
	fail := func(file string, err error) (*tls.Config, error) {
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, File: filepath.Join(dir, file), Msg: "not usable for TLS to the engine", Err: err,
			Hint: "DOCKER_CERT_PATH, or the context, must have ca.pem, cert.pem and key.pem in PEM.",
		}
	}
	switch ca, err := os.ReadFile(filepath.Join(dir, "ca.pem")); {
	case err == nil:
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(ca) {
			return fail("ca.pem", errors.New("there is no certificate in it"))
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fail("ca.pem", err)
	}
	switch pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")); {
	case err == nil:
		c.Certificates = []tls.Certificate{pair}
	case !errors.Is(err, fs.ErrNotExist):
		return fail("cert.pem", err)
	}
	return c, nil
}
