package http2

import (
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// side is one direction of the connection.
type side struct {
	units
	up     bool
	opaque bool
	ended  bool
	// edited says that its bytes cannot pass unchanged any more.
	edited bool

	// Of the frame under way, pass bytes are still to pass and then drop bytes
	// to be swallowed.
	pass, drop int

	blocks *blocks
	// own is memory for frames written anew, until the next call with bytes of
	// this side.
	own []byte
	// waiting is what was made here and waits for the end of the frame under way.
	waiting []wire.Op
}

// send passes bytes on in this direction.
func (s *side) send(out *wire.Out, p []byte) {
	if s.up {
		out.ToServer(p)
	} else {
		out.ToClient(p)
	}
}

// sendBlock passes a block on, whose frames came as u.
func (s *side) sendBlock(out *wire.Out, b *block, u []byte) {
	if s.blocks.encoder == nil {
		s.send(out, u)
		return
	}
	start := len(s.own)
	s.own = s.blocks.write(s.own, b)
	s.send(out, s.own[start:])
}

// payload passes or swallows what p begins with of the frame under way.
func (s *side) payload(p []byte, out *wire.Out) (rest []byte) {
	n := min(len(p), s.pass)
	s.send(out, p[:n])
	s.pass -= n
	p = p[n:]
	n = min(len(p), s.drop)
	s.drop -= n
	return p[n:]
}

// inject puts ops of our own between two frames of this direction.
func (s *side) inject(out *wire.Out, ops ...wire.Op) {
	if s.ended {
		return
	}
	s.waiting = append(s.waiting, ops...)
	s.flush(out)
}

// flush hands out what waits, if this is a place for it.
func (s *side) flush(out *wire.Out) {
	if len(s.waiting) == 0 || s.pass > 0 || !s.started {
		return
	}
	if s.up {
		out.Server = append(out.Server, s.waiting...)
	} else {
		out.Client = append(out.Client, s.waiting...)
	}
	clear(s.waiting)
	s.waiting = s.waiting[:0]
}

func bytesOp(p []byte) wire.Op { return wire.Op{Do: wire.Send, Bytes: p} }

// reset is a RST_STREAM.
func reset(stream, code uint32) wire.Op {
	return bytesOp(appendNumber(nil, rstStreamFrame, stream, code))
}

// credit is a WINDOW_UPDATE. Stream 0 is the connection.
func credit(stream uint32, n int) wire.Op {
	return bytesOp(appendNumber(nil, windowUpdateFrame, stream, uint32(n)))
}
