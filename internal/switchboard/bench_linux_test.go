package switchboard_test

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/switchboard"
)

// BenchmarkConnection measures connections of a client to the host's process, by
// what is between them: nothing but a loopback, the wire and a socket that was
// passed, or the wire and the tunnel.
func BenchmarkConnection(b *testing.B) {
	measure := func(b *testing.B, host, client net.Conn) {
		b.Run("roundtrip", func(b *testing.B) {
			go func() {
				word := make([]byte, 1)
				for {
					if _, err := io.ReadFull(host, word); err != nil {
						return
					}
					if _, err := host.Write(word); err != nil {
						return
					}
				}
			}()
			word := make([]byte, 1)
			for b.Loop() {
				if _, err := client.Write(word); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(client, word); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("bulk", func(b *testing.B) {
			const size = 64 << 10
			b.SetBytes(size)
			go func() {
				data := make([]byte, size)
				for {
					if _, err := host.Write(data); err != nil {
						return
					}
				}
			}()
			data := make([]byte, size)
			for b.Loop() {
				if _, err := io.ReadFull(client, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("loopback", func(b *testing.B) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		client, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		host, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		defer host.Close()
		measure(b, host, client)
	})
	for _, mode := range []string{switchboard.ModeSockets, switchboard.ModeTunnel} {
		b.Run(mode, func(b *testing.B) {
			w, board := inMode(b, mode)
			l, err := board.Listen(b.Context(), netip.AddrPortFrom(linkAddr, 80))
			if err != nil {
				b.Fatal(err)
			}
			client, err := w.dial(b, netip.AddrPortFrom(linkAddr, 80))
			if err != nil {
				b.Fatal(err)
			}
			host, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer host.Close()
			measure(b, host, client)
		})
	}
}
