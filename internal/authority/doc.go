// Package authority ends TLS on behalf of services: an environment's own
// certificate authority, the certificates that it signs, sound ones and ones
// that are broken on purpose, and the two handshakes of a connection that is
// looked into.
//
//	client ◀─ tls, our certificate ─▶ End ◀─ tls, the upstream's certificate ─▶ upstream
//
// Most callers make one [Authority] for an environment with [New], give
// [Authority.PEM] to the services to trust, and call [End] for each connection.
//
// What the client and the upstream would have agreed on without us they still
// agree on: the server's name, the protocol (ALPN) and the version of TLS. So
// they do on how a stream ends: a half-closed one stays half open, and one that
// ended without TLS's goodbye ends without it on the other side too. Cipher
// suites, resumed sessions and client certificates are not carried over.
//
// An authority's key signs certificates that only this environment's services
// trust, for a month at most. It is kept in memory, and on disk only where Save
// was asked to put it.
package authority
