package authority

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clientHello is what crypto/tls sends first.
func clientHello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	var sent bytes.Buffer
	// It fails when it reads.
	_ = tls.Client(tape{in: new(bytes.Buffer), out: &sent}, config).Handshake()
	if sent.Len() == 0 {
		t.Fatal("crypto/tls sent nothing")
	}
	return sent.Bytes()
}

// tape is a connection that plays in and records out.
type tape struct {
	net.Conn
	in, out *bytes.Buffer
}

func (t tape) Read(p []byte) (int, error)     { return t.in.Read(p) }
func (t tape) Write(p []byte) (int, error)    { return t.out.Write(p) }
func (tape) SetWriteDeadline(time.Time) error { return nil }
func (tape) Close() error                     { return nil }

// split puts a hello of one record into records of at most size bytes.
func split(p []byte, size int) []byte {
	var out []byte
	for rest := p[5:]; len(rest) > 0; {
		n := min(size, len(rest))
		out = append(out, 22, 3, 1, byte(n>>8), byte(n))
		out = append(out, rest[:n]...)
		rest = rest[n:]
	}
	return out
}

func hellos(t testing.TB) map[string]struct {
	bytes []byte
	want  Hello
} {
	type hello = struct {
		bytes []byte
		want  Hello
	}
	long := strings.Repeat("abcdefghi.", 20) + "test"
	full := clientHello(t, &tls.Config{ServerName: "api.example.test", NextProtos: []string{"h2", "http/1.1"}})
	want := Hello{Name: "api.example.test", Protocols: []string{"h2", "http/1.1"}}
	return map[string]hello{
		"full":         {full, want},
		"bare":         {clientHello(t, &tls.Config{InsecureSkipVerify: true}), Hello{}},
		"address":      {clientHello(t, &tls.Config{ServerName: "127.0.0.1"}), Hello{}},
		"TLS 1.2":      {clientHello(t, &tls.Config{ServerName: "db", MaxVersion: tls.VersionTLS12}), Hello{Name: "db"}},
		"long name":    {clientHello(t, &tls.Config{ServerName: long}), Hello{Name: long}},
		"two records":  {split(full, 1000), want},
		"many records": {split(full, 1), want},
		"more behind":  {append(bytes.Clone(full), "early data"...), want},
		// TLS 1.0 without extensions, which ends behind the compressions.
		"old": {append(append([]byte{22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 1}, make([]byte, 32)...), 0, 0, 2, 0, 47, 1, 0), Hello{}},
	}
}

func TestPeek(t *testing.T) {
	for name, test := range hellos(t) {
		got, opening := Peek(test.bytes)
		if diff := cmp.Diff(test.want, got); opening != TLS || diff != "" {
			t.Errorf("%s: opening %v, hello (-want +got):\n%s", name, opening, diff)
		}
		checkPrefixes(t, test.bytes)
	}
}

// checkPrefixes checks that the answer changes once at most, from Unsure to
// another.
func checkPrefixes(t testing.TB, p []byte) {
	t.Helper()
	for n := range p {
		checkPrefix(t, p[:n], p[:n+1])
	}
}

// checkPrefix checks that what was once said of a stream stands when more of it
// has come.
func checkPrefix(t testing.TB, first, p []byte) {
	t.Helper()
	before, opening := Peek(first)
	now, final := Peek(p)
	if opening != Unsure && (final != opening || now.Name != before.Name || !slices.Equal(now.Protocols, before.Protocols)) {
		t.Fatalf("%x: %v %+v at %d bytes, and %v %+v at %d", p, opening, before, len(first), final, now, len(p))
	}
}

func TestPeekRefuses(t *testing.T) {
	full := hellos(t)["full"].bytes
	changed := func(at int, to byte) []byte {
		p := bytes.Clone(full)
		p[at] = to
		return p
	}
	for name, p := range map[string][]byte{
		"HTTP":             []byte("G"),
		"SSH":              []byte("SSH-2.0-x"),
		"PostgreSQL":       {0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f},
		"HTTP/2":           []byte("PRI"),
		"a zero byte":      {0},
		"TLS alert":        {21, 3, 3, 0, 2, 2, 40},
		"SSL 2":            {0x80, 0x2e, 1},
		"version 2":        {22, 2},
		"version 3.5":      {22, 3, 5},
		"empty record":     {22, 3, 1, 0, 0},
		"huge record":      {22, 3, 1, 0x40, 1},
		"server hello":     {22, 3, 3, 0, 100, 2},
		"huge hello":       {22, 3, 3, 0, 100, 1, 1, 0, 1},
		"session overruns": changed(5+4+34, 255),
		"no room":          {22, 3, 1, 0, 4, 1, 0, 0, 0},
		"bytes behind":     append(append([]byte{22, 3, 1, 0, 48, 1, 0, 0, 44, 3, 1}, make([]byte, 32)...), 0, 0, 2, 0, 47, 1, 0, 0, 0, 9),
	} {
		if h, opening := Peek(p); opening != NotTLS || !cmp.Equal(h, Hello{}) {
			t.Errorf("%s: %v %+v", name, opening, h)
		}
	}
	if _, opening := Peek(nil); opening != Unsure {
		t.Errorf("no bytes are %v", opening)
	}
}

// A stream that never comes to the point is not kept in memory for ever.
func TestPeekIsBounded(t *testing.T) {
	var p []byte
	for len(p) < MaxHello {
		if _, opening := Peek(p); opening != Unsure {
			t.Fatalf("%v at %d bytes", opening, len(p))
		}
		part := make([]byte, 5+1000)
		copy(part, []byte{22, 3, 1, 1000 >> 8, 1000 & 255})
		if p == nil {
			copy(part[5:], []byte{1, 0, 0xff, 0xff})
		}
		p = append(p, part...)
	}
	if _, opening := Peek(p); opening != NotTLS {
		t.Errorf("%v at %d bytes", opening, len(p))
	}
}

func TestPeekCopiesOnce(t *testing.T) {
	p := hellos(t)["bare"].bytes
	if n := testing.AllocsPerRun(100, func() { Peek(p) }); n != 0 {
		t.Errorf("%v allocations for a hello without names", n)
	}
}

// What crypto/tls takes for a hello is one, and says the same.
func FuzzPeek(f *testing.F) {
	// The fuzzer takes a minute to make one input of 2 KB smaller, so it gets
	// hellos without post-quantum keys, and no more than maxInput.
	const maxInput = 400
	for _, config := range []*tls.Config{
		{ServerName: "db", NextProtos: []string{"h2", "x"}},
		{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12},
	} {
		config.CurvePreferences = []tls.CurveID{tls.X25519}
		short := clientHello(f, config)
		if len(split(short, 100)) > maxInput {
			f.Fatalf("a hello of %d bytes is too long for the fuzzer", len(short))
		}
		f.Add(short, uint16(7))
		f.Add(split(short, 100), uint16(120))
	}
	f.Add(hellos(f)["old"].bytes, uint16(10))
	f.Add([]byte("GET / HTTP/1.1\r\n"), uint16(1))
	f.Fuzz(func(t *testing.T, p []byte, part uint16) {
		if len(p) > maxInput {
			return
		}
		checkPrefix(t, p[:min(int(part), len(p))], p)
		got, opening := Peek(p)
		want, ok := golang(p)
		// crypto/tls also takes record versions that were never in use, and
		// passes over alerts between records.
		if !ok || p[0] != 22 || p[1] != 3 || p[2] > 4 || int(p[3])<<8|int(p[4]) < 4+(int(p[6])<<16|int(p[7])<<8|int(p[8])) {
			return
		}
		if diff := cmp.Diff(want, got); opening != TLS || diff != "" {
			t.Errorf("%x: opening %v, hello (-crypto/tls +Peek):\n%s", p, opening, diff)
		}
	})
}

// golang is what crypto/tls understands.
func golang(p []byte) (h Hello, ok bool) {
	config := &tls.Config{MinVersion: tls.VersionTLS10, GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		h, ok = Hello{Name: info.ServerName, Protocols: info.SupportedProtos}, true
		return nil, errors.New("seen enough")
	}}
	_ = tls.Server(tape{in: bytes.NewBuffer(bytes.Clone(p)), out: new(bytes.Buffer)}, config).Handshake()
	return h, ok
}
