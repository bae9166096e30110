package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// conclude puts what was found into words.
func (s *search) conclude() {
	x := s.out
	switch x.Outcome {
	case rehearse.ExplainedNothing:
		x.Sentence, x.Short = "There is nothing to explain: nothing fails.", "nothing to explain"
	case rehearse.ExplainedAlways:
		x.Sentence, x.Short = "It fails without any of production's conditions.", "fails without any of production's conditions"
		x.Command = s.b.Command + " --leg staging"
	case rehearse.ExplainedUnsteady:
		x.Sentence = fmt.Sprintf("It failed once, and mostly not again under the same conditions: %s.", s.score())
		x.Short = "fails only now and then"
	case rehearse.ExplainedOpen:
		x.Sentence, x.Short = "It could not be found out under which conditions it fails.", "not explained"
	case rehearse.ExplainedCause:
		s.concludeCause()
	}
}

func (s *search) concludeCause() {
	x := s.out
	var clauses, short []string
	parts := s.parts(s.cause)
	measured := s.measured()
	for _, i := range s.cause {
		if i != measured {
			clauses, short = append(clauses, clause(s.b.Suspects[i], nil)), append(short, label(s.b.Suspects[i], nil))
		}
	}
	if measured >= 0 { // one axis only, and last: the others are as in production
		t := s.thresholdOf(measured)
		parts = s.at(measured, t.Fails)
		clauses, short = append(clauses, clause(s.b.Suspects[measured], t)), append(short, label(s.b.Suspects[measured], t))
	}
	x.Cause = list(parts)
	at := ""
	if !s.proven || !x.Minimal {
		at = "at most these: "
		x.Minimal = false
	}
	if len(s.cause) == len(s.b.Suspects) && !s.proven {
		at, clauses, short = "", []string{"all of production's conditions are in force; fewer may be enough"}, []string{inForce(parts)}
	}
	x.Sentence = "It fails when " + at + joined(clauses) + "."
	x.Short = strings.Join(short, " + ")
	for _, i := range s.axes(s.cause) {
		if t := s.thresholdOf(i); t != nil && measured != i {
			x.Sentence += fmt.Sprintf(" With the rest as in production, it fails when %s.", clause(s.b.Suspects[i], t))
		}
	}
	if x.Others {
		x.Remarks = append(x.Remarks, "It also fails without some of these conditions, if all others are in force: there is another cause. Correct this one, and explain again.")
	}
	x.Command = s.b.Command + " --only " + quote(parts)
}

// measured is the condition whose threshold the sentence and the command have: the
// first that has one; -1: none.
func (s *search) measured() int {
	for _, i := range s.cause {
		if s.thresholdOf(i) != nil {
			return i
		}
	}
	return -1
}

// thresholdOf is the threshold of a condition; nil where it is not known exactly
// enough.
func (s *search) thresholdOf(i int) *rehearse.PartThreshold {
	c := s.b.Suspects[i]
	at := slices.IndexFunc(s.out.Thresholds, func(t rehearse.PartThreshold) bool { return t.Part == c.At(0) })
	// Values are written with three figures, which may move either end.
	const figures = 0.01
	if at < 0 || s.out.Thresholds[at].Fails-s.out.Thresholds[at].Passes > (s.b.Resolution+figures)*(c.Full-c.Flat) {
		return nil
	}
	return &s.out.Thresholds[at]
}

// unfinished says how far the search had come when something ended it.
func (s *search) unfinished(ended string) string {
	left := "the threshold was not measured to the end"
	switch {
	case s.out.Outcome == rehearse.ExplainedOpen:
		left = "not even the whole leg was seen to fail again"
	case !s.proven:
		left = "fewer conditions may be enough, and those that are named are not proven"
	case s.unmeasured() == 0:
		left = "whether there is another cause was not asked"
	}
	return ended + ": " + left + "."
}

// unmeasured counts the axes of the cause whose threshold is not known.
func (s *search) unmeasured() int {
	n := 0
	for _, i := range s.axes(s.cause) {
		if s.thresholdOf(i) == nil {
			n++
		}
	}
	return n
}

func (s *search) score() string {
	failed, passed := 0, 0
	for _, t := range s.out.Probes {
		failed, passed = failed+t.Failed, passed+t.Passed
	}
	return fmt.Sprintf("in probes it failed %d times and passed %d times", failed, passed)
}

// clause says a condition as a part of a sentence; t may be nil.
func clause(c rehearse.Suspect, t *rehearse.PartThreshold) string {
	p := c.At(0)
	value, more := "", ""
	if t != nil {
		value, more = "about "+p.FormatValue(t.Fails), " or more"
	} else if c.Full > 0 {
		value = p.FormatValue(c.Full)
	}
	if p.Facet == rehearse.FacetTraffic {
		value = strings.Replace(value, "/s", " requests/s", 1)
	}
	switch p.Facet {
	case rehearse.FacetNetwork:
		from, to := ends(p.Subject)
		switch p.Aspect {
		case rehearse.AspectRTT:
			return fmt.Sprintf("the round trip from %s to %s is %s%s", from, to, value, more)
		case rehearse.AspectJitter:
			return fmt.Sprintf("the round trip from %s to %s strays by %s%s", from, to, value, more)
		case rehearse.AspectLoss:
			return fmt.Sprintf("%s%s of the packets between %s and %s are lost", value, more, from, to)
		default:
			return fmt.Sprintf("the link from %s to %s carries no more than production's", from, to)
		}
	case rehearse.FacetTraffic:
		switch p.Aspect {
		case rehearse.AspectRate:
			if t != nil {
				return fmt.Sprintf("the highest rate of traffic %s is %s%s", p.Subject, value, more)
			}
			return fmt.Sprintf("traffic %s is at its highest rate (%s)", p.Subject, value)
		case rehearse.AspectArrivals:
			return fmt.Sprintf("requests of traffic %s arrive at random", p.Subject)
		default:
			return fmt.Sprintf("requests of traffic %s come from their regions", p.Subject)
		}
	case rehearse.FacetData:
		if p.Aspect == "" {
			return fmt.Sprintf("dataset %s is production's", p.Subject)
		}
		return fmt.Sprintf("dataset %s has production's %s", p.Subject, p.Aspect)
	}
	text := fmt.Sprintf("experiment %s does %s (its action %d)", p.Subject, c.Title, p.Action)
	if t == nil {
		return text
	}
	return text + fmt.Sprintf(degrees[p.Aspect], value+more)
}

// degrees say how far an action goes.
var degrees = map[rehearse.Aspect]string{
	rehearse.AspectDelay: " by %s", rehearse.AspectFor: " for %s", rehearse.AspectProbability: " to %s of what passes", rehearse.AspectShare: " to %s of the packets",
}

// label says a condition in few words; t may be nil.
func label(c rehearse.Suspect, t *rehearse.PartThreshold) string {
	p := c.Part
	text := ""
	switch p.Facet {
	case rehearse.FacetNetwork:
		from, to := ends(p.Subject)
		words := map[rehearse.Aspect]string{rehearse.AspectRTT: "RTT"}[p.Aspect]
		if words == "" {
			words = string(p.Aspect)
		}
		text = fmt.Sprintf("%s on %s → %s", words, from, to)
	case rehearse.FacetTraffic:
		text = "traffic " + p.Subject + " " + string(p.Aspect)
		if p.Aspect == rehearse.AspectRate {
			text = "traffic at " + p.Subject
			if p.Subject != "peak" {
				text = "traffic at the peak of " + p.Subject
			}
		}
	case rehearse.FacetData:
		text = strings.TrimSpace("data of " + p.Subject + ": " + string(p.Aspect))
		text = strings.TrimSuffix(text, ":")
	default:
		text = fmt.Sprintf("%s: %s", p.Subject, c.Title)
	}
	if t != nil {
		text += ", from about " + t.Part.FormatValue(t.Fails)
	}
	return text
}

// ends are the two ends of a link, in words.
func ends(id string) (from, to string) {
	from, to, _ = strings.Cut(id, ":")
	if region, ok := strings.CutPrefix(from, string(rehearse.Ingress)+"/"); ok {
		from = region
	} else if from == string(rehearse.Ingress) {
		from = "outside"
	}
	return from, to
}

// inForce is what --only takes, or the words for nothing.
func inForce(parts []rehearse.Part) string {
	if len(parts) == 0 {
		return "nothing"
	}
	return rehearse.OnlyParts(parts...).String()
}

// quote is an argument of --only, as a shell takes it.
func quote(parts []rehearse.Part) string { return "'" + rehearse.OnlyParts(parts...).String() + "'" }

func joined(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
