package link

import (
	"bytes"
	"io"
	"sync"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// TestTapSeesAll compares what a tap saw with what was sent, in front of a fault
// that changes it.
func TestTapSeesAll(t *testing.T) {
	noLeaks(t)
	const size = 3 << 20
	l, client, upstream := connect(t, rehearse.Symmetric(0, 0, 10*rehearse.Gbit))
	tap := NewTap(1 << 16)
	l.Observe(tap)
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: 0.1})
	up, down := randomBytes(1, size), randomBytes(2, size)
	var all sync.WaitGroup
	all.Go(func() { client.Write(up); client.CloseWrite() })
	all.Go(func() { upstream.Write(down); upstream.CloseWrite() })
	all.Go(func() { io.Copy(io.Discard, client) })
	all.Go(func() { io.Copy(io.Discard, upstream) })
	all.Wait()
	eventually(t, func() bool { return l.Stats().Active == 0 })
	seen := map[bool][]byte{}
	for len(tap.Seen()) > 0 {
		o := <-tap.Seen()
		if o.Connection != 1 || o.Lost != 0 || o.At.IsZero() {
			t.Fatalf("observed connection %d, lost %d, at %v", o.Connection, o.Lost, o.At)
		}
		seen[o.Up] = append(seen[o.Up], o.Data...)
		o.Release()
	}
	if !bytes.Equal(seen[true], up) || !bytes.Equal(seen[false], down) || tap.Lost() != 0 {
		t.Errorf("seen are %d bytes up and %d down, lost %d; want %d each", len(seen[true]), len(seen[false]), tap.Lost(), size)
	}
}

// TestTapThatNobodyReads loses what does not fit, says so, and holds up nothing.
func TestTapThatNobodyReads(t *testing.T) {
	noLeaks(t)
	l, client, upstream := connect(t, rehearse.Shape{})
	tap := NewTap(4)
	l.Observe(tap)
	data := randomBytes(1, 5<<20)
	go func() { client.Write(data); client.CloseWrite() }()
	if got, err := io.ReadAll(upstream); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("read %d bytes, %v", len(got), err)
	}
	var seen int64
	for len(tap.Seen()) > 0 {
		o := <-tap.Seen()
		seen += int64(len(o.Data))
		if o.buf != nil {
			// The link has done with it: this is the last reader.
			eventually(t, func() bool { return o.buf.refs.Load() == 1 })
		}
		o.Release()
		if o.buf != nil && o.buf.refs.Load() > 0 {
			t.Error("a released buffer still has readers")
		}
	}
	if seen+tap.Lost() != int64(len(data)) || tap.Lost() == 0 {
		t.Errorf("%d bytes are seen and %d lost, of %d", seen, tap.Lost(), len(data))
	}
	l.Observe(nil)
	io.WriteString(upstream, "unseen")
	expect(t, client, "unseen")
	if len(tap.Seen()) != 0 {
		t.Error("a tap that was taken away still sees")
	}
}

// TestBuffersGoBack watches the readers of a buffer that goes through every way
// there is: written at once, under way, and dropped with its session.
func TestBuffersGoBack(t *testing.T) {
	for _, shape := range []rehearse.Shape{{}, rehearse.Symmetric(1e6, 0, 0), rehearse.Symmetric(3600e9, 0, 0)} {
		t.Run(shape.String(), func(t *testing.T) {
			noLeaks(t)
			l, client, upstream := connect(t, rehearse.Shape{})
			l.Set(shape)
			tap := NewTap(1000)
			l.Observe(tap)
			client.Write(randomBytes(1, 400_000))
			client.CloseWrite()
			o := <-tap.Seen()
			if shape.RTT() < 1e9 {
				io.Copy(io.Discard, upstream)
			} else {
				mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultReset})
			}
			for {
				if o.buf != nil {
					eventually(t, func() bool { return o.buf.refs.Load() == 1 })
				}
				o.Release()
				if len(tap.Seen()) == 0 {
					return
				}
				o = <-tap.Seen()
			}
		})
	}
}
