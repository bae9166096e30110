package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
)

// targets are the addresses of what a peer does, directly or through a proxy.
type targets struct {
	Echo string // answers what it is told
	// Sink and Source are told a number of 8 bytes, big-endian. A sink reads so
	// many bytes and answers one; a source sends so many. Then they are told
	// the next. Neither needs a half-close: Toxiproxy has none.
	Sink   string
	Source string
	Deaf   string // accepts and never reads
}

// runPeer is the upstream of every contestant, until its standard input ends.
func runPeer(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var t targets
	for _, s := range []struct {
		addr  *string
		serve func(net.Conn)
	}{{&t.Echo, echo}, {&t.Sink, sink}, {&t.Source, source}, {&t.Deaf, func(net.Conn) { <-ctx.Done() }}} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		*s.addr = ln.Addr().String()
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					s.serve(c)
				}()
			}
		}()
	}
	if err := json.NewEncoder(stdout).Encode(t); err != nil {
		return err
	}
	untilEnd(ctx, cancel, stdin)
	return nil
}

// untilEnd waits for the end of a stream that the parent holds open, or of ctx.
func untilEnd(ctx context.Context, cancel context.CancelFunc, stdin io.Reader) {
	go func() {
		defer cancel()
		// An error is an end, too.
		_, _ = io.Copy(io.Discard, stdin)
	}()
	<-ctx.Done()
}

func echo(c net.Conn) {
	buf := make([]byte, 4<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

func sink(c net.Conn) {
	buf := make([]byte, blockSize)
	for {
		n, err := readNumber(c)
		if err != nil {
			return
		}
		if err := drain(c, buf, n); err != nil {
			return
		}
		if _, err := c.Write(buf[:1]); err != nil {
			return
		}
	}
}

func source(c net.Conn) {
	buf := make([]byte, blockSize)
	for {
		n, err := readNumber(c)
		if err != nil {
			return
		}
		if err := fill(c, buf, n); err != nil {
			return
		}
	}
}

// blockSize is how much is read and written at once where much is.
const blockSize = 256 << 10

// drain reads n bytes. io.CopyN to io.Discard would do so 8 KiB at a time.
func drain(c net.Conn, buf []byte, n int64) error {
	for n > 0 {
		m, err := c.Read(buf[:min(int64(len(buf)), n)])
		n -= int64(m)
		if err != nil && n > 0 {
			return err
		}
	}
	return nil
}

// fill writes n bytes.
func fill(c net.Conn, buf []byte, n int64) error {
	for n > 0 {
		m, err := c.Write(buf[:min(int64(len(buf)), n)])
		if err != nil {
			return err
		}
		n -= int64(m)
	}
	return nil
}

func readNumber(c net.Conn) (int64, error) {
	var b [8]byte
	_, err := io.ReadFull(c, b[:])
	return int64(binary.BigEndian.Uint64(b[:])), err
}

func writeNumber(c net.Conn, n int64) error {
	_, err := c.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return err
}
