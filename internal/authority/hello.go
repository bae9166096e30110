package authority

// Hello is what a client's first TLS message says in the clear. Under encrypted
// client hello it is what the client lets everyone see.
type Hello struct {
	Name      string   // asked for by SNI, as the client wrote it; empty if none
	Protocols []string // offered by ALPN, the preferred one first
}

// Opening is what the first bytes of a stream say about it.
type Opening int

// The openings.
const (
	NotTLS Opening = iota
	Unsure         // whatever there is looks like TLS, but it is not all there
	TLS
)

// MaxHello is how many bytes decide at the latest. A hello of a client with
// every extension in use is about 2 KiB.
const MaxHello = 1 << 16

// Peek tells from the first bytes that a client sent whether it speaks TLS, and
// what it asks for. Call it again with more of the same bytes while the answer
// is Unsure, which it is not from MaxHello bytes on, nor once it was anything
// else: one byte is enough to know most other protocols by.
//
// TLS means a complete and well-formed ClientHello (RFC 8446, section 4.1.2;
// RFC 5246, section 7.4.1.2); a hello that is broken is NotTLS. The hello shares
// no memory with the bytes.
func Peek(p []byte) (Hello, Opening) {
	full := len(p) >= MaxHello
	message, opening := handshake(p[:min(len(p), MaxHello)])
	switch {
	case opening == Unsure && full:
		return Hello{}, NotTLS
	case opening != TLS:
		return Hello{}, opening
	}
	h, ok := parseHello(message)
	if !ok {
		return Hello{}, NotTLS
	}
	return h, TLS
}

// handshake puts the body of the ClientHello together from the records that
// carry it. It copies nothing unless there are several.
func handshake(p reader) (body reader, opening Opening) {
	const (
		handshakeRecord = 22
		clientHello     = 1
		maxRecord       = 1 << 14
	)
	var message reader
	for {
		// Each byte of the header is looked at as soon as it is there.
		switch {
		case len(p) >= 1 && p[0] != handshakeRecord,
			len(p) >= 2 && p[1] != 3,
			len(p) >= 3 && p[2] > 4:
			return nil, NotTLS
		case len(p) < 5:
			return nil, Unsure
		}
		size := int(p[3])<<8 | int(p[4])
		if size == 0 || size > maxRecord {
			return nil, NotTLS
		}
		record := p[5:min(len(p), 5+size)]
		p = p[5+len(record):]
		if message == nil {
			message = record[:len(record):len(record)]
		} else {
			message = append(message, record...)
		}
		if len(message) >= 1 && message[0] != clientHello {
			return nil, NotTLS
		}
		if len(message) >= 4 {
			length := int(message[1])<<16 | int(message[2])<<8 | int(message[3])
			if length > MaxHello {
				return nil, NotTLS
			}
			if len(message) >= 4+length {
				return message[4 : 4+length], TLS
			}
		}
		if len(record) < size {
			return nil, Unsure
		}
	}
}

func parseHello(r reader) (h Hello, ok bool) {
	// Version, random, session, cipher suites, compressions. What they hold is
	// for the handshake to judge.
	if _, ok := r.take(2 + 32); !ok {
		return h, false
	}
	for _, prefix := range []int{1, 2, 1} {
		if _, ok := r.vector(prefix); !ok {
			return h, false
		}
	}
	if len(r) == 0 {
		return h, true // before TLS 1.2, extensions were optional
	}
	extensions, ok := r.vector(2)
	if !ok || len(r) > 0 {
		return h, false
	}
	for len(extensions) > 0 {
		kind, ok1 := extensions.uint16()
		data, ok2 := extensions.vector(2)
		if !ok1 || !ok2 {
			return h, false
		}
		switch kind {
		case 0:
			h.Name, ok = serverName(data)
		case 16:
			h.Protocols, ok = protocols(data)
		}
		if !ok {
			return h, false
		}
	}
	return h, true
}

// serverName reads RFC 6066, section 3. Of the kinds of name that it foresees
// only host names have come to be.
func serverName(r reader) (name string, ok bool) {
	list, ok := r.vector(2)
	if !ok || len(r) > 0 || len(list) == 0 {
		return "", false
	}
	for len(list) > 0 {
		kind, ok1 := list.take(1)
		value, ok2 := list.vector(2)
		if !ok1 || !ok2 || len(value) == 0 {
			return "", false
		}
		if kind[0] == 0 {
			name = string(value)
		}
	}
	return name, true
}

// protocols reads RFC 7301, section 3.1.
func protocols(r reader) (names []string, ok bool) {
	list, ok := r.vector(2)
	if !ok || len(r) > 0 || len(list) == 0 {
		return nil, false
	}
	for len(list) > 0 {
		name, ok := list.vector(1)
		if !ok || len(name) == 0 {
			return nil, false
		}
		names = append(names, string(name))
	}
	return names, true
}

// reader is what is left to read.
type reader []byte

// take reads n bytes, if there are so many.
func (r *reader) take(n int) (reader, bool) {
	if len(*r) < n {
		return nil, false
	}
	taken := (*r)[:n]
	*r = (*r)[n:]
	return taken, true
}

// vector reads bytes behind their number, which has itself so many bytes.
func (r *reader) vector(prefix int) (reader, bool) {
	number, ok := r.take(prefix)
	if !ok {
		return nil, false
	}
	n := 0
	for _, b := range number {
		n = n<<8 | int(b)
	}
	return r.take(n)
}

func (r *reader) uint16() (int, bool) {
	b, ok := r.take(2)
	if !ok {
		return 0, false
	}
	return int(b[0])<<8 | int(b[1]), true
}
