package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// conn speaks RESP, the protocol of Redis.
type conn struct {
	c      net.Conn
	r      *bufio.Reader
	broken bool // something has gone wrong on the way
}

func newConn(c net.Conn) *conn { return &conn{c: c, r: bufio.NewReader(c)} }

func (c *conn) close() { _ = c.c.Close() } // it is of no more use

// do sends a command and returns its answer as a string; nil is empty.
func (c *conn) do(args ...string) (string, error) {
	answer, err := c.exchange(args)
	if err == nil && strings.HasPrefix(answer, "-") {
		return "", errors.New(answer[1:])
	}
	if err != nil {
		c.broken = true
		return "", fmt.Errorf("%s: %w", args[0], err)
	}
	return answer[1:], nil
}

// exchange is the answer with its type's mark.
func (c *conn) exchange(args []string) (string, error) {
	if err := c.c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	command := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		command = fmt.Appendf(command, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := c.c.Write(command); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", errors.New("an answer without a type")
	}
	if line[0] != '$' {
		return line, nil
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil {
		return "", fmt.Errorf("the length of an answer: %w", err)
	}
	if n < 0 {
		return "$", nil
	}
	text := make([]byte, n+len("\r\n"))
	if _, err := io.ReadFull(c.r, text); err != nil {
		return "", err
	}
	return "$" + string(text[:n]), nil
}
