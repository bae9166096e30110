package packet

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// TestCut cuts trains at random and puts them together again as a receiver does.
func TestCut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		src, dst := client4, link4
		if random.IntN(2) == 0 {
			src, dst = client6, link6
		}
		size := 1 + random.IntN(1448)
		payload := make([]byte, 1+random.IntN(min(60000, size*50)))
		for i := range payload {
			payload[i] = byte(random.Uint32())
		}
		f, ok := parse(train(src, dst, size, payload))
		if !ok {
			t.Fatal("the train does not parse")
		}
		if want := (len(payload) + size - 1) / size; f.packets != want {
			t.Fatalf("%d bytes in packets of %d: %d packets, want %d", len(payload), size, f.packets, want)
		}
		var got []byte
		lengths := 0
		for from := 0; from < f.packets; {
			to := from + 1 + random.IntN(f.packets-from)
			piece := f.cut(nil, from, to)
			lengths += f.bytes(from, to)
			got = append(got, checkPiece(t, f, piece, from, to)...)
			from = to
		}
		if !bytes.Equal(got, payload) {
			t.Fatal("the pieces do not hold what the train held")
		}
		if lengths != f.bytes(0, f.packets) {
			t.Fatalf("the pieces have %d bytes, the train %d", lengths, f.bytes(0, f.packets))
		}
	}
}

// checkPiece checks the headers of a piece of a train and returns its payload.
func checkPiece(t *testing.T, whole frame, data []byte, from, to int) []byte {
	t.Helper()
	f, ok := parse(data)
	if !ok || f.packets != to-from {
		t.Fatalf("packets %d to %d: parse: %v, %d packets", from, to, ok, f.packets)
	}
	p := data[vnetLen:]
	tcp := p[f.ip:]
	if f.src.Is4() {
		if got := fold(sum(0, p[:f.ip])); got != 0xffff {
			t.Errorf("the IP header sums to %#x", got)
		}
		if got := int(binary.BigEndian.Uint16(p[2:])); got != len(p) {
			t.Errorf("the IP header says %d bytes, it has %d", got, len(p))
		}
		if got, want := binary.BigEndian.Uint16(p[4:]), uint16(0xffff+from); got != want {
			t.Errorf("identification %#x, want %#x", got, want)
		}
	} else if got := int(binary.BigEndian.Uint16(p[4:])); got != len(p)-40 {
		t.Errorf("the IP header says %d bytes, it has %d", got, len(p)-40)
	}
	first := binary.BigEndian.Uint32(whole.data[vnetLen+whole.ip+4:])
	if got, want := binary.BigEndian.Uint32(tcp[4:]), first+uint32(from*whole.size); got != want {
		t.Errorf("sequence number %d, want %d", got, want)
	}
	if got, want := tcp[13]&tcpCWR != 0, from == 0; got != want {
		t.Errorf("packets %d to %d of %d: CWR %v", from, to, whole.packets, got)
	}
	if got, want := tcp[13]&tcpFIN != 0 && tcp[13]&tcpPSH != 0, to == whole.packets; got != want {
		t.Errorf("packets %d to %d of %d: FIN and PSH %v", from, to, whole.packets, got)
	}
	if f.packets == 1 {
		sealed := append([]byte(nil), data...)
		complete(sealed)
		if !intact(sealed) {
			t.Errorf("packet %d: the checksum is wrong", from)
		}
	}
	return tcp[32:]
}

// intact reports whether a transport's checksum is right.
func intact(data []byte) bool {
	f, ok := parse(data)
	body := data[vnetLen+f.ip:]
	return ok && fold(sum(f.pseudo(len(body)), body)) == 0xffff
}

func TestComplete(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 1447, 1448} {
		data := train(client4, link4, 1448, make([]byte, n))
		if intact(data) {
			t.Errorf("%d bytes: the checksum is right before it is made", n)
		}
		complete(data)
		if !intact(data) || data[0] != 0 {
			t.Errorf("%d bytes: the checksum is wrong", n)
		}
		again := bytes.Clone(data)
		complete(again)
		if !bytes.Equal(data, again) {
			t.Errorf("%d bytes: a complete packet is changed", n)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := train(client4, link4, 100, make([]byte, 1000))
	for name, change := range map[string]func([]byte) []byte{
		"nothing":                      func([]byte) []byte { return nil },
		"only a header of virtio":      func(b []byte) []byte { return b[:vnetLen] },
		"half an IP header":            func(b []byte) []byte { return b[:vnetLen+10] },
		"version 5":                    func(b []byte) []byte { b[vnetLen] = 0x55; return b },
		"an IP header of 4 bytes":      func(b []byte) []byte { b[vnetLen] = 0x41; return b },
		"a train of UDP":               func(b []byte) []byte { b[vnetLen+9] = protoUDP; return b },
		"a train of packets of 0":      func(b []byte) []byte { b[4], b[5] = 0, 0; return b },
		"a TCP header of 4 bytes":      func(b []byte) []byte { b[vnetLen+20+12] = 1 << 4; return b },
		"a train without any data":     func(b []byte) []byte { return b[:vnetLen+20+32] },
		"a train shorter than headers": func(b []byte) []byte { return b[:vnetLen+20+19] },
	} {
		if _, ok := parse(change(bytes.Clone(good))); ok {
			t.Errorf("%s parses", name)
		}
	}
}

func TestIPv6Extensions(t *testing.T) {
	b := header(client6, link6, 0, 8+8+1)
	b = append(b, 60, 0, 0, 0, 0, 0, 0, 0) // hop-by-hop, then destination options
	b = append(b, protoUDP, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, 0x03, 0xe8, 0x07, 0xd0, 0)
	f, ok := parse(b)
	want := flow{src: client6, dst: link6, srcPort: 1000, dstPort: 2000, proto: protoUDP}
	if got := f.flow(); !ok || got != want {
		t.Errorf("flow %+v, want %+v", got, want)
	}
}

func TestFragmentsAreOneFlow(t *testing.T) {
	first, second := datagram(client4, link4, []byte("1234")), datagram(client4, link4, []byte("5678"))
	first[vnetLen+6], second[vnetLen+7] = 0x20, 10 // more fragments; an offset
	a, _ := parse(first)
	b, _ := parse(second)
	if a.flow() != b.flow() || a.flow().srcPort != 0 {
		t.Errorf("flows %+v and %+v", a.flow(), b.flow())
	}
}

// FuzzTake gives a wire whatever a device could. Nothing may panic, and nothing
// may come out that is longer than what went in, but for its headers.
func FuzzTake(f *testing.F) {
	f.Add(train(client4, link4, 100, make([]byte, 250)))
	f.Add(train(client6, link6, 40, make([]byte, 200)))
	f.Add(datagram(client4, link4, []byte("hello")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > maxFrame {
			return
		}
		w := newWire(t, 1, upward(everything), corruption(0.2))
		// Whatever the address, so that the rest is looked at too.
		if in, ok := parse(data); ok {
			set(t, w, in.dst, upward(everything), corruption(0.2))
		}
		w.take(data, true, 0)
		for _, a := range drain(w) {
			if len(a.data) > len(data) {
				t.Errorf("%d bytes became %d", len(data), len(a.data))
			}
		}
		if w.held != 0 {
			t.Errorf("%d bytes are held by nobody", w.held)
		}
	})
}

func set(t testing.TB, w *Wire, a netip.Addr, s rehearse.Shape, faults ...rehearse.Fault) {
	t.Helper()
	if err := w.Set(a, s, faults...); err != nil {
		t.Fatal(err)
	}
}
