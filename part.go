package rehearse

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Part is a facet or something within one: what a leg has in force, piece by
// piece. Its text is what --only takes and what reports print:
//
//	network                          every link's shape
//	network:docgen:db                one link's
//	network:docgen:db.rtt            one aspect of it
//	network:docgen:db.rtt=41ms       the same, as far as this
//	traffic:peak                     one traffic profile
//	traffic:peak.rate=22/s           its curve, with a peak of this
//	data:customers.encoding          one sort of oddity of one dataset
//	faults:outage/2                  the second action of one experiment's method
//	faults:outage/2.for=3s           the same, for so long
//	faults:errors/1.probability=12%  the first, of so many requests
//
// The zero Part is none.
type Part struct {
	Facet Facet
	// Subject is a link, a traffic profile, a dataset or an experiment; empty: all.
	Subject string
	// Action is the place of an action in an experiment's method, from 1; 0: all.
	Action int
	Aspect Aspect // empty: all
	// Value is how far the aspect goes: seconds, a share, bits or requests a second;
	// 0: as far as in production.
	Value float64
}

// Aspect is one of the ways in which a part is like production.
type Aspect string

// The aspects of a link's shape, in rehearse.yaml's words. Jitter comes with its
// distribution and correlation, loss with its burst and correlation, and rate with
// the rate of a connection and the limit of the queue.
const (
	AspectRTT    Aspect = "rtt"
	AspectJitter Aspect = "jitter"
	AspectLoss   Aspect = "loss"
	AspectRate   Aspect = "rate" // of a traffic profile: its curve in the place of its mean
)

// The other aspects of a traffic profile.
const (
	AspectArrivals Aspect = "arrivals" // at random in the place of a beat
	AspectOrigins  Aspect = "origins"  // from regions in the place of nowhere
)

// The aspects of a dataset whose rows are generated. Each but AspectWrites implies
// that rows are generated, in the place of staging's.
const (
	AspectRows       Aspect = "rows"       // that, and no more: few rows, and nothing odd in them
	AspectVolume     Aspect = "volume"     // as many as in production
	AspectSkew       Aspect = "skew"       // some parents have many children, and some values many rows
	AspectNulls      Aspect = "nulls"      // NULL, and what stands for it
	AspectEncoding   Aspect = "encoding"   // scripts, accents, and text that was garbled
	AspectSpaces     Aspect = "spaces"     // white space where none belongs
	AspectLengths    Aspect = "lengths"    // very short and very long texts
	AspectQuoting    Aspect = "quoting"    // quotes, entities, line breaks
	AspectTimes      Aspect = "times"      // dates that are none, or far away
	AspectNumbers    Aspect = "numbers"    // sentinels, overflow, not a number
	AspectDocuments  Aspect = "documents"  // odd JSON and arrays
	AspectDuplicates Aspect = "duplicates" // of keys and of spellings
	AspectOrphans    Aspect = "orphans"    // references that lead nowhere
	AspectWrites     Aspect = "writes"     // production's other writers
)

// The aspects of an action of an experiment's method. Each needs a value: an action
// is in force altogether or not at all.
const (
	AspectDelay       Aspect = "delay"       // of its fault
	AspectFor         Aspect = "for"         // how long it lasts
	AspectProbability Aspect = "probability" // of its fault: the share of connections or requests that it touches
	AspectShare       Aspect = "share"       // of its fault: of packets
)

// unit is what an aspect's value is measured in.
type unit int

const (
	noUnit  unit = iota // the aspect has no value
	seconds             // written as a duration
	share
	bits      // a second
	perSecond // requests
)

var aspects = map[Facet][]struct {
	name Aspect
	unit unit
}{
	FacetNetwork: {{AspectRTT, seconds}, {AspectJitter, seconds}, {AspectLoss, share}, {AspectRate, bits}},
	FacetTraffic: {{AspectRate, perSecond}, {AspectArrivals, noUnit}, {AspectOrigins, noUnit}},
	FacetData: {
		{AspectRows, noUnit}, {AspectVolume, noUnit}, {AspectSkew, noUnit}, {AspectNulls, noUnit}, {AspectEncoding, noUnit},
		{AspectSpaces, noUnit}, {AspectLengths, noUnit}, {AspectQuoting, noUnit}, {AspectTimes, noUnit}, {AspectNumbers, noUnit},
		{AspectDocuments, noUnit}, {AspectDuplicates, noUnit}, {AspectOrphans, noUnit}, {AspectWrites, noUnit},
	},
	FacetFaults: {{AspectDelay, seconds}, {AspectFor, seconds}, {AspectProbability, share}, {AspectShare, share}},
}

// Aspects are those that the parts of a facet have, in the order reports use.
func Aspects(f Facet) []Aspect {
	var out []Aspect
	for _, a := range aspects[f] {
		out = append(out, a.name)
	}
	return out
}

func (p Part) unit() (unit, bool) {
	for _, a := range aspects[p.Facet] {
		if a.name == p.Aspect {
			return a.unit, true
		}
	}
	return noUnit, false
}

// HasAxis reports whether the part's aspect can be less than in production by
// degrees, so that a value of it can be asked for.
func (p Part) HasAxis() bool {
	u, _ := p.unit()
	return u != noUnit
}

// ParsePart reads a part. What is wrong with it is an error of kind Invalid that
// names the nearest right word.
func ParsePart(text string) (Part, error) {
	wrong := func(msg, hint string) (Part, error) {
		return Part{}, &Error{Kind: Invalid, Msg: fmt.Sprintf("%q: %s", text, msg), Hint: hint}
	}
	var names []string
	for _, f := range Facets() {
		names = append(names, string(f))
	}
	rest, value, valued := strings.Cut(strings.TrimSpace(text), "=")
	facet, subject, within := strings.Cut(rest, ":")
	if !slices.Contains(names, facet) {
		return wrong(fmt.Sprintf("there is no facet %q%s", facet, didYouMean(facet, names)), "The facets are "+strings.Join(names, ", ")+".")
	}
	p := Part{Facet: Facet(facet), Subject: subject}
	if within && subject == "" {
		return wrong("nothing follows the colon", grammar[p.Facet])
	}
	// Services' names may hold points, so only a word that is an aspect is one.
	if i := strings.LastIndexByte(subject, '.'); i > 0 {
		q := p
		q.Subject, q.Aspect = subject[:i], Aspect(subject[i+1:])
		if _, known := q.unit(); known {
			p = q
		} else if valued {
			return wrong(fmt.Sprintf("%s has no aspect %q%s", p.Facet, q.Aspect, didYouMean(string(q.Aspect), words(Aspects(p.Facet)))), grammar[p.Facet])
		}
	}
	if p.Facet == FacetFaults {
		if name, action, ok := strings.Cut(p.Subject, "/"); ok {
			n, err := strconv.Atoi(action)
			if err != nil || n < 1 {
				return wrong(fmt.Sprintf("%q is not the place of an action in the method; they count from 1", action), grammar[p.Facet])
			}
			p.Subject, p.Action = name, n
		}
		if p.Aspect != "" && (p.Action == 0 || !valued) {
			return wrong(fmt.Sprintf("%s is of one action, and needs a value", p.Aspect), grammar[p.Facet])
		}
	}
	if !valued {
		return p, nil
	}
	if !p.HasAxis() {
		return wrong("it takes no value", grammar[p.Facet])
	}
	var err error
	if p.Value, err = p.parseValue(value); err != nil {
		return wrong(err.Error(), grammar[p.Facet])
	}
	return p, nil
}

// grammar is what the parts of a facet look like, in a sentence.
var grammar = map[Facet]string{
	FacetNetwork: "Write network, network:CLIENT:UPSTREAM, and behind that .rtt, .jitter, .loss or .rate, as in network:app:db.rtt=41ms.",
	FacetTraffic: "Write traffic, traffic:NAME, and behind that .rate, .arrivals or .origins, as in traffic:peak.rate=22/s.",
	FacetData:    "Write data, data:NAME, and behind that " + listing(FacetData) + ".",
	FacetFaults:  "Write faults, faults:EXPERIMENT, faults:EXPERIMENT/ACTION, and behind that .delay, .for, .probability or .share with a value, as in faults:outage/2.for=3s.",
}

func listing(f Facet) string {
	all := Aspects(f)
	return "." + strings.Join(words(all[:len(all)-1]), ", .") + " or ." + string(all[len(all)-1])
}

func words[T ~string](names []T) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return out
}

// mostRate is how many requests a second a traffic profile may ask for.
const mostRate = 100_000

// most is the largest value that the part's aspect may have.
func (p Part) most() (v float64, bounded bool) {
	switch u, _ := p.unit(); {
	case u == perSecond:
		return mostRate, true
	case p.Aspect == AspectRTT: // half of it each way
		return 2 * LongestDelay.Seconds(), true
	case p.Aspect == AspectJitter, p.Aspect == AspectDelay:
		return LongestDelay.Seconds(), true
	}
	return 0, false
}

func (p Part) parseValue(text string) (v float64, err error) {
	u, _ := p.unit()
	switch u {
	case seconds:
		var d time.Duration
		if d, err = time.ParseDuration(text); err != nil {
			return 0, fmt.Errorf("%q is not a duration; write a number and a unit, as in 41ms", text)
		}
		v = d.Seconds()
	case share:
		v, err = ParseShare(text)
	case bits:
		var r Rate
		r, err = ParseRate(text)
		v = float64(r)
	case perSecond:
		if v, err = strconv.ParseFloat(strings.TrimSuffix(text, "/s"), 64); err != nil {
			return 0, fmt.Errorf("%q is not a rate of requests; write a number, as in 22/s", text)
		}
	}
	if most, bounded := p.most(); err == nil && bounded && v > most {
		return 0, fmt.Errorf("%s is above %s, the most there may be", text, p.FormatValue(most))
	}
	if err == nil && !(v > 0 && v < math.MaxInt32*1e6) {
		return 0, fmt.Errorf("%s is not above 0; leave the part out where it should not be in force", text)
	}
	return v, err
}

// FormatValue writes a value of the part's aspect as --only takes it.
func (p Part) FormatValue(v float64) string {
	switch u, _ := p.unit(); u {
	case seconds:
		return Round(time.Duration(math.Round(v * float64(time.Second)))).String()
	case share:
		return percent(v)
	case bits:
		return strings.TrimSuffix(Rate(math.Round(v)).String(), "/s")
	}
	digits, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64) // rounded
	return strconv.FormatFloat(digits, 'f', -1, 64) + "/s"
}

// String is the part as ParsePart reads it.
func (p Part) String() string {
	var b strings.Builder
	b.WriteString(string(p.Facet))
	if p.Subject != "" {
		b.WriteString(":" + p.Subject)
	}
	if p.Action > 0 {
		b.WriteString("/" + strconv.Itoa(p.Action))
	}
	if p.Aspect != "" {
		b.WriteString("." + string(p.Aspect))
	}
	if p.Value > 0 {
		b.WriteString("=" + p.FormatValue(p.Value))
	}
	return b.String()
}

// MarshalText writes a part as ParsePart reads it.
func (p Part) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a part.
func (p *Part) UnmarshalText(text []byte) error {
	v, err := ParsePart(string(text))
	*p = v
	return err
}

// Contains reports whether q is the part itself or within it. Only a part without
// a value contains another value of itself.
func (p Part) Contains(q Part) bool {
	return p.Facet == q.Facet &&
		(p.Subject == "" || p.Subject == q.Subject) &&
		(p.Action == 0 || p.Action == q.Action) &&
		(p.Aspect == "" || p.Aspect == q.Aspect) &&
		(p.Value == 0 || p.Value == q.Value)
}

// Whole is the part without its value.
func (p Part) Whole() Part {
	p.Value = 0
	return p
}

// Parent is what the part stands directly in: an aspect's action, link or the
// like, that one's facet, and of a facet the zero Part.
func (p Part) Parent() Part {
	switch {
	case p.Aspect != "":
		p.Aspect, p.Value = "", 0
	case p.Action > 0:
		p.Action = 0
	case p.Subject != "":
		p.Subject = ""
	default:
		return Part{}
	}
	return p
}
