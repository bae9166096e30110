package link

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

// query is a DNS query for an address of a.example, with an EDNS record.
const query = "\x12\x34\x01\x10\x00\x01\x00\x00\x00\x00\x00\x01" +
	"\x01a\x07example\x00\x00\x01\x00\x01" +
	"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"

func TestDNSAnswer(t *testing.T) {
	for code, flags := range map[string]string{
		"NXDOMAIN": "\x81\x93", "SERVFAIL": "\x81\x92", "REFUSED": "\x81\x95", "FORMERR": "\x81\x91", "empty": "\x81\x90",
	} {
		inBubble(t, slow, 1, func(t *testing.T, b *bubble) {
			b.fault(rehearse.Fault{Kind: rehearse.FaultDNS, Code: code})
			b.ask("a", query)
			b.after(slow.RTT())
			want := []arrival{{"a", "\x12\x34" + flags + "\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01", slow.RTT()}}
			if diff := cmp.Diff(want, b.port.take()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", code, diff)
			}
			s := b.link.Stats()
			if d := s.Doses[0]; b.dialled() != 0 || s.RoundTrips != 1 || d.Requests != 1 || d.Packets != 1 || d.Connections != 1 {
				t.Errorf("%s: %d sockets were dialled; %+v", code, b.dialled(), s)
			}
		})
	}
}

// TestResolver has Go's own resolver ask through a link.
func TestResolver(t *testing.T) {
	upstream := listenUDP(t, "127.0.0.1:0")
	go func() {
		buf := make([]byte, maxDatagram)
		for {
			n, from, err := upstream.ReadFrom(buf)
			if err != nil {
				return
			}
			out := answerDNS(buf[:n], "empty")
			if kind := binary.BigEndian.Uint16(out[len(out)-4:]); kind == 1 {
				out[7] = 1 // one answer: the question's name is at 10.1.2.3
				out = append(out, "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x0a\x01\x02\x03"...)
			}
			upstream.WriteTo(out, from)
		}
	}()
	l := New(rehearse.LinkSpec{}, 1)
	dial := serveUDP(t, l, "127.0.0.1", upstream.LocalAddr().String())
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return dial(), nil }}
	lookup := func() (string, error) {
		ips, err := resolver.LookupIP(context.Background(), "ip4", "a.example.")
		if err != nil {
			return "", err
		}
		return ips[0].String(), nil
	}
	for _, test := range []struct {
		code     string
		notFound bool
	}{{"NXDOMAIN", true}, {"empty", true}, {"SERVFAIL", false}, {"REFUSED", false}, {"FORMERR", false}} {
		if got, err := lookup(); got != "10.1.2.3" {
			t.Errorf("without a fault: %s, %v", got, err)
		}
		if err := l.Break([]rehearse.Fault{{Kind: rehearse.FaultDNS, Code: test.code}}); err != nil {
			t.Fatal(err)
		}
		got, err := lookup()
		var failed *net.DNSError
		if !errors.As(err, &failed) || failed.IsNotFound != test.notFound || failed.IsTimeout {
			t.Errorf("%s: the resolver says %s, %v", test.code, got, err)
		}
		if err := l.Break(nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQueries(t *testing.T) {
	change := func(place int, b string) string { return query[:place] + b + query[place+len(b):] }
	long := query[:dnsHeader] + strings.Repeat("\x3f"+strings.Repeat("x", 63), 4) + "\x00\x00\x01\x00\x01"
	for _, test := range []struct {
		name, data string
		want       bool
	}{
		{"a query", query, true},
		{"a query without EDNS", query[:27], true},
		{"a query for the root", query[:dnsHeader] + "\x00\x00\x02\x00\x01", true},
		{"nothing", "", false},
		{"a header", query[:dnsHeader], false},
		{"a question cut short", query[:26], false},
		{"an answer", change(2, "\x81"), false},
		{"an update", change(2, "\x28"), false},
		{"two questions", change(5, "\x02"), false},
		{"a name that points back", change(dnsHeader, "\xc0\x0c"), false},
		{"a name that is too long", long, false},
	} {
		if got := isQuery([]byte(test.data)); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// FuzzDNS holds that nothing breaks the reader, and that an answer is one to its
// query.
func FuzzDNS(f *testing.F) {
	f.Add([]byte(query))
	f.Add([]byte(query[:20]))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !isQuery(data) {
			return
		}
		out := answerDNS(data, "SERVFAIL")
		if end := questionEnd(data); len(out) != end || string(out[:2]) != string(data[:2]) || string(out[dnsHeader:]) != string(data[dnsHeader:end]) {
			t.Errorf("%x is answered by %x", data, out)
		}
		if isQuery(out) {
			t.Errorf("the answer %x is a query", out)
		}
	})
}
