package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// ErrOver is what a probe returns that there is no time for: the search ends with
// what it has.
var ErrOver = errors.New("the time is over")

// Ask is one probe: a leg with these parts in force, whose loads take a share of
// their time.
type Ask struct {
	Parts []rehearse.Part
	Share float64
	// Number counts probes from 1, and About is how many there will be, as far as
	// that can be told.
	Number, About int
}

// Probe rehearses a short leg. Its error ends the search; [ErrOver] ends it in
// good order.
type Probe func(ctx context.Context, a Ask) (rehearse.ExplainProbe, error)

// Search finds the smallest set of conditions under which the leg fails. The
// explanation is never nil; the error is the probe's, unless that is [ErrOver].
func Search(ctx context.Context, b rehearse.ExplainBegin, probe Probe) (*rehearse.Explanation, error) {
	s := &search{
		b: b, probe: probe, chance: usual,
		out: &rehearse.Explanation{
			Outcome: rehearse.ExplainedOpen, Leg: b.Leg.Name, Checks: list(b.Checks), Cause: []rehearse.Part{}, Seed: b.Seed, Changed: list(b.Changed),
			Thresholds: []rehearse.PartThreshold{}, Remarks: []string{}, Probes: []rehearse.ProbeTally{},
		},
	}
	err := s.run(ctx)
	switch {
	case err == nil:
	case errors.Is(err, ErrOver):
		s.remark(s.unfinished(fmt.Sprintf("The budget of %v was used up", time.Duration(b.Budget))) + " A longer --budget finds more.")
		err = nil
	default:
		why, _, _ := strings.Cut(err.Error(), "\n")
		s.remark(s.unfinished("The search ended before its end (" + why + ")"))
	}
	s.conclude()
	return s.out, err
}

// Replay gives the explanation again that the records of a search come to.
func Replay(records []rehearse.ExplainRecord) (*rehearse.Explanation, error) {
	if len(records) == 0 || records[0].Begin == nil {
		return nil, errors.New("explain.jsonl does not start with a beginning")
	}
	var probes []rehearse.ExplainProbe
	end := rehearse.ExplainEnd{Error: "it was cut short"}
	for _, r := range records[1:] {
		if r.Probe != nil {
			probes = append(probes, *r.Probe)
			end.Elapsed += r.Probe.Elapsed
		}
		if r.End != nil {
			end = *r.End
		}
	}
	cut := errors.New(end.Error)
	next := 0
	x, err := Search(context.Background(), *records[0].Begin, func(_ context.Context, a Ask) (rehearse.ExplainProbe, error) {
		switch {
		case next < len(probes):
		case end.Error != "":
			return rehearse.ExplainProbe{}, cut
		default:
			return rehearse.ExplainProbe{}, ErrOver
		}
		p := probes[next]
		next++
		if p.Share != a.Share || !slices.Equal(p.Parts, a.Parts) {
			return p, fmt.Errorf("probe %d in explain.jsonl had %v in force, where the search asks for %v", next, p.Parts, a.Parts)
		}
		return p, nil
	})
	if err != nil && !errors.Is(err, cut) {
		return nil, err
	}
	x.Elapsed = end.Elapsed
	return x, nil
}

// search is one search under way. Conditions are sets of the suspects' places, in
// their order.
type search struct {
	b      rehearse.ExplainBegin
	probe  Probe
	out    *rehearse.Explanation
	chance chance
	share  float64 // of their time that loads take
	number int
	about  int // how many more probes there may be
	known  []decision
	cause  []int // the smallest set so far that fails
	proven bool
}

// run goes through the steps until one of them settles it.
func (s *search) run(ctx context.Context) error {
	if len(s.b.Checks) == 0 {
		s.out.Outcome = rehearse.ExplainedNothing
		return nil
	}
	s.about = 14 + 10*len(s.axes(s.all()))
	if settled, err := s.shorten(ctx); settled || err != nil {
		return err
	}
	// A proof that fails is knowledge, with which the search begins anew; each
	// settles one more set, so that this ends. The limit is for a leg so unsteady that
	// nothing can be proven.
	for range 6 {
		settled, err := s.staging(ctx)
		if err == nil && !settled {
			err = s.minimise(ctx)
		}
		if err == nil && !settled {
			err = s.prove(ctx)
		}
		switch {
		case settled:
			return nil
		case errors.Is(err, errUnsteady):
			s.known = nil // it was learnt from too few probes
		case err != nil:
			return err
		case s.proven:
			return s.after(ctx)
		}
	}
	s.remark("The outcomes contradict each other so often that no smallest set could be proven.")
	return nil
}

// errUnsteady says that the same conditions make the leg fail as often as not: what
// single probes have shown is worth nothing.
var errUnsteady = errors.New("the same conditions have different outcomes")

// doubt is errUnsteady where a question was left open because the same conditions had
// different outcomes, and nobody has reckoned with that so far.
func (s *search) doubt(t *tally) error {
	if s.chance != usual || t.failed < 2 || t.passed < 2 {
		return nil
	}
	s.beCareful(t)
	return errUnsteady
}

// beCareful makes every decision take more probes, after the same conditions have
// had different outcomes.
func (s *search) beCareful(t *tally) {
	s.chance = seldom(t.failed, t.failed+t.passed)
	s.remark(fmt.Sprintf("The same conditions failed in %d of %d probes, so that every answer takes more of them.", t.failed, t.failed+t.passed))
}

// after is what is worth knowing once the cause is proven.
func (s *search) after(ctx context.Context) error {
	for _, axis := range s.axes(s.cause) {
		s.about = 10
		if err := s.threshold(ctx, axis); err != nil {
			return err
		}
	}
	return s.others(ctx)
}

func (s *search) all() []int {
	out := make([]int, len(s.b.Suspects))
	for i := range out {
		out[i] = i
	}
	return out
}

// shorten finds the shortest loads under which the whole leg fails again, and how
// often it does.
func (s *search) shorten(ctx context.Context) (settled bool, err error) {
	all := s.all()
	s.cause = all
	for _, share := range s.b.Shares {
		s.share = share
		t := &tally{}
		if share == 1 {
			t.add(s.chance, rehearse.Fail) // the run itself
		}
		fails, err := s.decide(ctx, s.parts(all), t, bound(0.05))
		if err != nil {
			return false, err
		}
		if fails == yes && t.passed == 0 {
			s.out.Outcome = rehearse.ExplainedCause
			return false, nil
		}
		if share < 1 {
			continue
		}
		for t.failed+t.passed < 8 {
			if err := s.ask(ctx, s.parts(all), t); err != nil {
				return false, err
			}
			if t.open > 2 {
				s.remark("The leg itself cannot be judged on this machine.")
				return true, nil
			}
		}
		if t.failed < 3 {
			s.out.Outcome = rehearse.ExplainedUnsteady
			return true, nil
		}
		s.beCareful(t)
	}
	s.out.Outcome = rehearse.ExplainedCause
	return false, nil
}

// staging asks whether the leg fails without any condition.
func (s *search) staging(ctx context.Context) (settled bool, err error) {
	fails, err := s.fails(ctx, nil)
	if err != nil || !fails {
		return false, err
	}
	t := &tally{}
	answer, err := s.decide(ctx, nil, t, bound(1-s.b.Confidence))
	if err != nil {
		return false, err
	}
	if answer == yes {
		s.cause, s.proven = nil, true
		s.out.Outcome, s.out.Confidence = rehearse.ExplainedAlways, sure(t.sum)
		return true, nil
	}
	s.learn(decision{fails: false, proven: true})
	return false, nil
}

// minimise shrinks the conditions level by level.
func (s *search) minimise(ctx context.Context) error {
	s.cause = s.all()
	for level := range 3 {
		groups := s.groups(s.cause, level)
		if level == 2 {
			var err error
			if groups, err = s.lead(ctx, groups); err != nil {
				return err
			}
		}
		left, err := minimise(len(groups), func(pick []int) (bool, error) { return s.fails(ctx, union(groups, pick)) })
		s.cause = union(groups, left)
		if err != nil {
			return err
		}
	}
	return nil
}

// lead tries the likeliest aspect of each link and each traffic profile first: an
// order of trying, and no more.
func (s *search) lead(ctx context.Context, groups [][]int) ([][]int, error) {
	seen := map[rehearse.Part]bool{}
	var first [][]int
	for _, g := range groups {
		p := s.b.Suspects[g[0]].Part
		if p.Facet == rehearse.FacetNetwork || p.Facet == rehearse.FacetTraffic {
			if seen[p.Parent()] {
				continue
			}
			seen[p.Parent()] = true
		}
		first = append(first, g)
	}
	if len(first) == len(groups) {
		return groups, nil
	}
	fails, err := s.fails(ctx, slices.Concat(first...))
	if fails {
		return first, err
	}
	return groups, err
}

// groups divides conditions: by facet, by what the facet's parts are of, and each
// by itself.
func (s *search) groups(of []int, level int) [][]int {
	var out [][]int
	places := map[rehearse.Part]int{}
	for _, i := range of {
		p := s.b.Suspects[i].Part
		switch level {
		case 0:
			p = rehearse.Part{Facet: p.Facet}
		case 1:
			p = rehearse.Part{Facet: p.Facet, Subject: p.Subject}
		}
		at, ok := places[p]
		if !ok {
			at = len(out)
			places[p] = at
			out = append(out, nil)
		}
		out[at] = append(out[at], i)
	}
	return out
}

func union(groups [][]int, pick []int) []int {
	var out []int
	for _, i := range pick {
		out = append(out, groups[i]...)
	}
	slices.Sort(out)
	return out
}

// prove asks fresh probes about every claim of the explanation, and says whether all
// hold in s.proven. What turns out otherwise is learnt.
func (s *search) prove(ctx context.Context) error {
	claims := len(s.cause) + 1
	limit := bound((1 - s.b.Confidence) / float64(claims))
	s.about = 2 * claims
	confidence := 1.0
	claim := func(set []int, want bool) (bool, error) {
		t := &tally{}
		answer, err := s.decide(ctx, s.parts(set), t, limit)
		if err != nil {
			return false, err
		}
		if answer == open {
			if err := s.doubt(t); err != nil {
				return false, err
			}
			s.remark(fmt.Sprintf("With %s in force it could not be settled: it failed %d and passed %d times, and %d could not be judged.",
				inForce(s.parts(set)), t.failed, t.passed, t.open))
			confidence = min(confidence, 0.5)
			return want, nil
		}
		confidence *= sure(t.sum)
		s.learn(decision{set: set, fails: answer == yes, proven: true})
		return answer == yes, nil
	}
	if fails, err := claim(s.cause, true); err != nil || !fails {
		return err
	}
	for i := range s.cause {
		without := slices.Delete(slices.Clone(s.cause), i, i+1)
		if fails, err := claim(without, false); err != nil || fails {
			return err
		}
	}
	s.proven, s.out.Minimal, s.out.Confidence = true, confidence > 0.5, confidence
	return nil
}

// others asks whether the leg fails without some part of the cause, if all else is
// in force: then there is another cause.
func (s *search) others(ctx context.Context) error {
	if len(s.cause) == len(s.b.Suspects) {
		return nil
	}
	for _, i := range s.cause {
		rest := slices.DeleteFunc(s.all(), func(j int) bool { return j == i })
		fails, err := s.fails(ctx, rest)
		if errors.Is(err, errUnsteady) {
			continue
		}
		if err != nil {
			return err
		}
		if !fails {
			continue
		}
		// What is said is proven first.
		answer, err := s.decide(ctx, s.parts(rest), &tally{}, bound(1-s.b.Confidence))
		if err != nil {
			return err
		}
		if answer == yes {
			s.out.Others = true
			return nil
		}
	}
	return nil
}

func (s *search) remark(text string) { s.out.Remarks = append(s.out.Remarks, text) }

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
