package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// life is how long an authority can sign: longer than any environment should
// stand, and short enough that a key that leaked is soon worth nothing.
const life = 30 * 24 * time.Hour

// backdated is how long before its making a certificate begins to hold, for the
// sake of services whose clock is behind or was set back.
const backdated = 24 * time.Hour

// Authority signs certificates. Its methods may be called from any goroutine.
type Authority struct {
	now  func() time.Time
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// stranger signs what nobody trusts. Few environments need one.
	stranger func() (*Authority, error)

	mu     sync.Mutex
	leaves map[string]*tls.Certificate
}

// New makes an authority that can sign from a day ago until a month from now.
// The name is for people: it is the issuer that a service's log speaks of.
//
// With names within, nobody who trusts the authority takes a certificate of its
// for any other: a host name allows itself and what is below it, an address or a
// CIDR range the addresses, and a kind that is not mentioned is not allowed at
// all. Without, it can sign for any name.
func New(name string, now func() time.Time, within ...string) (*Authority, error) {
	a, err := create(name, now, within)
	if err != nil {
		return nil, fmt.Errorf("make the certificate authority %q: %w", name, err)
	}
	return a, nil
}

func create(name string, now func() time.Time, within []string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	at := now()
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: name, Organization: []string{"rehearse"}},
		NotBefore: at.Add(-backdated),
		NotAfter:  at.Add(life),
		KeyUsage:  x509.KeyUsageCertSign,
		// On an authority, this limits what those that it signs are good for.
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	if err := constrain(template, within); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return newAuthority(cert, key, now), nil
}

func newAuthority(cert *x509.Certificate, key *ecdsa.PrivateKey, now func() time.Time) *Authority {
	return &Authority{
		now: now, cert: cert, key: key,
		leaves: map[string]*tls.Certificate{},
		stranger: sync.OnceValues(func() (*Authority, error) {
			// Under the same name a client would try the trusted key, fail,
			// and speak of a bad signature instead of an unknown authority.
			return New("rehearse: an authority that nobody trusts", now)
		}),
	}
}

// constrain limits an authority to names.
func constrain(c *x509.Certificate, names []string) error {
	if len(names) == 0 {
		return nil
	}
	c.PermittedDNSDomainsCritical = true
	// A wrong name must be wrong for being wrong, not for being forbidden.
	c.PermittedDNSDomains = []string{"invalid"}
	for _, name := range names {
		if _, ipnet, err := net.ParseCIDR(name); err == nil {
			c.PermittedIPRanges = append(c.PermittedIPRanges, ipnet)
			continue
		}
		if ip := net.ParseIP(name); ip != nil {
			c.PermittedIPRanges = append(c.PermittedIPRanges, single(ip))
			continue
		}
		name = canonical(strings.TrimPrefix(name, "*."))
		if err := checkName(name); err != nil {
			return err
		}
		c.PermittedDNSDomains = append(c.PermittedDNSDomains, name)
	}
	if len(c.PermittedIPRanges) == 0 {
		c.ExcludedIPRanges = []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
			{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		}
	}
	return nil
}

// single is the range of one address.
func single(ip net.IP) *net.IPNet {
	if v4 := ip.To4(); v4 != nil {
		return &net.IPNet{IP: v4, Mask: net.CIDRMask(32, 32)}
	}
	return &net.IPNet{IP: ip, Mask: net.CIDRMask(128, 128)}
}

// PEM is the authority's certificate, which is what services are given to
// trust. It holds no key.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// Pool trusts this authority and no other.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Expires is when the authority can no longer sign, and nothing that it has
// signed holds any more.
func (a *Authority) Expires() time.Time { return a.cert.NotAfter }

// check says what to do about an authority that has had its time.
func (a *Authority) check() error {
	if now := a.now(); now.After(a.cert.NotAfter) {
		return &rehearse.Error{
			Kind: rehearse.Unavailable,
			Msg:  fmt.Sprintf("the certificate authority %q expired on %s", a.cert.Subject.CommonName, a.cert.NotAfter.Format(time.DateTime)),
			Hint: "Take the environment down and bring it up again: it gets a new authority.",
		}
	}
	return nil
}
