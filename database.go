package rehearse

// MigrationResult says what a change's own migrations did to a service's
// database. Files run in order, each in a session of its own.
type MigrationResult struct {
	Service ServiceName `json:"service"`
	Dataset string      `json:"dataset"`
	Files   []string    `json:"files"` // that ran, absolute; a failing one is the last
	Elapsed Duration    `json:"elapsed"`
	// Failed is what the server said, as a sentence; empty: all files ran.
	Failed string `json:"failed,omitempty"`
	// Unwatched says why nothing was watched, as a sentence; empty: all was.
	Unwatched  string               `json:"unwatched,omitempty"`
	Statements []MigrationStatement `json:"statements,omitempty"` // in the order in which they began
	Blocked    []MigrationBlock     `json:"blocked,omitempty"`
	Rewritten  []MigrationRewrite   `json:"rewritten,omitempty"`
	Findings   []MigrationFinding   `json:"findings,omitempty"`
	Notes      []string             `json:"notes,omitempty"` // on what could not be watched
}

// MigrationStatement is one statement of a migration.
type MigrationStatement struct {
	SQL     string          `json:"sql"`
	Elapsed Duration        `json:"elapsed"`
	Locks   []MigrationLock `json:"locks,omitempty"` // on tables that were there before
	// Estimate is how long it would take at production's size, Elapsed times
	// Times; How names the rule. Times is 0 where there is no estimate.
	Estimate Duration `json:"estimate,omitempty"`
	Times    float64  `json:"times,omitempty"`
	How      string   `json:"how,omitempty"`
}

// MigrationLock is a lock that a statement took on a table.
type MigrationLock struct {
	Table string   `json:"table"`
	Mode  string   `json:"mode"` // as in "AccessExclusiveLock"
	Held  Duration `json:"held"` // at least, until the end of the transaction
}

// MigrationBlock is a statement of the application's kind that had to wait.
type MigrationBlock struct {
	Table   string   `json:"table"`
	Access  string   `json:"access"` // "read" or "write"
	Longest Duration `json:"longest"`
	By      string   `json:"by"` // the statement that it waited for
}

// MigrationRewrite is a table that was written anew.
type MigrationRewrite struct {
	Table  string `json:"table"`
	Before int64  `json:"before"` // in bytes, without indexes
	After  int64  `json:"after"`
}

// MigrationFinding is something that a migration does to a big table in
// production.
type MigrationFinding struct {
	Kind     string            `json:"kind"`
	Severity MigrationSeverity `json:"severity"`
	Table    string            `json:"table,omitempty"`
	What     string            `json:"what"` // in sentences
}

// MigrationSeverity is how bad a finding is.
type MigrationSeverity string

// The severities.
const (
	MigrationError   MigrationSeverity = "error"   // the application stands still, or the migration does not work
	MigrationWarning MigrationSeverity = "warning" // a part of the application stands still
)

// ChurnResult says what was written to a service's database during a load, in the
// place of production's other writers. It does not come through a link.
type ChurnResult struct {
	Step    string      `json:"step"`
	Service ServiceName `json:"service"`
	Dataset string      `json:"dataset"`
	Seed    uint64      `json:"seed"`
	Elapsed Duration    `json:"elapsed"`
	// Wanted is how many writes an hour were asked for.
	Wanted       float64 `json:"wanted"`
	Transactions int64   `json:"transactions"` // that were committed
	Inserts      int64   `json:"inserts"`      // in these
	Updates      int64   `json:"updates"`
	Deletes      int64   `json:"deletes"`
	// Conflicts counts the transactions that failed, by what they failed of.
	Conflicts   map[string]int64 `json:"conflicts,omitempty"`
	Disconnects int64            `json:"disconnects,omitempty"`
	Errors      []string         `json:"errors,omitempty"` // an example for each table
	Notes       []string         `json:"notes,omitempty"`
	// Failed is why nothing could be written, as a sentence.
	Failed string `json:"failed,omitempty"`
}

// Writes is how many rows were written.
func (c ChurnResult) Writes() int64 { return c.Inserts + c.Updates + c.Deletes }

// PlansResult says how the plans of production's statements differ between a
// service's database without the change's migrations and with them, both with
// production's statistics.
type PlansResult struct {
	Service    ServiceName   `json:"service"`
	Dataset    string        `json:"dataset"`
	Statements int           `json:"statements"` // that the profile has
	Elapsed    Duration      `json:"elapsed"`
	Findings   []PlanFinding `json:"findings,omitempty"`
	Notes      []string      `json:"notes,omitempty"`
	// Failed is why nothing was compared, as a sentence, and Hint what would
	// change that.
	Failed string `json:"failed,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// PlanFinding is what is wrong with one statement.
type PlanFinding struct {
	Kind  string  `json:"kind"` // "plan_regression", "statement_broken", "statement_unexplained"
	SQL   string  `json:"sql"`
	Calls float64 `json:"calls,omitempty"` // an hour
	What  string  `json:"what"`            // in sentences
	// Before and After are trees as EXPLAIN writes them; empty where there is none.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}
