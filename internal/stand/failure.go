package stand

import (
	"errors"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/redact"
)

// Failure carries an error to another process.
type Failure struct {
	Kind  rehearse.Kind `json:"kind"`
	Text  string        `json:"text"`
	Hints []string      `json:"hints"`
}

// failuresOf takes an error apart for another process, without secrets.
func failuresOf(err error, secrets *redact.Secrets) []Failure {
	var problems rehearse.Problems
	if !errors.As(err, &problems) {
		err = withoutSecrets(err, secrets)
		return []Failure{{Kind: rehearse.KindOf(err), Text: err.Error(), Hints: rehearse.Hints(err)}}
	}
	var out []Failure
	for _, p := range problems {
		err := withoutSecrets(p, secrets)
		out = append(out, Failure{Kind: p.Kind, Text: err.Error(), Hints: rehearse.Hints(err)})
	}
	return out
}

// errorOf puts it together again.
func errorOf(failures []Failure) error {
	var problems rehearse.Problems
	for _, f := range failures {
		problems = append(problems, &rehearse.Error{Kind: f.Kind, Msg: f.Text, Hint: strings.Join(f.Hints, "\n")})
	}
	return problems.Err()
}
