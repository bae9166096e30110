package http2

import (
	"bytes"
	"encoding/binary"
	"errors"

	"golang.org/x/net/http2/hpack"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// largestList is the most that the fields of one block may be together: a
// block of a few bytes can name the table's largest entry again and again.
const largestList = 4 * wire.MaxHead

// anyTable is a dynamic table's size before anybody has said another.
const anyTable = 4 << 10

// largestTable is the largest dynamic table that is followed.
const largestTable = 1 << 20

// block is a header block, with what its frames say beside.
type block struct {
	frame
	prefix   []byte // the priority, or the promised stream
	promised uint32
	fields   []hpack.HeaderField // until the side's next block
}

// blocks reads and writes one direction's header blocks.
type blocks struct {
	decoder *hpack.Decoder
	table   uint32 // the largest dynamic table that the receiver ever allowed
	fields  []hpack.HeaderField
	size    int
	joined  []byte // the fragments of a block in several frames

	encoder *hpack.Encoder // nil as long as blocks pass unchanged
	encoded bytes.Buffer
}

var errTooLarge = errors.New("header list too large")

func newBlocks() *blocks {
	c := &blocks{table: anyTable}
	c.decoder = hpack.NewDecoder(anyTable, func(f hpack.HeaderField) {
		if c.size += int(f.Size()); c.size <= largestList {
			c.fields = append(c.fields, f)
		}
	})
	c.decoder.SetMaxStringLength(wire.MaxHead)
	return c
}

// allow takes down the size that the receiver allows the sender's table. A
// smaller one the sender announces in its next block, so only growth matters.
func (c *blocks) allow(size uint32) {
	c.table = max(c.table, min(size, largestTable))
	c.decoder.SetAllowedMaxDynamicTableSize(c.table)
}

// read decodes the block in u, which is whole. After an error nothing that
// follows can be decoded.
func (c *blocks) read(u []byte) (block, error) {
	b := block{frame: parse(u)}
	p := u[frameHead : frameHead+b.length]
	if b.has(padded) {
		if len(p) == 0 || len(p)-1 < int(p[0]) {
			return b, errors.New("more padding than frame")
		}
		p = p[1 : len(p)-int(p[0])]
	}
	prefix := 0
	switch {
	case b.kind == pushPromiseFrame:
		prefix = 4
	case b.has(hasPriority):
		prefix = 5
	}
	if len(p) < prefix {
		return b, errors.New("short frame")
	}
	b.prefix, p = p[:prefix], p[prefix:]
	if b.kind == pushPromiseFrame {
		b.promised = binary.BigEndian.Uint32(b.prefix) & (1<<31 - 1)
	}
	if rest := u[frameHead+b.length:]; len(rest) > 0 {
		c.joined = append(c.joined[:0], p...)
		for len(rest) > 0 {
			end := frameHead + parse(rest).length
			c.joined = append(c.joined, rest[frameHead:end]...)
			rest = rest[end:]
		}
		p = c.joined
	}
	clear(c.fields)
	c.fields, c.size = c.fields[:0], 0
	if _, err := c.decoder.Write(p); err != nil {
		return b, err
	}
	if err := c.decoder.Close(); err != nil {
		return b, err
	}
	if c.size > largestList {
		return b, errTooLarge
	}
	b.fields = c.fields
	return b, nil
}

// rewrite makes every block from here on be encoded anew.
func (c *blocks) rewrite() {
	if c.encoder == nil {
		c.encoder = hpack.NewEncoder(&c.encoded)
		c.encoder.SetMaxDynamicTableSizeLimit(0)
	}
}

// write appends a block's frames to p.
func (c *blocks) write(p []byte, b *block) []byte {
	c.encoded.Reset()
	c.encoded.Write(b.prefix)
	c.encoder.SetMaxDynamicTableSize(0) // announced in each block: see the package's comment
	for _, f := range b.fields {
		c.encoder.WriteField(f) // a buffer's Write has no error
	}
	f := b.frame
	f.flags &= endStream | hasPriority
	if b.kind == pushPromiseFrame {
		f.flags = 0
	}
	for first := true; first || c.encoded.Len() > 0; first = false {
		part := c.encoded.Next(anyFrame)
		f.length = len(part)
		if c.encoded.Len() == 0 {
			f.flags |= endHeaders
		}
		p = append(appendHead(p, f), part...)
		f.kind, f.flags = continuationFrame, 0
	}
	return p
}
