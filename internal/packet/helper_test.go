package packet

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

var (
	client4, link4 = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.1.1.1")
	client6, link6 = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
)

// datagram is a frame as a device gives it, of UDP without a checksum.
func datagram(src, dst netip.Addr, payload []byte) []byte {
	b := header(src, dst, protoUDP, 8+len(payload))
	b = binary.BigEndian.AppendUint16(b, 1000)
	b = binary.BigEndian.AppendUint16(b, 2000)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	b = append(b, 0, 0)
	return append(b, payload...)
}

// train is a frame of TCP packets with size bytes each, as the kernel leaves it:
// the checksum is that of the pseudo header.
func train(src, dst netip.Addr, size int, payload []byte) []byte {
	b := header(src, dst, protoTCP, 32+len(payload))
	ip := len(b)
	b = append(b, make([]byte, 32)...)
	binary.BigEndian.PutUint16(b[ip:], 1000)
	binary.BigEndian.PutUint16(b[ip+2:], 2000)
	binary.BigEndian.PutUint32(b[ip+4:], 0xfffffff0) // the sequence numbers wrap
	b[ip+12] = 8 << 4
	b[ip+13] = tcpFIN | tcpPSH | tcpCWR | 0x10
	b = append(b, payload...)
	b[0] = needsChecksum
	binary.NativeEndian.PutUint16(b[2:], uint16(ip-vnetLen+32))
	binary.NativeEndian.PutUint16(b[6:], uint16(ip-vnetLen))
	binary.NativeEndian.PutUint16(b[8:], 16)
	if len(payload) > size {
		b[1] = gsoTCPv4
		if src.Is6() {
			b[1] = gsoTCPv6
		}
		binary.NativeEndian.PutUint16(b[4:], uint16(size))
	}
	f, _ := parse(b)
	binary.BigEndian.PutUint16(b[ip+16:], fold(f.pseudo(32+len(payload))))
	return b
}

func header(src, dst netip.Addr, proto byte, length int) []byte {
	b := make([]byte, vnetLen)
	if src.Is6() {
		b = append(b, 0x60, 0, 0, 0, byte(length>>8), byte(length), proto, 64)
		return append(append(b, src.AsSlice()...), dst.AsSlice()...)
	}
	b = append(b, 0x45, 0, byte((20+length)>>8), byte(20+length), 0xff, 0xff, 0x40, 0, 64, proto, 0, 0)
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	binary.BigEndian.PutUint16(b[vnetLen+10:], ^fold(sum(0, b[vnetLen:])))
	return b
}

// newWire is a wire without devices, whose link has a shape.
func newWire(t testing.TB, seed uint64, s rehearse.Shape, faults ...rehearse.Fault) *Wire {
	t.Helper()
	w := New(nil, nil, seed)
	for _, a := range []netip.Addr{link4, link6} {
		if err := w.Set(a, s, faults...); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// upward is a shape that does something on the way up alone.
func upward(p rehearse.Path) rehearse.Shape { return rehearse.Shape{Up: p} }

func ms(n float64) rehearse.Duration { return rehearse.Duration(n * float64(time.Millisecond)) }

// arrival is a frame that left a wire.
type arrival struct {
	at   int64
	data []byte
}

// drain takes everything that is under way, at its time.
func drain(w *Wire) []arrival {
	var out []arrival
	for len(w.queue) > 0 {
		p, _ := w.give(w.queue[0].due)
		out = append(out, arrival{p.due, append([]byte(nil), p.data...)})
		w.delivered(p, p.due, true)
	}
	return out
}
