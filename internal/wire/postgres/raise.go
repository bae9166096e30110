package postgres

import (
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// raise is an error that the server is made to raise.
type raise struct {
	fault     *rehearse.Fault
	code, msg string
	commit    bool // in place of a COMMIT, which ends the transaction even if it fails
}

func raiseOf(f *rehearse.Fault, c class) raise {
	if f.Kind == rehearse.FaultReadOnly {
		return raise{fault: f, code: "25006", msg: "cannot execute " + c.writes + " in a read-only transaction"}
	}
	return raise{fault: f, code: f.Code, msg: `fault "` + strings.Map(harmless, f.ID()) + `"`, commit: c.commit}
}

// harmless replaces what has a meaning in a string or depends on the client's
// encoding.
func harmless(r rune) rune {
	if r < ' ' || r > '~' || strings.ContainsRune(`'"\$`, r) {
		return '_'
	}
	return r
}

// query is the message that makes the server raise it.
func (r *raise) query() []byte {
	sql := "DO $rehearse$ BEGIN RAISE EXCEPTION USING MESSAGE = '" + r.msg + "', ERRCODE = '" + r.code + "'; END $rehearse$"
	if r.commit {
		sql = "ROLLBACK; " + sql
	}
	return query(sql)
}
