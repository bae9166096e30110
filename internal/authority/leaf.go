package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"
)

// Flaw is what is wrong with a certificate. The words are those of a TLS fault's
// code.
type Flaw string

// The flaws. A client that checks nothing but trust does not mind WrongName, and
// one that checks nothing minds none of them.
const (
	Sound     Flaw = ""
	Expired   Flaw = "expired"    // held until an hour ago
	WrongName Flaw = "wrong-name" // speaks of wrong-name.invalid only
	Untrusted Flaw = "untrusted"  // signed by an authority that nobody knows
)

// wrongName is under a top-level domain that nobody can own (RFC 6761), so no
// client has ever asked for it.
const wrongName = "wrong-name.invalid"

// leafLife is how long a certificate holds. One that has had half of it is
// replaced.
const leafLife = 24 * time.Hour

// maxLeaves is how many certificates are kept. Clients that ask for ever new
// names cost time, not memory.
const maxLeaves = 1024

// maxNames is how many names one certificate can speak of.
const maxNames = 100

// leaf gives the certificate for names, host names or addresses, from memory if
// it can. The lock is held while a certificate is made, which takes less than a
// millisecond, so that many connections at once make one.
func (a *Authority) leaf(names []string, flaw Flaw) (*tls.Certificate, error) {
	if len(names) == 0 || len(names) > maxNames {
		return nil, fmt.Errorf("a certificate cannot be for %d names", len(names))
	}
	for i := range names {
		if err := checkName(names[i]); err != nil {
			return nil, err
		}
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	key := string(flaw) + " " + strings.Join(names, " ")
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.leaves[key]
	// One that expired long ago must not be found wanting for that.
	if c != nil && (flaw == Expired || a.now().Add(leafLife/2).Before(c.Leaf.NotAfter)) {
		return c, nil
	}
	c, err := a.mint(names, flaw)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", strings.Join(names, ", "), err)
	}
	for old := range a.leaves {
		if len(a.leaves) < maxLeaves {
			break
		}
		delete(a.leaves, old)
	}
	a.leaves[key] = c
	return c, nil
}

func (a *Authority) mint(names []string, flaw Flaw) (*tls.Certificate, error) {
	signer, now := a, a.now()
	template := &x509.Certificate{
		NotBefore:   a.cert.NotBefore,
		NotAfter:    now.Add(leafLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	switch flaw {
	case Sound:
	case Expired:
		template.NotBefore, template.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Hour)
	case WrongName:
		names = []string{wrongName}
	case Untrusted:
		var err error
		if signer, err = a.stranger(); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("there is no flaw %q", flaw)
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	template.Subject.Organization = []string{"rehearse"}
	// OpenSSL takes an address here for a host name, and finds it forbidden by
	// an authority that is limited to other host names.
	if d := template.DNSNames; len(d) > 0 && len(d[0]) <= 64 { // X.520's bound
		template.Subject.CommonName = d[0]
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, &key.PublicKey, signer.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}, nil
}

// canonical is a name as certificates write it.
func canonical(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// checkName refuses what no host is called. Names come from clients, and end up
// in certificates, in the memory of them and in error messages.
func checkName(name string) error {
	if name == "" || len(name) > 253 {
		return fmt.Errorf("a host name has 1 to 253 bytes, not %d", len(name))
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("%q is not a host name", name)
		}
	}
	return nil
}
