package peers

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

// messages is a WebSocket that is open.
type messages struct {
	conn      *websocket.Conn
	transport *http.Transport
}

func (m messages) exchange(ctx context.Context) error {
	for rest := body; len(rest) > 0; rest = rest[16<<10:] {
		if err := m.conn.Write(ctx, websocket.MessageBinary, rest[:16<<10]); err != nil {
			return err
		}
		kind, got, err := m.conn.Read(ctx)
		if err != nil {
			return err
		}
		if kind != websocket.MessageBinary {
			return fmt.Errorf("%w: a message of kind %v", errWrong, kind)
		}
		if err := same("message", got, rest[:16<<10]); err != nil {
			return err
		}
	}
	return nil
}

func (m messages) Close() error {
	m.transport.CloseIdleConnections()
	return m.conn.CloseNow()
}

func TestWebSocket(t *testing.T) {
	plain, passed, ended := ways(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // the client hears of it
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, b); err != nil {
				return
			}
		}
	}))
	var peers []peer
	for _, s := range []secured{plain, passed, ended} {
		peers = append(peers, peer{name: "websocket" + s.name, link: s.link, handshakes: s.trusts != nil, checked: s.name == "-tls",
			open: func(ctx context.Context, c carried) (conversation, error) {
				r := newRoundTripper(c, s, false)
				conn, _, err := websocket.Dial(ctx, r.url, &websocket.DialOptions{HTTPClient: r.client})
				if err != nil {
					return nil, err
				}
				conn.SetReadLimit(1 << 20)
				return messages{conn, r.client.Transport.(*http.Transport)}, nil
			},
			says: map[ending]string{
				refused: `connection refused`,
				reset:   `reset by peer|broken pipe|EOF`,
				closed:  `EOF|broken pipe|reset by peer`,
			},
		})
	}
	matrix(t, peers, append(streams, handshakes))
}
