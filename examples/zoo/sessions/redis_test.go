package main

import (
	"bufio"
	"io"
	"net"
	"testing"
)

func TestConn(t *testing.T) {
	for _, tt := range []struct {
		answer, want string
		ok, broken   bool
	}{
		{"+OK\r\n", "OK", true, false},
		{"$5\r\nad\r\nm\r\n", "ad\r\nm", true, false},
		{"$-1\r\n", "", true, false},
		{"-LOADING Redis is loading the dataset in memory\r\n", "", false, false},
		{"$5\r\nad", "", false, true},
		{"", "", false, true},
	} {
		near, far := net.Pipe()
		c := newConn(near)
		go func() {
			defer far.Close()
			r := bufio.NewReader(far)
			for range 5 { // "*2", and two lines for each argument
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
			}
			_, _ = io.WriteString(far, tt.answer)
		}()
		got, err := c.do("GET", "session:7")
		if got != tt.want || err == nil != tt.ok || c.broken != tt.broken {
			t.Errorf("answer %q: got %q, %v, broken %v", tt.answer, got, err, c.broken)
		}
		c.close()
	}
}
