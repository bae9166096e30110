package rehearse

import "time"

// Suspect is one thing of production's that may make a rehearsal fail: a part of
// the leg that cannot be divided.
type Suspect struct {
	Part Part `json:"part"` // without a value
	// Axis is the aspect of an action by which it can be less than in production; of
	// other parts it is their own, and this is empty.
	Axis Aspect `json:"axis,omitempty"`
	// Full is the value along the axis in the leg, and Flat what it is where the part
	// is not in force. Full is 0 where there is no axis.
	Full float64 `json:"full,omitempty"`
	Flat float64 `json:"flat,omitempty"`
	// Title is what an action of a method is called.
	Title string `json:"title,omitempty"`
}

// At is the part as far as a value along its axis; 0: the axis itself.
func (s Suspect) At(value float64) Part {
	p := s.Part
	if s.Axis != "" {
		p.Aspect = s.Axis
	}
	p.Value = value
	return p
}

// ExplainRecord is one line of explain.jsonl in a run directory. Exactly one of
// its pointers is set; the first line is the beginning.
type ExplainRecord struct {
	Begin *ExplainBegin `json:"begin,omitempty"`
	Probe *ExplainProbe `json:"probe,omitempty"`
	End   *ExplainEnd   `json:"end,omitempty"`
}

// ExplainBegin is what a search for the cause of a failure starts from. The search
// is a function of it and of what the probes showed.
type ExplainBegin struct {
	Version string    `json:"version"` // of rehearse
	Time    time.Time `json:"time"`
	Leg     Leg       `json:"leg"` // which failed
	Seed    uint64    `json:"seed"`
	// Checks are what failed in it; none where the leg passed.
	Checks   []string  `json:"checks"`
	Suspects []Suspect `json:"suspects"`
	// Shares are how much of their time loads may be shortened to, ascending up to
	// 1, and Long how much where a threshold is measured.
	Shares []float64 `json:"shares"`
	Long   float64   `json:"long"`
	// Confidence is what is asked for, and Resolution how exactly a threshold is, as
	// a share of the way from flat to full.
	Confidence float64  `json:"confidence"`
	Resolution float64  `json:"resolution"`
	Budget     Duration `json:"budget"`
	// Command is what --only and the parts are put behind to reproduce it.
	Command string `json:"command"`
	// Changed says, in complete sentences, what of the project is not as it was when
	// the leg failed.
	Changed []string `json:"changed,omitempty"`
}

// ExplainProbe is what one short leg showed.
type ExplainProbe struct {
	Parts []Part  `json:"parts"` // in force; none is staging
	Share float64 `json:"share"` // of their time that loads took
	// Outcome is of the checks that failed in the first place: unverified where they
	// could not be judged, or failed in another way.
	Outcome  Outcome        `json:"outcome"`
	Findings []ProbeFinding `json:"findings"` // of these checks
	Note     string         `json:"note,omitempty"`
	Elapsed  Duration       `json:"elapsed"`
}

// ProbeFinding is what a probe showed of one check.
type ProbeFinding struct {
	Check   string  `json:"check"`
	Outcome Outcome `json:"outcome"`
	Got     string  `json:"got"`
}

// ExplainEnd closes a search.
type ExplainEnd struct {
	Elapsed Duration `json:"elapsed"`
	// Over is set where the budget of time ended the search, and Error where
	// something else did.
	Over  bool   `json:"over,omitempty"`
	Error string `json:"error,omitempty"`
}

// Explained is how a search for the cause ended.
type Explained string

// The ends of a search.
const (
	ExplainedCause    Explained = "cause"      // it fails under the conditions that Cause names
	ExplainedNothing  Explained = "nothing"    // it does not fail
	ExplainedAlways   Explained = "always"     // it fails without any of production's conditions
	ExplainedUnsteady Explained = "unsteady"   // it failed once, and not again
	ExplainedOpen     Explained = "unfinished" // there was no time to find out
)

// Explanation is the smallest part of production under which a leg still fails.
type Explanation struct {
	Outcome Explained `json:"outcome"`
	// Sentence says it in words, and Short in few.
	Sentence string   `json:"sentence"`
	Short    string   `json:"short,omitempty"`
	Leg      string   `json:"leg"`
	Checks   []string `json:"checks"`
	// Cause are the parts that it takes, all of them. Where Minimal is false it may
	// take fewer.
	Cause   []Part `json:"cause"`
	Minimal bool   `json:"minimal"`
	// Others is set where it fails without these parts, too, for another reason.
	Others bool `json:"others,omitempty"`
	// Confidence is the probability that it fails with these parts, and does not
	// without any one of them, as far as repetitions can tell.
	Confidence float64         `json:"confidence"`
	Thresholds []PartThreshold `json:"thresholds"`
	// Remarks are complete sentences on what was not finished, or could not be shown.
	Remarks []string     `json:"remarks"`
	Probes  []ProbeTally `json:"probes"`
	Command string       `json:"command,omitempty"`
	Seed    uint64       `json:"seed"`
	// Changed says, in complete sentences, what of the project is not as it was when
	// the leg failed.
	Changed []string `json:"changed"`
	Elapsed Duration `json:"elapsed"`
}

// PartThreshold is how far a part must go for the leg to fail, with the other
// parts of the cause as in production.
type PartThreshold struct {
	Part Part `json:"part"` // without a value
	// Fails is the least value at which it was shown to fail, and Passes up to where
	// it does not; both in the unit of the part.
	Fails      float64 `json:"fails"`
	Passes     float64 `json:"passes"`
	Full       float64 `json:"full"`
	Confidence float64 `json:"confidence"` // that the truth lies between the two
}

// ProbeTally is all probes under the same conditions.
type ProbeTally struct {
	Parts      []Part   `json:"parts"`
	Share      float64  `json:"share"`
	Failed     int      `json:"failed"`
	Passed     int      `json:"passed"`
	Unverified int      `json:"unverified"`
	Got        string   `json:"got,omitempty"` // what the first failing check showed, the last time
	Elapsed    Duration `json:"elapsed"`       // of all of them
}
