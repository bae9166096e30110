package rehearse

// Diagnosis names the cause of a failure: where the time of the failing requests
// went, against the passing ones.
type Diagnosis struct {
	Failing string `json:"failing"` // the leg, or "slow requests" of one
	Passing string `json:"passing"` // the leg, or "quick requests" of the same
	// Sentence is the cause, complete; Facts are the three that bear it out.
	Sentence   string            `json:"sentence"`
	Facts      []DiagnosisFact   `json:"facts"`
	Operations []OperationChange `json:"operations"` // by what they contribute, the most first
	// Command looks at the first example.
	Command string `json:"command,omitempty"`
}

// DiagnosisFact is one thing that the evidence shows, with examples.
type DiagnosisFact struct {
	Text   string    `json:"text"`
	Traces []TraceID `json:"traces,omitempty"`
}

// OperationChange is where the time of one operation went, in both populations.
type OperationChange struct {
	Operation string           `json:"operation"`
	Passing   OperationFigures `json:"passing"`
	Failing   OperationFigures `json:"failing"`
	// Change is the difference of the means, and Noise how far it could be off
	// by chance (95 %). Parts add up to Change.
	Change Duration       `json:"change"`
	Noise  Duration       `json:"noise"`
	Parts  []Contribution `json:"parts"`
}

// OperationFigures sum up a population of traces.
type OperationFigures struct {
	Count  int      `json:"count"`
	Failed int      `json:"failed"`
	Mean   Duration `json:"mean"`
	P50    Duration `json:"p50"`
	P99    Duration `json:"p99"`
}

// Contribution is the mean time on the critical path in one place of one kind.
type Contribution struct {
	Path    string      `json:"path"`
	Kind    SegmentKind `json:"kind"`
	Passing Duration    `json:"passing"`
	Failing Duration    `json:"failing"`
	Change  Duration    `json:"change"`
	Share   float64     `json:"share"` // of the operation's change
	// Calls on this path per trace, the mean.
	PassingCalls float64   `json:"passingCalls"`
	FailingCalls float64   `json:"failingCalls"`
	Examples     []TraceID `json:"examples,omitempty"`
}
