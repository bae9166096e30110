package switchboard

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// watcher sees the packets that clients send to addresses which nobody holds,
// because it is their gateway. It answers each at once with an ICMP message, as a
// router without a route does: the kernel's own answers, if it was made to
// forward, are no more than one a second after the first few.
type watcher struct {
	packets *os.File // IPv4, without a link's header
	icmp    int
	own     func(netip.Addr) bool
	refused *refusalLog
}

// seen is how much of a packet is looked at: an IP header of any length, the
// ports behind it, and what an ICMP message takes of it.
const seen = 128

// firsts is the kernel's filter: packets that came for us, TCP's first and all of
// other protocols but ICMP, and no later fragments. Everything else, which is the
// traffic of links, is never copied.
var firsts = []bpf.Instruction{
	bpf.LoadExtension{Num: bpf.ExtType},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_HOST, SkipTrue: 9},
	bpf.LoadAbsolute{Off: 6, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x1fff, SkipTrue: 7},
	bpf.LoadAbsolute{Off: 9, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_ICMP, SkipTrue: 5},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 5},
	bpf.LoadMemShift{Off: 0},
	bpf.LoadIndirect{Off: 13, Size: 1},
	bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x12}, // SYN and ACK
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x02, SkipTrue: 1},
	bpf.RetConstant{Val: 0},
	bpf.RetConstant{Val: seen},
}

// watch opens a watcher. It needs the capability NET_RAW.
func watch(own func(netip.Addr) bool, refused *refusalLog) (*watcher, error) {
	// Without a protocol nothing arrives before the filter is there.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	w := &watcher{packets: os.NewFile(uintptr(fd), "packets"), icmp: -1, own: own, refused: refused}
	if err := w.open(fd); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *watcher) open(fd int) error {
	raw, err := bpf.Assemble(firsts)
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}); err != nil {
		return fmt.Errorf("filter packets: %w", err)
	}
	ip := binary.NativeEndian.Uint16([]byte{unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff})
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: ip}); err != nil {
		return fmt.Errorf("receive packets: %w", err)
	}
	if w.icmp, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP); err != nil {
		return fmt.Errorf("open an ICMP socket: %w", err)
	}
	return nil
}

// run looks at packets until close.
func (w *watcher) run() {
	defer func() {
		if w.icmp >= 0 {
			unix.Close(w.icmp)
		}
	}()
	packet := make([]byte, seen)
	for {
		n, err := w.packets.Read(packet)
		if err != nil {
			return
		}
		r, ok := parsePacket(packet[:n])
		if !ok || w.own(r.To.Addr()) || !r.To.Addr().IsGlobalUnicast() {
			continue
		}
		if r.Proto != "" {
			w.refused.add(r)
		}
		// One that cannot be sent is like one that got lost: the client waits.
		_ = unix.Sendto(w.icmp, unreachable(packet[:n]), 0, &unix.SockaddrInet4{Addr: r.Client.As4()})
	}
}

func (w *watcher) close() { w.packets.Close() }

// parsePacket reads who sends what where. Proto is empty for protocols that have
// no ports.
func parsePacket(b []byte) (r Refused, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return r, false
	}
	head := int(b[0]&0xf) * 4
	if head < 20 || len(b) < head {
		return r, false
	}
	r.Client = netip.AddrFrom4([4]byte(b[12:16]))
	port := uint16(0)
	switch b[9] {
	case unix.IPPROTO_TCP:
		r.Proto = "tcp"
	case unix.IPPROTO_UDP:
		r.Proto = "udp"
	}
	if r.Proto != "" {
		if len(b) < head+4 {
			return r, false
		}
		port = binary.BigEndian.Uint16(b[head+2:])
	}
	r.To = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), port)
	return r, true
}

// prohibited is the code of the message: communication with the destination's
// network is administratively prohibited, RFC 1122 section 3.2.2.1. To programs
// it is "network is unreachable", to those that send datagrams too, whom the mere
// absence of a route would not be told.
const prohibited = 9

// unreachable is the ICMP message that a packet's destination cannot be reached,
// RFC 792: type, code, checksum, four unused bytes, and the packet's beginning.
func unreachable(packet []byte) []byte {
	m := append([]byte{3, prohibited, 0, 0, 0, 0, 0, 0}, packet...)
	var sum uint32
	for i := 0; i < len(m); i += 2 {
		sum += uint32(m[i]) << 8
		if i+1 < len(m) {
			sum += uint32(m[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(m[2:], ^uint16(sum))
	return m
}
