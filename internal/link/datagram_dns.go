package link

import "encoding/binary"

// The header of a DNS message, RFC 1035 section 4.1.1.
const (
	dnsHeader = 12

	dnsResponse           = 1 << 15
	dnsOpcode             = 0xf << 11
	dnsRecursionDesired   = 1 << 8
	dnsRecursionAvailable = 1 << 7
	dnsCheckingDisabled   = 1 << 4 // RFC 4035 section 3.2.2
)

// dnsCodes are the response codes of RFC 1035 section 4.1.1 by the fault's code.
var dnsCodes = map[string]uint16{"empty": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}

// isQuery reports whether a datagram is an ordinary DNS query for one name.
func isQuery(data []byte) bool { return questionEnd(data) > 0 }

// questionEnd is where the one question of a DNS query ends, and 0 when the
// datagram is not an ordinary query with one question.
func questionEnd(data []byte) int {
	if len(data) < dnsHeader {
		return 0
	}
	flags, questions := binary.BigEndian.Uint16(data[2:]), binary.BigEndian.Uint16(data[4:])
	answers := binary.BigEndian.Uint16(data[6:])
	if flags&(dnsResponse|dnsOpcode) != 0 || questions != 1 || answers != 0 {
		return 0
	}
	// A name is labels of 1 to 63 bytes, at most 255 in all with their lengths
	// (section 3.1). The first name of a message has nothing to point back at.
	const typeAndClass = 4
	for place := dnsHeader; place < len(data) && place < dnsHeader+255; {
		label := int(data[place])
		place++
		switch {
		case label == 0 && place+typeAndClass <= len(data):
			return place + typeAndClass
		case label == 0 || label > 63:
			return 0
		}
		place += label
	}
	return 0
}

// answerDNS is the answer to a query with a fault's code: its header and its
// question, and no records. There is no start of authority among these, so that
// nobody remembers the answer (RFC 2308 section 5), nor EDNS, which tells a
// client that the server knows none (RFC 6891 section 7).
func answerDNS(query []byte, code string) []byte {
	out := append([]byte(nil), query[:questionEnd(query)]...)
	flags := binary.BigEndian.Uint16(out[2:])
	flags = flags&(dnsRecursionDesired|dnsCheckingDisabled) | dnsResponse | dnsRecursionAvailable | dnsCodes[code]
	binary.BigEndian.PutUint16(out[2:], flags)
	clear(out[6:dnsHeader]) // no records of any kind
	return out
}
