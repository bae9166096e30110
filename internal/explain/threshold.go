package explain

import (
	"context"
	"slices"

	"github.com/rehearse-dev/rehearse"
)

// cells is how finely an axis is divided.
const cells = 40

// axes are those of some conditions along which there is a threshold to measure. A
// link's rate is none: less of it is worse, and there is no least.
func (s *search) axes(set []int) []int {
	return slices.DeleteFunc(slices.Clone(set), func(i int) bool {
		c := s.b.Suspects[i]
		return c.Full <= c.Flat || c.Part.Facet == rehearse.FacetNetwork && c.Part.Aspect == rehearse.AspectRate
	})
}

// threshold measures from which value of one condition on the leg fails, with the
// rest of the cause as it is. It keeps what is known of where the threshold lies,
// asks where that tells most, and ends when it lies in a window that is short
// enough and the window's upper end was seen to fail.
func (s *search) threshold(ctx context.Context, axis int) error {
	was := s.share
	s.share = max(s.share, s.b.Long)
	defer func() { s.share = was }()

	values := s.grid(axis)
	known := newPosterior(len(values))
	seen := make([]tally, len(values))
	seen[len(values)-1].sum = bound(0.01) // what was proven
	width := max(int(s.b.Resolution*float64(len(values))), 1)
	told := func() (first, last int) {
		first, last, mass := known.window(s.b.Confidence)
		at := rehearse.PartThreshold{Part: s.b.Suspects[axis].At(0), Fails: values[last], Full: s.b.Suspects[axis].Full, Passes: s.b.Suspects[axis].Flat, Confidence: mass}
		if first > 0 {
			at.Passes = values[first-1]
		}
		i := slices.IndexFunc(s.out.Thresholds, func(t rehearse.PartThreshold) bool { return t.Part == at.Part })
		if i < 0 {
			i = len(s.out.Thresholds)
			s.out.Thresholds = append(s.out.Thresholds, at)
		}
		s.out.Thresholds[i] = at
		return first, last
	}
	for open, asked := 0, 0; asked < cells && open < tries; asked++ {
		cell := known.next()
		if first, last := told(); last-first < width {
			if seen[last].sum >= bound(0.05) {
				return s.control(ctx, axis)
			}
			cell = last
		}
		p, err := s.probeOnce(ctx, s.at(axis, values[cell]))
		if err != nil {
			return err
		}
		if p.Outcome != rehearse.Fail && p.Outcome != rehearse.Pass {
			open++
			continue
		}
		seen[cell].add(s.chance, p.Outcome)
		known.learn(s.chance, cell, p.Outcome == rehearse.Fail)
	}
	told()
	s.remark("The threshold of " + s.b.Suspects[axis].At(0).String() + " could not be had more exactly: what probes showed was not of one kind.")
	return nil
}

// control asks, when a threshold is known, whether the leg still passes without the
// condition that was measured: under these loads, and on this machine as it is by
// now. Where it does not, what was measured is something else, and is dropped.
func (s *search) control(ctx context.Context, axis int) error {
	without := slices.DeleteFunc(slices.Clone(s.cause), func(i int) bool { return i == axis })
	t := &tally{}
	answer, err := s.decide(ctx, s.parts(without), t, glance)
	if err == nil && answer != no {
		answer, err = s.decide(ctx, s.parts(without), t, bound(0.05))
	}
	if err != nil || answer == no {
		return err
	}
	part := s.b.Suspects[axis].At(0)
	s.out.Thresholds = slices.DeleteFunc(s.out.Thresholds, func(t rehearse.PartThreshold) bool { return t.Part == part })
	s.remark("The threshold of " + part.String() + " could not be measured: with loads that long, or with this machine as busy as it has become, it fails without that part as well.")
	return nil
}

// grid are the values along an axis at which it is asked, up to the full one, as
// they are written.
func (s *search) grid(axis int) []float64 {
	c := s.b.Suspects[axis]
	var out []float64
	for i := range cells {
		v := c.Full
		if i < cells-1 {
			p := c.At(c.Flat + (c.Full-c.Flat)*float64(i+1)/cells)
			if q, err := rehearse.ParsePart(p.String()); err == nil {
				v = q.Value
			}
		}
		out = append(out, v)
	}
	return slices.Compact(out)
}

// at are the parts of the cause with one of them at a value.
func (s *search) at(axis int, value float64) []rehearse.Part {
	var out []rehearse.Part
	for _, i := range s.cause {
		if i != axis {
			out = append(out, s.pieces(i)...)
		}
	}
	rest := slices.DeleteFunc(slices.Clone(s.cause), func(i int) bool { return i == axis })
	for range 3 {
		out = s.fold(out, rest)
	}
	p := s.b.Suspects[axis].At(value)
	for _, q := range s.pieces(axis) { // an action that the leg has less of by another aspect, too
		if q.Value > 0 && q.Aspect != p.Aspect {
			out = append(out, q)
		}
	}
	return rehearse.NormalParts(append(out, p))
}
