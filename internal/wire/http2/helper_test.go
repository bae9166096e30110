package http2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2/hpack"

	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

// peer writes frames, with a dynamic table as real peers have.
type peer struct {
	encoded bytes.Buffer
	encoder *hpack.Encoder
}

func newPeer() *peer {
	p := &peer{}
	p.encoder = hpack.NewEncoder(&p.encoded)
	return p
}

// block encodes "name: value" lines. A line that begins with ! is never indexed.
func (p *peer) block(lines ...string) []byte {
	p.encoded.Reset()
	for _, l := range lines {
		l, sensitive := strings.CutPrefix(l, "!")
		i := 1 + strings.Index(l[1:], ": ")
		p.encoder.WriteField(hpack.HeaderField{Name: l[:i], Value: l[i+2:], Sensitive: sensitive})
	}
	return bytes.Clone(p.encoded.Bytes())
}

// head is HEADERS.
func (p *peer) head(stream uint32, flags byte, lines ...string) string {
	return raw(headersFrame, flags|endHeaders, stream, string(p.block(lines...)))
}

// pieces is HEADERS with padding and priority, and CONTINUATION of a byte each.
func (p *peer) pieces(stream uint32, flags byte, lines ...string) string {
	b := p.block(lines...)
	out := raw(headersFrame, flags|padded|hasPriority, stream, "\x03"+"\x00\x00\x00\x00\x10"+string(b[:1])+"\x00\x00\x00")
	for i, c := range b[1:] {
		var f byte
		if i == len(b)-2 {
			f = endHeaders
		}
		out += raw(continuationFrame, f, stream, string([]byte{c}))
	}
	return out
}

func raw(k kind, flags byte, stream uint32, payload string) string {
	return string(appendHead(nil, frame{length: len(payload), kind: k, flags: flags, stream: stream})) + payload
}

func data(stream uint32, flags byte, payload string) string {
	return raw(dataFrame, flags, stream, payload)
}

func number(k kind, stream, n uint32) string { return string(appendNumber(nil, k, stream, n)) }

func setting(pairs ...uint32) string {
	var b []byte
	for i := 0; i < len(pairs); i += 2 {
		b = append(b, byte(pairs[i]>>8), byte(pairs[i]))
		b = append(b, byte(pairs[i+1]>>24), byte(pairs[i+1]>>16), byte(pairs[i+1]>>8), byte(pairs[i+1]))
	}
	return raw(settingsFrame, 0, 0, string(b))
}

// transcript says in words what a receiver makes of what it was given.
func transcript(t testing.TB, s string) (lines []string) {
	t.Helper()
	d := hpack.NewDecoder(4096, nil)
	d.SetAllowedMaxDynamicTableSize(1 << 20)
	say := func(format string, args ...any) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
	if rest, ok := strings.CutPrefix(s, preface); ok {
		say("preface")
		s = rest
	}
	for len(s) > 0 {
		if s[0] == '<' {
			end := strings.IndexByte(s, '>') + 1
			say("%s", s[:end])
			s = s[end:]
			continue
		}
		if len(s) < frameHead {
			t.Fatalf("%q is half a frame", s)
		}
		f := parse([]byte(s))
		end := frameHead + f.length
		if len(s) < end {
			t.Fatalf("%q is half a frame", s)
		}
		p := s[frameHead:end]
		s = s[end:]
		ends := ""
		if f.has(endStream) {
			ends = " END"
		}
		if (f.kind == dataFrame || f.kind == headersFrame) && f.has(padded) {
			p = p[1 : len(p)-int(p[0])]
		}
		switch f.kind {
		case headersFrame, pushPromiseFrame:
			name := "HEADERS"
			switch {
			case f.kind == pushPromiseFrame:
				name, p, ends = fmt.Sprintf("PUSH_PROMISE of %d", p[3]), p[4:], ""
			case f.has(hasPriority):
				name, p = "HEADERS with priority", p[5:]
			}
			for last := f; !last.has(endHeaders); {
				last = parse([]byte(s))
				if last.kind != continuationFrame || last.stream != f.stream {
					t.Fatalf("frame of type %d inside a block", last.kind)
				}
				p += s[frameHead : frameHead+last.length]
				s = s[frameHead+last.length:]
			}
			fields, err := d.DecodeFull([]byte(p))
			if err != nil {
				t.Fatalf("a header block of stream %d: %v", f.stream, err)
			}
			words := []string{}
			for _, h := range fields {
				w := h.Name + ": " + h.Value
				if h.Sensitive {
					w = "!" + w
				}
				words = append(words, w)
			}
			say("%d %s%s [%s]", f.stream, name, ends, strings.Join(words, " | "))
		case dataFrame:
			say("%d DATA%s %q", f.stream, ends, p)
		case rstStreamFrame:
			say("%d RST_STREAM %d", f.stream, p[3])
		case windowUpdateFrame:
			say("%d WINDOW_UPDATE %d", f.stream, int(p[0])<<24|int(p[1])<<16|int(p[2])<<8|int(p[3]))
		case settingsFrame:
			say("SETTINGS %x", p)
		default:
			say("%d type %d %x", f.stream, f.kind, p)
		}
	}
	return lines
}

// play plays steps through new editors, cut in several ways, and compares what
// the sides make of it. It returns the last editor.
func play(t *testing.T, fresh func() wire.Editor, steps []wiretest.Step, server, client string) wire.Editor {
	t.Helper()
	var last wire.Editor
	for _, size := range []int{1 << 20, 1, 2, 3, 7, 64} {
		last = fresh()
		tape := wiretest.NewTape(last)
		for _, s := range steps {
			call := tape.Down
			if s.Up {
				call = tape.Up
			}
			call(wiretest.Pieces([]byte(s.Bytes), func() int { return size })...)
		}
		for _, c := range []struct{ name, got, want string }{{"server", tape.Server(), server}, {"client", tape.Client(), client}} {
			if diff := cmp.Diff(words(c.want), transcript(t, c.got)); diff != "" {
				t.Fatalf("in pieces of %d the %s got (- want, + got)\n%s", size, c.name, diff)
			}
		}
	}
	return last
}

// words are the lines of an expectation.
func words(s string) (lines []string) {
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}
