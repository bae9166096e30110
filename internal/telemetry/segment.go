package telemetry

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// segment is a table that takes no more rows. Its messages are compressed, in a
// file or, where there is none, in memory.
type segment struct {
	file  rehearse.TelemetryFile // Name and SHA256 are empty when it is in no file
	path  string
	data  []byte // the zstd frame; nil when it is in the file
	first int64  // the earliest start
	last  int64  // the latest

	kept atomic.Pointer[kept]
}

// kept is what of a segment is in memory. The parts leave it one after another,
// the table first.
type kept struct {
	table *table   // nil: read the messages again
	index []uint32 // hashes of its traces' ids, sorted; nil: any trace may be in it
}

func (k *kept) bytes() int64 {
	n := int64(4 * cap(k.index))
	if k.table != nil {
		n += k.table.bytes()
	}
	return n
}

// hash is what the index of a segment has of a trace.
func hash(id rehearse.TraceID) uint32 {
	var h uint32
	for i := 0; i < len(id); i += 4 {
		h = h*31 ^ (uint32(id[i]) | uint32(id[i+1])<<8 | uint32(id[i+2])<<16 | uint32(id[i+3])<<24)
	}
	return h
}

// codec compresses and decompresses. Any number of goroutines may use it.
type codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// maxSegment is how many bytes of messages a file may decompress to. Ours have a
// few MiB, and one request more at most.
const maxSegment = 256 << 20

func newCodec() (*codec, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, err
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSegment))
	return &codec{e, d}, err
}

// sealer makes segments, one after another in the same memory.
type sealer struct {
	codec    *codec
	messages []byte
	frame    []byte
}

// seal makes a segment of a table that no longer grows.
func (s *sealer) seal(t *table, signal otlp.Signal) *segment {
	rows := t.all()
	t.grouped(rows)
	s.messages = t.encode(s.messages[:0], rows)
	s.frame = s.codec.encoder.EncodeAll(s.messages, s.frame[:0])
	g := &segment{
		file:  rehearse.TelemetryFile{Signal: signal.String(), Count: int64(len(rows))},
		data:  slices.Clone(s.frame),
		first: slices.Min(t.start), last: slices.Max(t.start),
	}
	if signal == otlp.SignalMetrics {
		g.file.Count = 0
		for _, points := range t.duration {
			g.file.Count += points
		}
		g.kept.Store(&kept{})
		return g
	}
	k := &kept{table: t.pick(rows), index: make([]uint32, 0, len(rows))}
	for row, id := range t.trace {
		if row == 0 || id != t.trace[row-1] { // spans of a trace often come together
			k.index = append(k.index, hash(id))
		}
	}
	slices.Sort(k.index)
	k.index = slices.Clone(slices.Compact(k.index))
	g.kept.Store(k)
	return g
}

// write puts the segment into a file of dir, whole or not at all.
func (g *segment) write(dir, name string) error {
	path := filepath.Join(dir, name)
	partial := path + partialSuffix
	if err := os.WriteFile(partial, g.data, 0o600); err != nil {
		return errors.Join(fmt.Errorf("write telemetry: %w", err), os.Remove(partial))
	}
	if err := os.Rename(partial, path); err != nil {
		return fmt.Errorf("write telemetry: %w", err)
	}
	sum := sha256.Sum256(g.data)
	g.file.Name, g.file.SHA256, g.path, g.data = name, hex.EncodeToString(sum[:]), path, nil
	return nil
}

const partialSuffix = ".partial"

// messages are the segment's rows as an OTLP message.
func (g *segment) messages(c *codec) ([]byte, error) {
	data := g.data
	if data == nil {
		var err error
		if data, err = os.ReadFile(g.path); err != nil {
			return nil, err
		}
	}
	return c.decoder.DecodeAll(data, nil)
}

// may reports whether the segment can have rows of a trace.
func (g *segment) may(trace rehearse.TraceID) bool {
	index := g.kept.Load().index
	if index == nil {
		return true
	}
	_, found := slices.BinarySearch(index, hash(trace))
	return found
}
