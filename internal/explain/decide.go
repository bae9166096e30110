package explain

import (
	"context"
	"slices"

	"github.com/rehearse-dev/rehearse"
)

// tally counts what probes under the same conditions showed.
type tally struct {
	failed, passed, open int
	sum                  float64 // of their weights
}

func (t *tally) add(c chance, o rehearse.Outcome) {
	switch o {
	case rehearse.Fail:
		t.failed++
		t.sum += c.weight(true)
	case rehearse.Pass:
		t.passed++
		t.sum += c.weight(false)
	default:
		t.open++
	}
}

// answer is whether conditions make the leg fail.
type answer int

const (
	open answer = iota // it cannot be told
	yes
	no
)

// tries is how many probes in one question may come to nothing.
const tries = 3

// ask makes one more probe and counts it.
func (s *search) ask(ctx context.Context, parts []rehearse.Part, t *tally) error {
	p, err := s.probeOnce(ctx, parts)
	if err == nil {
		t.add(s.chance, p.Outcome)
	}
	return err
}

func (s *search) probeOnce(ctx context.Context, parts []rehearse.Part) (rehearse.ExplainProbe, error) {
	p, err := s.probe(ctx, Ask{Parts: parts, Share: s.share, Number: s.number + 1, About: s.number + max(s.about, 1)})
	if err != nil {
		return p, err
	}
	s.number++
	s.about--
	s.out.Elapsed += p.Elapsed
	s.count(p)
	return p, nil
}

// decide asks until it is settled whether the leg fails, by Wald's sequential
// probability ratio test on what t has already and what is asked.
func (s *search) decide(ctx context.Context, parts []rehearse.Part, t *tally, bound float64) (answer, error) {
	for most := s.chance.most(bound); ; {
		switch {
		case t.sum >= bound:
			return yes, nil
		case t.sum <= -bound:
			return no, nil
		case t.open >= tries, t.failed+t.passed >= most:
			return open, nil
		}
		if err := s.ask(ctx, parts, t); err != nil {
			return open, err
		}
	}
}

// decision is what is known of a set of conditions.
type decision struct {
	set    []int
	fails  bool
	proven bool
}

// fails reports whether the leg fails under conditions, as far as the search must
// know to go on. Where it cannot be told, it does not: a condition that might be
// needed stays.
func (s *search) fails(ctx context.Context, set []int) (bool, error) {
	if d, ok := s.recall(set); ok {
		return d, nil
	}
	t := &tally{}
	a, err := s.decide(ctx, s.parts(set), t, glance)
	if err == nil && a == open {
		err = s.doubt(t)
	}
	if err != nil {
		return false, err
	}
	if a == open {
		s.remark("Whether it fails with " + inForce(s.parts(set)) + " in force could not be told.")
	}
	s.learn(decision{set: set, fails: a == yes})
	return a == yes, nil
}

// recall gives what is known of a set: itself, or by what is known of others. More
// conditions make a leg fail that fails with less; where that is not so, the proof
// shows it.
func (s *search) recall(set []int) (fails, ok bool) {
	for _, d := range s.known {
		if slices.Equal(d.set, set) {
			return d.fails, true
		}
	}
	for _, d := range s.known {
		if d.fails && within(d.set, set) {
			return true, true
		}
		if !d.fails && within(set, d.set) {
			return false, true
		}
	}
	return false, false
}

// learn keeps a decision. What was proven drops what it contradicts and nobody has
// proven.
func (s *search) learn(d decision) {
	s.known = slices.DeleteFunc(s.known, func(k decision) bool {
		contradicts := d.fails != k.fails && (d.fails && within(d.set, k.set) || !d.fails && within(k.set, d.set))
		return slices.Equal(k.set, d.set) || d.proven && !k.proven && contradicts
	})
	s.known = append(s.known, d)
}

// within reports whether every member of a is one of b.
func within(a, b []int) bool {
	return !slices.ContainsFunc(a, func(i int) bool { return !slices.Contains(b, i) })
}

// count adds a probe to the tallies that reports show.
func (s *search) count(p rehearse.ExplainProbe) {
	i := slices.IndexFunc(s.out.Probes, func(t rehearse.ProbeTally) bool {
		return t.Share == p.Share && slices.Equal(t.Parts, p.Parts)
	})
	if i < 0 {
		i = len(s.out.Probes)
		s.out.Probes = append(s.out.Probes, rehearse.ProbeTally{Parts: list(p.Parts), Share: p.Share})
	}
	t := &s.out.Probes[i]
	switch p.Outcome {
	case rehearse.Fail:
		t.Failed++
	case rehearse.Pass:
		t.Passed++
	default:
		t.Unverified++
	}
	t.Elapsed += p.Elapsed
	t.Got = Showed(p)
}

// Showed is what a probe showed, in few words: the first check that failed in it, or
// else the first at all.
func Showed(p rehearse.ExplainProbe) string {
	if p.Note != "" || len(p.Findings) == 0 {
		return p.Note
	}
	telling := max(slices.IndexFunc(p.Findings, func(f rehearse.ProbeFinding) bool { return f.Outcome == rehearse.Fail }), 0)
	return p.Findings[telling].Check + ": " + p.Findings[telling].Got
}

// parts are conditions as --only takes them, in as few words as there are: all of
// a link's aspects are the link.
func (s *search) parts(set []int) []rehearse.Part {
	var out []rehearse.Part
	for _, i := range set {
		out = append(out, s.pieces(i)...)
	}
	for range 3 { // aspects to links and actions, actions to experiments, those to facets
		out = s.fold(out, set)
	}
	return rehearse.NormalParts(out)
}

// pieces are one condition, with its values if the leg gives it any.
func (s *search) pieces(i int) []rehearse.Part {
	p := s.b.Suspects[i].Part
	var out []rehearse.Part
	for _, q := range s.b.Leg.Parts {
		if p.Contains(q) && q.Value > 0 {
			out = append(out, q)
		}
	}
	if len(out) == 0 {
		return []rehearse.Part{p}
	}
	return out
}

// fold replaces parts by what they make up, where that is all of it.
func (s *search) fold(parts []rehearse.Part, set []int) []rehearse.Part {
	var out []rehearse.Part
	for _, p := range parts {
		up := p.Parent()
		if up == (rehearse.Part{}) || p.Value > 0 || !s.whole(up, set) {
			up = p
		}
		if !slices.Contains(out, up) {
			out = append(out, up)
		}
	}
	return out
}

// whole reports whether a set has all of a part that the leg has, and the leg all
// of it that there is.
func (s *search) whole(p rehearse.Part, set []int) bool {
	if _, in := s.b.Leg.InForce(p); !in {
		return false
	}
	for i, c := range s.b.Suspects {
		if p.Contains(c.Part) && (s.pieces(i)[0].Value > 0 || !slices.Contains(set, i)) {
			return false
		}
	}
	return true
}
