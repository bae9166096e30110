package authority

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// Check is what becomes of an upstream whose certificate is not sound.
type Check string

// The checks.
const (
	// Mirror shows the client a certificate with the flaw that the upstream's
	// has. Whether that matters is for the client to say, as without us: one
	// that checks nothing goes on.
	Mirror Check = ""
	// Strict ends the handshake.
	Strict Check = "strict"
	// Skip does not look, and shows the client a sound certificate.
	Skip Check = "skip"
)

// Upstream is how a real server is met. The zero value asks for what the client
// asks for, trusts whom the host trusts, and mirrors flaws.
type Upstream struct {
	// Name is asked for (SNI) and checked; empty is the name that the client
	// asked for. If that is empty too, none is asked for, and only trust and
	// dates are checked.
	Name  string
	Roots *x509.CertPool // whom to trust; nil is whom the host trusts
	Check Check
	// Certificates are shown to an upstream that asks who we are. A client's
	// own cannot be passed on, for its key is not ours.
	Certificates []tls.Certificate
	Now          func() time.Time // nil is time.Now
}

// Client gives a configuration for [tls.Client] that offers protocols. With
// Strict, the handshake fails where the certificate is not sound, with the error
// of [Upstream.Verify]; otherwise whoever cares calls Verify after it.
func (u Upstream) Client(protocols []string) *tls.Config {
	config := &tls.Config{
		ServerName:   u.Name,
		NextProtos:   protocols,
		Certificates: u.Certificates,
		Time:         u.Now,
		// crypto/tls would refuse to ask for no name, and has no way to look
		// without refusing. The same check is made by Verify.
		InsecureSkipVerify: true,
	}
	if u.Check == Strict {
		config.VerifyConnection = u.Verify
	}
	return config
}

// Verify checks the certificates of an upstream as a client of its name would,
// whatever Check says. Its errors are those of package x509; FlawOf reads them.
func (u Upstream) Verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the upstream showed no certificate")
	}
	options := x509.VerifyOptions{Roots: u.Roots, DNSName: u.Name, Intermediates: x509.NewCertPool()}
	if u.Now != nil {
		options.CurrentTime = u.Now()
	}
	for _, c := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(options)
	return err
}

// FlawOf is the flaw that makes a client fail in the way of err, an error of
// [Upstream.Verify]. It reports false where that is not the certificate's fault:
// the host's own list of authorities cannot be read.
func FlawOf(err error) (Flaw, bool) {
	var (
		roots   x509.SystemRootsError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case err == nil:
		return Sound, true
	case errors.As(err, &roots):
		return Sound, false
	case errors.As(err, &name):
		return WrongName, true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Expired, true
	}
	return Untrusted, true
}
