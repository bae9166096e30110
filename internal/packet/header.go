package packet

import (
	"encoding/binary"
	"net/netip"
)

// The parts of struct virtio_net_hdr, which stands before every packet that goes
// through a device, in the machine's byte order (include/uapi/linux/virtio_net.h).
const (
	vnetLen = 10

	needsChecksum = 1 // flags: the checksum field holds the pseudo header's sum only

	gsoNone  = 0
	gsoTCPv4 = 1
	gsoTCPv6 = 4
	gsoECN   = 0x80 // the first packet of the train alone has CWR
)

const (
	protoTCP = 6
	protoUDP = 17

	tcpFIN, tcpPSH, tcpCWR = 0x01, 0x08, 0x80
)

// maxFrame is the longest thing that a device gives in one read.
const maxFrame = vnetLen + 65535 + 64

// frame is one read from a device: a header of virtio and an IP packet, or a
// train of TCP packets that share one IP and TCP header.
type frame struct {
	data     []byte // with the header of virtio
	src, dst netip.Addr
	proto    byte
	ip       int // the length of the IP header, with IPv6's extension headers
	head     int // of all headers of a train; where the payload starts
	size     int // the payload of one packet of the train
	packets  int // 1 when it is no train
}

// parse reads a frame's headers. It reports false for what is no IP packet, or
// one whose headers contradict its length.
func parse(data []byte) (frame, bool) {
	f := frame{data: data, packets: 1}
	if len(data) < vnetLen+20 {
		return f, false
	}
	p := data[vnetLen:]
	switch p[0] >> 4 {
	case 4:
		f.ip = int(p[0]&15) * 4
		if f.ip < 20 || len(p) < f.ip {
			return f, false
		}
		f.proto = p[9]
		f.src, f.dst = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
	case 6:
		if len(p) < 40 {
			return f, false
		}
		f.ip, f.proto = skipExtensions(p)
		f.src, f.dst = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
	default:
		return f, false
	}
	f.head = f.ip
	if data[1]&^gsoECN == gsoNone {
		return f, true
	}
	f.size = int(binary.NativeEndian.Uint16(data[4:]))
	if f.proto != protoTCP || len(p) < f.ip+20 || f.size == 0 {
		return f, false
	}
	f.head = f.ip + int(p[f.ip+12]>>4)*4
	if f.head < f.ip+20 || len(p) <= f.head {
		return f, false
	}
	f.packets = (len(p) - f.head + f.size - 1) / f.size
	return f, true
}

// skipExtensions is where the transport's header starts, and its protocol.
func skipExtensions(p []byte) (int, byte) {
	at, next := 40, p[6]
	for {
		switch next {
		case 0, 43, 60: // hop-by-hop options, routing, destination options
			if len(p) < at+8 {
				return at, next
			}
			next, at = p[at], at+8+int(p[at+1])*8
			if at > len(p) {
				return len(p), next
			}
		default:
			return at, next
		}
	}
}

// bytes is the length of packets from up to but not including to, as they would
// be on a cable, with their IP headers.
func (f frame) bytes(from, to int) int {
	if f.packets == 1 {
		return len(f.data) - vnetLen
	}
	payload := len(f.data) - vnetLen - f.head
	return min(to*f.size, payload) - from*f.size + (to-from)*f.head
}

// cut appends packets from up to but not including to to dst as a frame of their
// own: a shorter train, or a single packet. It does what the kernel's
// tcp_gso_segment does, except that the sum of the data is still left to whoever
// receives it.
func (f frame) cut(dst []byte, from, to int) []byte {
	if from == 0 && to == f.packets {
		return append(dst, f.data...)
	}
	start := len(dst)
	p := f.data[vnetLen:]
	payload := p[f.head:][from*f.size : min(to*f.size, len(p)-f.head)]
	dst = append(dst, f.data[:vnetLen+f.head]...)
	dst = append(dst, payload...)

	vnet, ip := dst[start:], dst[start+vnetLen:]
	if to-from == 1 {
		vnet[1] = gsoNone
		binary.NativeEndian.PutUint16(vnet[4:], 0)
	} else if from > 0 {
		vnet[1] &^= gsoECN
	}
	vnet[0] = needsChecksum
	binary.NativeEndian.PutUint16(vnet[2:], uint16(f.head))
	binary.NativeEndian.PutUint16(vnet[6:], uint16(f.ip))
	binary.NativeEndian.PutUint16(vnet[8:], 16) // of the checksum in TCP's header

	if ip[0]>>4 == 4 {
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
		id := binary.BigEndian.Uint16(ip[4:])
		binary.BigEndian.PutUint16(ip[4:], id+uint16(from))
		binary.BigEndian.PutUint16(ip[10:], 0)
		binary.BigEndian.PutUint16(ip[10:], ^fold(sum(0, ip[:f.ip])))
	} else {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-40))
	}
	tcp := ip[f.ip:]
	seq := binary.BigEndian.Uint32(tcp[4:])
	binary.BigEndian.PutUint32(tcp[4:], seq+uint32(from*f.size))
	if to < f.packets {
		tcp[13] &^= tcpFIN | tcpPSH
	}
	if from > 0 {
		tcp[13] &^= tcpCWR
	}
	binary.BigEndian.PutUint16(tcp[16:], fold(f.pseudo(len(tcp))))
	return dst
}

// pseudo is the sum of the transport's pseudo header.
func (f frame) pseudo(length int) uint64 {
	s := uint64(f.proto) + uint64(length)
	src, dst := f.src.AsSlice(), f.dst.AsSlice()
	return sum(sum(s, src), dst)
}

// complete writes the checksum that the kernel has left to the card, so that a
// bit that changes afterwards is noticed by the receiver. data is a frame of a
// single packet.
func complete(data []byte) {
	if data[0]&needsChecksum == 0 {
		return
	}
	start := vnetLen + int(binary.NativeEndian.Uint16(data[6:]))
	at := start + int(binary.NativeEndian.Uint16(data[8:]))
	data[0] = 0
	if at+2 > len(data) {
		return
	}
	// The field holds the pseudo header's sum, which is part of what is summed.
	c := ^fold(sum(0, data[start:]))
	if c == 0 {
		c = 0xffff // 0 would say that UDP has no checksum; TCP takes either
	}
	binary.BigEndian.PutUint16(data[at:], c)
}

// sum adds 16-bit words to a one's complement sum (RFC 1071).
func sum(s uint64, b []byte) uint64 {
	for ; len(b) >= 4; b = b[4:] {
		s += uint64(binary.BigEndian.Uint32(b))
	}
	if len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

func fold(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// flow is a connection, as far as packets tell.
type flow struct {
	src, dst         netip.Addr
	srcPort, dstPort uint16
	proto            byte
}

func (f frame) flow() flow {
	key := flow{src: f.src, dst: f.dst, proto: f.proto}
	p := f.data[vnetLen:]
	// Only the first fragment of a datagram has ports, so none count.
	fragment := p[0]>>4 == 4 && binary.BigEndian.Uint16(p[6:])&0x3fff != 0
	if !fragment && (f.proto == protoTCP || f.proto == protoUDP) && len(p) >= f.ip+4 {
		key.srcPort, key.dstPort = binary.BigEndian.Uint16(p[f.ip:]), binary.BigEndian.Uint16(p[f.ip+2:])
	}
	return key
}
