package authority

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

func TestFlaws(t *testing.T) {
	for _, within := range [][]string{nil, {"db", "127.0.0.1"}} {
		a := newTest(t, within...)
		for _, flaw := range []Flaw{Sound, Expired, WrongName, Untrusted} {
			for _, name := range []string{"db", "eu.db", "127.0.0.1"} {
				for _, given := range [][]string{nil, {"DB.", "*.db", "127.0.0.1"}} {
					_, err := shake(t, a.Server(Server{Names: given, Flaw: flaw}), trusting(a, name))
					if !broken(flaw, err) {
						t.Errorf("within %q, a certificate for %q with flaw %q, asked for %q: the client says %v", within, given, flaw, name, err)
					}
				}
			}
		}
	}
}

// A client that checks nothing goes on with any certificate.
func TestCarelessClient(t *testing.T) {
	a := newTest(t)
	for _, flaw := range []Flaw{Expired, WrongName, Untrusted} {
		if _, err := shake(t, a.Server(Server{Flaw: flaw}), &tls.Config{InsecureSkipVerify: true, ServerName: "db"}); err != nil {
			t.Errorf("%s: %v", flaw, err)
		}
	}
}

func TestUnknownFlaw(t *testing.T) {
	_, err := newTest(t).leaf([]string{"db"}, "rusty")
	if err == nil || !strings.Contains(err.Error(), `no flaw "rusty"`) {
		t.Errorf("got %v", err)
	}
}

func TestNamesThatWereGiven(t *testing.T) {
	a := newTest(t)
	config := a.Server(Server{Names: []string{"db", "*.example.test"}})
	for name, flaw := range map[string]Flaw{"db": Sound, "api.example.test": Sound, "other": WrongName, "127.0.0.1": WrongName} {
		if _, err := shake(t, config, trusting(a, name)); !broken(flaw, err) {
			t.Errorf("asked for %s: %v, want flaw %q", name, err, flaw)
		}
	}
}

func TestConstraints(t *testing.T) {
	for _, test := range []struct {
		within  []string
		name    string
		allowed bool
	}{
		{nil, "anything.example.com", true},
		{nil, "127.0.0.1", true},
		{[]string{"db"}, "db", true},
		{[]string{"db"}, "my_db", false},
		{[]string{"my_db"}, "my_db", true},
		{[]string{"*.example.test"}, "api.example.test", true},
		{[]string{"db"}, "127.0.0.1", false},
		{[]string{"db", "127.0.0.0/8"}, "127.0.0.1", true},
		{[]string{"db", "127.0.0.2"}, "127.0.0.1", false},
		{[]string{"db", "::1"}, "127.0.0.1", false},
	} {
		a := newTest(t, test.within...)
		_, err := shake(t, a.Server(Server{Names: []string{test.name}}), trusting(a, test.name))
		var invalid x509.CertificateInvalidError
		if test.allowed && err != nil || !test.allowed && !(errors.As(err, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName) {
			t.Errorf("within %q, a certificate for %s: %v", test.within, test.name, err)
		}
	}
	if _, err := New("x", clock, "two words"); err == nil {
		t.Error("New took a name that no host can have")
	}
}

// The authority signs servers, and no authority, no client.
func TestAuthorityIsNarrow(t *testing.T) {
	a := newTest(t)
	if !a.cert.IsCA || a.cert.MaxPathLen != 0 || !a.cert.MaxPathLenZero || a.cert.KeyUsage != x509.KeyUsageCertSign {
		t.Errorf("got %+v", a.cert)
	}
	leaf, err := a.leaf([]string{"db"}, Sound)
	if err != nil {
		t.Fatal(err)
	}
	_, err = leaf.Leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), CurrentTime: today, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err == nil {
		t.Error("the certificate is good for a client")
	}
}

// The common name is a host name of the certificate's, or there is none: OpenSSL
// holds an address there against the constraints on host names.
func TestCommonName(t *testing.T) {
	a := newTest(t)
	long := strings.Repeat("a", 63) + ".test"
	for _, test := range []struct{ names, want string }{
		{"db", "db"}, {"127.0.0.1", ""}, {"127.0.0.1 db", "db"}, {long, ""},
	} {
		c, err := a.leaf(strings.Fields(test.names), Sound)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Leaf.Subject.CommonName; got != test.want {
			t.Errorf("%s: the common name is %q, want %q", test.names, got, test.want)
		}
	}
}

func TestPEM(t *testing.T) {
	a := newTest(t)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.PEM()) || strings.Contains(string(a.PEM()), "KEY") {
		t.Fatalf("not a certificate alone:\n%s", a.PEM())
	}
	if _, err := shake(t, a.Server(Server{}), &tls.Config{RootCAs: pool, ServerName: "db", Time: clock}); err != nil {
		t.Error(err)
	}
	if _, err := shake(t, a.Server(Server{}), trusting(newTest(t), "db")); !broken(Untrusted, err) {
		t.Errorf("a client of another environment says %v", err)
	}
}

func TestHostileNames(t *testing.T) {
	a := newTest(t)
	for _, name := range []string{"", strings.Repeat("a", 254), "a b", "ä", "a\x00b", "a\nb"} {
		if _, err := a.leaf([]string{name}, Sound); err == nil {
			t.Errorf("there is a certificate for %q", name)
		}
	}
	if _, err := a.leaf(make([]string, maxNames+1), Sound); err == nil {
		t.Error("there is a certificate for too many names")
	}
	if len(a.leaves) != 0 {
		t.Errorf("%d certificates are kept", len(a.leaves))
	}
}

func TestLeavesAreKept(t *testing.T) {
	at := today
	a, err := New("docgen", func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	leaf := func(flaw Flaw) *tls.Certificate {
		t.Helper()
		c, err := a.leaf([]string{"db"}, flaw)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	sound, expired := leaf(Sound), leaf(Expired)
	at = at.Add(leafLife / 3)
	if leaf(Sound) != sound || leaf(Expired) != expired {
		t.Error("a certificate was made twice")
	}
	at = at.Add(leafLife / 3)
	if leaf(Sound) == sound {
		t.Error("a certificate was not replaced in time")
	}
	at = a.Expires().Add(-time.Minute)
	if got := leaf(Sound).Leaf.NotAfter; got.After(a.Expires()) {
		t.Errorf("a certificate lasts until %v, longer than its authority", got)
	}
	at = a.Expires().Add(time.Second)
	if _, err := a.leaf([]string{"db"}, Sound); rehearse.KindOf(err) != rehearse.Unavailable {
		t.Errorf("after its time, the authority says %v", err)
	}
}

func TestLeavesAreBounded(t *testing.T) {
	a := newTest(t)
	for i := range maxLeaves + 10 {
		if _, err := a.leaf([]string{fmt.Sprint("host-", i)}, Sound); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.leaves) != maxLeaves {
		t.Errorf("%d certificates are kept, not %d", len(a.leaves), maxLeaves)
	}
}

func TestConcurrentLeaves(t *testing.T) {
	a := newTest(t)
	got := make([]*tls.Certificate, 64)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i], _ = a.leaf([]string{fmt.Sprint(i % 4)}, []Flaw{Sound, Untrusted}[i/4%2]) })
	}
	all.Wait()
	for i, c := range got {
		if c == nil || c != got[i%8] {
			t.Errorf("certificate %d is not the one that the others got", i)
		}
	}
}

func TestSave(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	for range 2 { // the second replaces the first
		a := newTest(t, "db")
		if err := a.Save(dir); err != nil {
			t.Fatal(err)
		}
		b, err := Load(dir, clock)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := shake(t, b.Server(Server{}), trusting(a, "db")); err != nil {
			t.Errorf("who trusts the saved authority says of the loaded one: %v", err)
		}
		cert, err := os.ReadFile(filepath.Join(dir, CertFile))
		if err != nil || string(cert) != string(a.PEM()) {
			t.Errorf("%s: %s, %v", CertFile, cert, err)
		}
	}
	modes := map[string]fs.FileMode{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		modes[e.Name()] = info.Mode()
	}
	if len(modes) != 2 || modes[keyFile] != 0o600 || modes[CertFile] != 0o644 {
		t.Errorf("the files are %v", modes)
	}
}

func TestSaveFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newTest(t).Save(dir); err == nil {
		t.Error("Save made a directory where a file is")
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir, clock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
	a, b := newTest(t), newTest(t)
	if err := a.Save(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, func() time.Time { return a.Expires().Add(time.Second) }); rehearse.KindOf(err) != rehearse.Unavailable || !strings.Contains(err.Error(), "expired on") {
		t.Errorf("an old one: %v", err)
	}
	path := filepath.Join(dir, keyFile)
	saved, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string]string{
		"empty":             "",
		"cut":               string(saved[:len(saved)/2]),
		"no certificate":    strings.Split(string(saved), "-----BEGIN CERT")[0],
		"the other way":     string(a.PEM()) + string(saved),
		"another's":         strings.Split(string(saved), "-----BEGIN CERT")[0] + string(b.PEM()),
		"two keys, no cert": strings.Repeat(strings.Split(string(saved), "-----BEGIN CERT")[0], 2),
	} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		var e *rehearse.Error
		if _, err := Load(dir, clock); !errors.As(err, &e) || e.File != path || e.Hint == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
}
