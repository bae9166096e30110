package authority

import (
	"crypto/tls"
	"errors"
	"net"
)

// Server is what a client is shown.
type Server struct {
	// Names are what the certificate speaks of, host names and addresses,
	// whatever the client asks for: who asks for another sees that it is wrong,
	// as with a real server. Without names, the certificate is for the name that
	// the client asks for, or else for the address that it has reached.
	Names []string
	// Protocols are offered by ALPN, the preferred one first; none if empty.
	Protocols []string
	Flaw      Flaw
}

// Server gives a configuration for [tls.Server]. It is cheap to make, so there
// can be one for each connection.
//
// It resumes no session. A client that resumes one sees no certificate, so a
// fault in it would not touch a client that has been there before.
func (a *Authority) Server(s Server) *tls.Config {
	names := make([]string, len(s.Names))
	for i, name := range s.Names {
		names[i] = canonical(name)
	}
	return &tls.Config{
		Time:                   a.now,
		NextProtos:             s.Protocols,
		SessionTicketsDisabled: true,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if len(names) > 0 {
				return a.leaf(names, s.Flaw)
			}
			name, err := asked(hello)
			if err != nil {
				return nil, err
			}
			return a.leaf([]string{name}, s.Flaw)
		},
	}
}

// asked is the name that a client asks for. One that connects to an address
// asks for none (RFC 6066, section 3), and compares the address.
func asked(hello *tls.ClientHelloInfo) (string, error) {
	if hello.ServerName != "" {
		return canonical(hello.ServerName), nil
	}
	host, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
	if err != nil || net.ParseIP(host) == nil {
		return "", errors.New("the client asks for no name, and its connection is to no address")
	}
	return host, nil
}
