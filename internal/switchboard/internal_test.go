//go:build unix

package switchboard

import (
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/rehearse-dev/rehearse/internal/passing"
)

// TestOffer has strangers at the host's socket beside the container.
func TestOffer(t *testing.T) {
	dir := t.TempDir()
	o, err := newOffer(dir)
	if err != nil {
		t.Fatal(err)
	}
	dial := func() *net.UnixConn {
		c, err := net.Dial("unix", filepath.Join(dir, socketName))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.(*net.UnixConn)
	}
	silent := dial()
	for _, token := range []string{"", "guess", o.token[:len(o.token)-1], o.token + "A"} {
		c := dial()
		if err := passing.FromConn(c).Write(greeting{token}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the token %q gives %v, want io.EOF", token, err)
		}
	}
	ours := passing.FromConn(dial())
	if err := ours.Write(greeting{o.token}); err != nil {
		t.Fatal(err)
	}
	ch, err := o.taken()
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Close()
	if err := ch.Write("welcome"); err != nil {
		t.Fatal(err)
	}
	var got string
	if _, err := ours.Read(&got); err != nil || got != "welcome" {
		t.Errorf("the container hears %q, %v", got, err)
	}
	silent.Close()
	o.withdraw()
	if _, err := net.Dial("unix", filepath.Join(dir, socketName)); err == nil {
		t.Error("a socket that was withdrawn takes connections")
	}
}

// FuzzAnswer holds answers to what resolvers need of them, whatever they ask.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"db.", "DB.", "a.b.example.", "."} {
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: 1}, Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
		query, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(query)
	}
	names := map[string]netip.Addr{"db": netip.MustParseAddr("10.77.0.130")}
	f.Fuzz(func(t *testing.T, query []byte) {
		out, unknown := answer(query, names)
		if out == nil {
			if unknown != "" {
				t.Errorf("%q is unknown, and nobody asked", unknown)
			}
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(out); err != nil {
			t.Fatalf("the answer cannot be read: %v", err)
		}
		if !m.Response || m.ID != uint16(query[0])<<8|uint16(query[1]) {
			t.Errorf("the answer to % x has the header %v", query[:2], m.Header)
		}
		if len(out) > 512 {
			t.Errorf("the answer has %d bytes, more than UDP takes", len(out))
		}
		if unknown != "" && m.RCode != dnsmessage.RCodeNameError {
			t.Errorf("%q is unknown, and the answer says %v", unknown, m.RCode)
		}
	})
}
