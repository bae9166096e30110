package docker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// dialSSH connects to an engine on another host as docker does: ssh runs `docker
// system dial-stdio` there, whose standard streams are the connection. It ends with
// ssh, which ends half a minute after the other host has fallen silent.
func dialSSH(program string, u *url.URL) (net.Conn, error) {
	target := u.Hostname()
	args := []string{"-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3", "-T"}
	if u.User != nil && u.User.Username() != "" {
		args = append(args, "-l", u.User.Username())
		target = u.User.Username() + "@" + target
	}
	if u.Port() != "" {
		args = append(args, "-p", u.Port())
	}
	args = append(args, "--", u.Hostname(), "docker")
	if path := u.Path; path != "" && path != "/" {
		args = append(args, "--host", "unix://"+path)
	}
	args = append(args, "system", "dial-stdio")

	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("make a connection for ssh: %w", err)
	}
	defer theirs.Close()
	c := &sshConn{UnixConn: ours, target: target, cmd: exec.Command(program, args...), done: make(chan struct{})}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = theirs, theirs, &c.said
	// Ctrl-C is for us: teardown still needs the connection.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.WaitDelay = 300 * time.Millisecond // what it leaves behind may hold its standard error
	if err := c.cmd.Start(); err != nil {
		_ = ours.Close()
		return nil, &sshError{target: target, said: err.Error()}
	}
	go func() {
		defer close(c.done)
		_ = c.cmd.Wait() // what it said tells more than how it ended
		c.shut()
	}()
	return c, nil
}

// sshConn is a connection through an ssh process. It keeps the half-close of the
// pair of sockets that it reads and writes.
type sshConn struct {
	*net.UnixConn
	target string
	cmd    *exec.Cmd
	said   tail // its standard error
	done   chan struct{}
	closes sync.Once
	read   bool // something has been read
}

// Read reads from the engine. An end before the first byte is ssh's failure, and
// becomes an error with its words.
func (c *sshConn) Read(p []byte) (int, error) {
	n, err := c.UnixConn.Read(p)
	if n > 0 {
		c.read = true
	}
	if !c.read && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
		<-c.done
		return n, &sshError{target: c.target, said: c.said.String()}
	}
	return n, err
}

// Close ends the ssh process too, and returns when it has ended.
func (c *sshConn) Close() error {
	err := net.ErrClosed
	c.closes.Do(func() {
		err = c.UnixConn.Close()
		_ = c.cmd.Process.Kill() // an error says that it has ended
		<-c.done
	})
	return err
}

// shut ends the connection when ssh has ended, whoever else holds the other end.
// What has come is still read.
func (c *sshConn) shut() {
	_ = c.UnixConn.CloseRead() // an error says that it was closed
	_ = c.UnixConn.CloseWrite()
}

// sshError is what ssh said before the engine could say anything.
type sshError struct{ target, said string }

func (e *sshError) Error() string {
	if e.said == "" {
		return "ssh ended without an answer"
	}
	lines := strings.Split(e.said, "\n")
	return lines[len(lines)-1]
}

// socketPair makes two connected sockets, the second for a child process.
func socketPair() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ssh"), os.NewFile(uintptr(fds[1]), "ssh")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}
