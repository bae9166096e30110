package link

import (
	"crypto/tls"
	"math/rand/v2"
	"net"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// A real connection over a path that takes u up and d down goes like this when
// the client connects at 0 (rtt = u + d):
//
//	client                     upstream
//	0        SYN ────────────▶ u
//	rtt      ◀─────── SYN-ACK  u
//	rtt      ACK, data ──────▶ rtt + u       accept returns; first bytes arrive
//	2 rtt    ◀─ greeting       rtt + u       of an upstream that speaks first
//
// Here the client's kernel says "connected" at 0 and the upstream is dialled at
// once, so both sides can speak too early. Two holds put their bytes back to
// where they belong; after its hold, a chunk takes the path's delay like any
// other:
//
//   - Nothing enters the link from the client before rtt. What it sent earlier
//     is taken as sent then. A client that connects first and speaks later, as a
//     pool does, has paid by then and is not held.
//   - The upstream's accept came early by rtt + u − (when the dial succeeded),
//     so its first chunk is late by that much: an upstream greets some time
//     after it accepts, however long it takes to. That does not apply once the
//     client's first bytes were handed over, for those came at the right time
//     and so does the answer.
//
// An upstream that refuses is seen by the client at rtt, as the reset that its
// SYN would have met.
//
// A link that ends TLS has made that handshake too, with both sides in no time:
// its round trips are added to the first hold in the same way. They count from
// when it was made, for a client may connect first and greet later.
type handshake struct {
	established time.Time     // no byte leaves the client before
	early       time.Duration // by how much the upstream accepted too soon
}

// shakeHands is the handshake of a connection that was accepted at one time and
// reached its upstream at another. In the model tier it takes what it would take
// a kernel: with jitter, and with a second for each SYN that is lost. near is
// the connection that its bytes are read from.
func shakeHands(set *settings, rng *rand.Rand, near net.Conn, opened, dialled time.Time) handshake {
	took := set.shape.RTT()
	switch set.tier {
	case rehearse.TierPacket:
		return handshake{} // the kernels shook hands over the path itself
	case rehearse.TierModel:
		took = shape.Handshake(rng, set.shape)
	}
	established := opened.Add(took)
	if n := roundTripsOfTLS(near); n > 0 {
		established = later(established, dialled).Add(time.Duration(n) * set.shape.RTT())
	}
	accepted := established.Add(time.Duration(set.shape.Up.Delay))
	return handshake{established: established, early: max(0, accepted.Sub(dialled))}
}

// roundTripsOfTLS is how many round trips pass before the client of an ended TLS
// may speak: one since TLS 1.3 (RFC 8446), and two before (RFC 5246). It is 0
// where TLS was not ended.
func roundTripsOfTLS(conn net.Conn) int {
	c, ended := conn.(interface{ ConnectionState() tls.ConnectionState })
	switch {
	case !ended:
		return 0
	case c.ConnectionState().Version >= tls.VersionTLS13:
		return 1
	}
	return 2
}
