package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// patience is how long anything may take on a connection before it counts as
// stuck.
const patience = 60 * time.Second

// dial opens a connection that ends with a reset, so that thousands of them
// leave nothing behind.
func dial(address string) (*net.TCPConn, error) {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := conn.(*net.TCPConn)
	if err := c.SetLinger(0); err != nil {
		c.Close()
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

// dialAll opens n connections, some at a time. It returns those that it has
// opened whatever the error.
func dialAll(address string, n int) ([]*net.TCPConn, error) {
	return openAll(n, func() (*net.TCPConn, error) { return dial(address) })
}

// dialEchoes opens n connections each of which has carried a byte to an echo
// and back, so that it is open to its end.
func dialEchoes(address string, n int) ([]*net.TCPConn, error) {
	return openAll(n, func() (*net.TCPConn, error) { return dialEcho(address) })
}

func dialEcho(address string) (*net.TCPConn, error) {
	c, err := dial(address)
	if err != nil {
		return nil, err
	}
	if err := exchange(c, make([]byte, 1)); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func openAll(n int, open func() (*net.TCPConn, error)) ([]*net.TCPConn, error) {
	var mu sync.Mutex
	var conns []*net.TCPConn
	var failed error
	left := n
	var workers sync.WaitGroup
	for range min(n, 16) {
		workers.Go(func() {
			for {
				mu.Lock()
				more := left > 0 && failed == nil
				left--
				mu.Unlock()
				if !more {
					return
				}
				c, err := open()
				mu.Lock()
				if err != nil {
					failed = fmt.Errorf("connection %d of %d: %w", len(conns)+1, n, err)
				} else {
					conns = append(conns, c)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return conns, failed
}

func closeAll(conns []*net.TCPConn) {
	for _, c := range conns {
		c.Close()
	}
}

// exchange says something and reads as much.
func exchange(c net.Conn, buf []byte) error {
	if _, err := c.Write(buf); err != nil {
		return err
	}
	_, err := io.ReadFull(c, buf)
	return err
}
