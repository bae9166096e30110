package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// ended is a connection whose TLS was ended, of some version.
type ended struct {
	net.Conn
	version uint16
}

func (e ended) ConnectionState() tls.ConnectionState { return tls.ConnectionState{Version: e.version} }

// TestHandshakeOfTLS holds what an ended handshake of TLS adds: the client's
// first byte comes to the upstream after the round trips of both handshakes.
func TestHandshakeOfTLS(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		version uint16
		// When the client greets, when it speaks, and when the upstream hears.
		greets, speaks, want time.Duration
	}{
		{tls.VersionTLS13, 0, 0, 42*ms + 42*ms + 30*ms},
		{tls.VersionTLS12, 0, 0, 42*ms + 84*ms + 30*ms},
		{tls.VersionTLS13, 500 * ms, 500 * ms, 500*ms + 42*ms + 30*ms},
		{tls.VersionTLS13, 0, 500 * ms, 500*ms + 30*ms},
	} {
		t.Run(fmt.Sprintf("%s, greeted at %v, spoken at %v", tls.VersionName(test.version), test.greets, test.speaks), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				l, dial := memoryLink(t, slow, 1, 0)
				l.EndTLS(func(ctx context.Context, client net.Conn, dial Dial, _ string) (near, far net.Conn, err error) {
					far, err = dial(ctx)
					time.Sleep(test.greets)
					return ended{client, test.version}, far, err
				})
				client, upstream := dial()
				go func() {
					time.Sleep(test.speaks)
					io.WriteString(client, "q")
				}()
				u := <-upstream
				io.ReadFull(u, make([]byte, 1))
				if got := time.Since(start); got != test.want {
					t.Errorf("the upstream hears the client after %v, want %v", got, test.want)
				}
			})
		})
	}
}
