package migration

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // the application stands still, or the migration does not work
	Warning Severity = "warning" // a part of the application stands still
)

// Kinds of findings.
const (
	MigrationFailed     = "migration_failed"
	TableRewritten      = "table_rewritten"
	IndexBlocksWrites   = "index_blocks_writes"
	IndexInvalid        = "index_invalid"
	ConstraintValidated = "constraint_validated"
	NotNullScanned      = "not_null_scanned"
	StatementsBlocked   = "statements_blocked"
)

// Finding is something that a migration does to a big table in production.
type Finding struct {
	Kind     string
	Severity Severity
	Table    string
	What     string // in sentences
}

// assessor says what a report means for production.
type assessor struct {
	Options
	before *catalog
	report *Report
}

// table finds a table by its name before the migrations.
func (a *assessor) table(name string) table {
	for _, t := range a.before.tables {
		if t.name == name {
			return t
		}
	}
	return table{}
}

// times is how many times as many rows a table has in production; 0: not known.
func (a *assessor) times(t table) float64 {
	if a.Profile == nil || t.rows <= 0 {
		return 0
	}
	return float64(a.production(t)) / float64(t.rows)
}

// estimate sets the estimates of the statements.
func (a *assessor) estimate() {
	if a.Profile == nil {
		return
	}
	for i := range a.report.Statements {
		s := &a.report.Statements[i]
		s.Estimate = Estimate{Duration: s.Duration, Times: 1, How: "independent of size"}
		for j, l := range s.Locks {
			if j > 0 && s.Locks[j-1].Table == l.Table {
				continue // the strongest says what was done
			}
			t := a.table(l.Table)
			how := a.work(l)
			times := a.times(t)
			if how == "n log n" && t.rows > 1 {
				times *= math.Log(float64(max(a.production(t), 2))) / math.Log(float64(t.rows))
			}
			if how == "" || times <= s.Estimate.Times {
				continue
			}
			s.Estimate = Estimate{Duration: time.Duration(float64(s.Duration) * times), Times: times, How: how}
		}
	}
}

// work is how the time of what took a lock grows with the table; empty: not at
// all.
func (a *assessor) work(l Lock) string {
	switch strength(l.Mode) {
	case strength("RowExclusiveLock"):
		return "linear"
	case strength("ShareLock"):
		return "n log n"
	}
	for _, r := range a.report.Rewritten {
		if r.Table == l.Table && l.Mode == "AccessExclusiveLock" {
			return "linear"
		}
	}
	for _, i := range a.report.Indexes {
		if i.Table == l.Table && strength(l.Mode) >= strength("ShareUpdateExclusiveLock") {
			return "n log n"
		}
	}
	for _, c := range a.report.Constraints {
		if c.Table == l.Table && strength(l.Mode) >= strength("ShareUpdateExclusiveLock") {
			return "linear"
		}
	}
	return ""
}

// find sets the findings, the errors of the migrations first.
func (a *assessor) find(failure error) {
	if failure != nil {
		a.add(MigrationFailed, Error, "", "The migration failed: %v.", failure)
	}
	for _, r := range a.report.Rewritten {
		if a.big(r.Table) && r.After > 0 {
			a.add(TableRewritten, Error, r.Table, "The table %s is written anew, and nobody can read or write it meanwhile%s.", r.Table, a.took(r.Table))
		}
	}
	for _, i := range a.report.Indexes {
		switch {
		case !i.Valid:
			a.add(IndexInvalid, Error, i.Table, "The index %s on %s was not built to its end and is invalid: it costs writes and helps nobody.", i.Name, i.Table)
		case a.big(i.Table) && !i.Concurrently:
			a.add(IndexBlocksWrites, Warning, i.Table, "The index %s is built without CONCURRENTLY, and nobody can write to %s meanwhile%s.", i.Name, i.Table, a.took(i.Table))
		}
	}
	for _, c := range a.report.Constraints {
		switch {
		case !a.big(c.Table) || !c.Scanned:
		case c.NotNull:
			a.add(NotNullScanned, Error, c.Table, "To make %s.%s NOT NULL all rows are read, and nobody can read or write the table meanwhile%s. A CHECK (%s IS NOT NULL) that was added NOT VALID and validated first makes it instant.", c.Table, c.Name, a.took(c.Table), c.Name)
		default:
			a.add(ConstraintValidated, Warning, c.Table, "The constraint %s is proven for all rows of %s while it is added, and nobody can write to it meanwhile%s. NOT VALID and a later VALIDATE CONSTRAINT would let them.", c.Name, c.Table, a.took(c.Table))
		}
	}
	for _, b := range a.report.Blocked {
		wait := b.Longest
		for _, s := range a.report.Statements {
			if s.SQL == b.By && s.Estimate.Times > 1 {
				wait = max(wait, s.Estimate.Duration)
			}
		}
		if wait < a.Patience {
			continue
		}
		severity := Warning
		if b.Access == Read {
			severity = Error
		}
		what := fmt.Sprintf("A %s of %s waited for %s", b.Access, b.Table, rounded(b.Longest))
		if wait > b.Longest {
			what += fmt.Sprintf(" here, and by estimate %s at production's size", rounded(wait))
		}
		a.add(StatementsBlocked, severity, b.Table, "%s, because of %s.", what, abridged(b.By))
	}
}

func (a *assessor) add(kind string, severity Severity, table, format string, args ...any) {
	a.report.Findings = append(a.report.Findings, Finding{Kind: kind, Severity: severity, Table: table, What: fmt.Sprintf(format, args...)})
}

func (a *assessor) big(name string) bool { return a.production(a.table(name)) >= a.Big }

// took is how long the longest statement that locks a table against writes would
// take, as an addition to a sentence.
func (a *assessor) took(table string) string {
	var longest Statement
	for _, s := range a.report.Statements {
		for _, l := range s.Locks {
			if l.Table == table && strength(l.Mode) >= strength("ShareLock") && s.Duration >= longest.Duration {
				longest = s
			}
		}
	}
	if longest.Estimate.Times <= 1 {
		return ""
	}
	return fmt.Sprintf(" (%s here, by estimate %s at production's size)", rounded(longest.Duration), rounded(longest.Estimate.Duration))
}

// rounded is a duration with no more digits than a person wants.
func rounded(d time.Duration) time.Duration {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second)
	case d >= time.Second:
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

// abridged is a statement for a sentence.
func abridged(sql string) string {
	sql = strings.Join(strings.Fields(sql), " ")
	if r := []rune(sql); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return sql
}
