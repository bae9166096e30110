package rehearse

// CheckKind is a built-in question to telemetry.
type CheckKind string

// The built-in checks.
const (
	CheckMaxDuration       CheckKind = "max_duration"
	CheckNPlusOne          CheckKind = "n_plus_one"
	CheckMaxCalls          CheckKind = "max_calls"
	CheckChattyLink        CheckKind = "chatty_link"
	CheckRetryStorm        CheckKind = "retry_storm"
	CheckPoolExhausted     CheckKind = "pool_exhausted"
	CheckIdleInTransaction CheckKind = "idle_in_transaction"
	CheckNoTimeout         CheckKind = "no_timeout"
	CheckErrorSwallowed    CheckKind = "error_swallowed"
	CheckUndeclaredCall    CheckKind = "undeclared_call"
	CheckLogErrors         CheckKind = "log_errors"
	CheckPlanRegression    CheckKind = "plan_regression" // of databases, not of telemetry
	CheckExpect            CheckKind = "expect"          // an expression
)

// Check is one question to a leg's telemetry, or to the plans of its databases'
// statements. Fields that a kind does not use are
// empty.
type Check struct {
	Name      string      `json:"name"`
	Kind      CheckKind   `json:"kind"`
	Operation string      `json:"operation,omitempty"` // only traces whose operation matches; * stands for anything
	Service   ServiceName `json:"service,omitempty"`
	Link      LinkID      `json:"link,omitempty"`
	Dataset   string      `json:"dataset,omitempty"` // of plan_regression; empty: each that a profile describes
	// Limit is the bound: a count, or seconds for those that bound a time.
	Limit float64 `json:"limit"`
	// Percent is of max_duration: 95 for p95; 100 is every one.
	Percent float64 `json:"percent,omitempty"`
	// Expect is the expression, in the subset of TraceQL that docs/checks.md has,
	// and Over says of how many of the traces it must hold: "all", "any", or a
	// share as "p95".
	Expect string `json:"expect,omitempty"`
	Over   string `json:"over,omitempty"`
	// MinSamples is how many traces there must be for an answer.
	MinSamples int `json:"minSamples,omitempty"`
}

// TelemetrySpec is how an environment keeps telemetry.
type TelemetrySpec struct {
	// NoPropagate keeps links from adding a trace context to HTTP requests.
	NoPropagate bool `json:"noPropagate,omitempty"`
	// Memory and Disk bound what is kept, in bytes; 0 is the default, 64 MiB and 1 GiB.
	Memory int64 `json:"memory,omitempty"`
	Disk   int64 `json:"disk,omitempty"`
}
