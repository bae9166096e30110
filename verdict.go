package rehearse

// Outcome is what a rehearsal showed. What could not be shown is never a pass.
type Outcome string

// The outcomes.
const (
	Pass       Outcome = "pass"
	Fail       Outcome = "fail"
	Unverified Outcome = "unverified"
	// Skipped is the outcome of a finding, never of a verdict: an optional suite
	// that this host cannot run. It counts neither way.
	Skipped Outcome = "skipped"
)

// Finding is one thing that the evidence shows.
type Finding struct {
	Outcome Outcome `json:"outcome"`
	// Check names what was asked, the same in every leg so that legs can be
	// compared: "ready", "peak: http_req_failed rate<0.001", "e2e: exit status".
	Check string   `json:"check"`
	Step  string   `json:"step,omitempty"`
	Got   string   `json:"got"`             // the figure, in the check's unit
	Value *float64 `json:"value,omitempty"` // the same as a number, for machines
	// Detail is a complete sentence that says what happened.
	Detail string `json:"detail,omitempty"`
	// Evidence points at the records behind the finding, as in "samples/peak.jsonl".
	Evidence []string `json:"evidence,omitempty"`
	// Traces are examples, the worst first.
	Traces []TraceID `json:"traces,omitempty"`
	Hint   string    `json:"hint,omitempty"`
}

// Verdict is what one leg showed.
type Verdict struct {
	Leg      string    `json:"leg"`
	Outcome  Outcome   `json:"outcome"`
	Seed     uint64    `json:"seed"`
	Findings []Finding `json:"findings"`
}

// Conclude combines findings: any failure fails, else anything unverified makes
// the whole unverified, and so does the lack of anything that passed.
func Conclude(findings []Finding) Outcome {
	passed, open := false, false
	for _, f := range findings {
		switch f.Outcome {
		case Fail:
			return Fail
		case Unverified:
			open = true
		case Pass:
			passed = true
		}
	}
	if open || !passed {
		return Unverified
	}
	return Pass
}

// Report is everything that the reports of one run are made of: one leg after
// rehearse run, several after rehearse compare.
type Report struct {
	Run     RunID       `json:"run"`
	Project string      `json:"project"`
	Version string      `json:"version"` // of rehearse
	Legs    []LegReport `json:"legs"`
	// Diagnosis names the cause of a failure, where there is one that the
	// evidence shows.
	Diagnosis *Diagnosis `json:"diagnosis,omitempty"`
	// Explanation is the smallest part of production under which it fails, where
	// somebody has asked for it.
	Explanation *Explanation `json:"explanation,omitempty"`
}

// LegReport is one leg: its evidence, and what was made of it.
type LegReport struct {
	Name     string
	Dir      string // the leg's directory in the run directory, relative to it
	Evidence *Evidence
	Verdict  Verdict
}
