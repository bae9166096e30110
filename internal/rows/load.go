package rows

import (
	"errors"
	"time"
)

// Journal is the table that a load keeps in the database while it is at work, in
// the schema that needs no name. One that stands there otherwise was cut short.
const Journal = "rehearse_load"

// ErrNotEmpty is in the error of a load into tables that have rows.
var ErrNotEmpty = errors.New("the database has rows already")

// Phase is a part of loading a dataset.
type Phase string

// The phases, in order.
const (
	PhaseCheck      Phase = "check"      // are tables empty, would constraints hold
	PhaseLoad       Phase = "load"       // rows
	PhaseIndexes    Phase = "indexes"    // indexes and keys
	PhaseReferences Phase = "references" // foreign keys, validated
	PhaseAnalyze    Phase = "analyze"
)

// Progress is how far a load is.
type Progress struct {
	Phase Phase
	// Table is one that is at work, by QName.
	Table string
	// Done and Total count rows while loading, and steps in other phases.
	Done, Total int64
	// Bytes have been encoded so far.
	Bytes int64
}

// Report is what a load did.
type Report struct {
	Rows, Bytes int64
	Phases      []PhaseReport
	Tables      []TableReport // in the dataset's order
	// Notes say, one sentence each, what was not done in the best way.
	Notes []string
}

// PhaseReport is how long a phase took.
type PhaseReport struct {
	Phase Phase
	Took  time.Duration
}

// TableReport is what was loaded into a table.
type TableReport struct {
	Table       string // QName
	Rows, Bytes int64
}
