package api

import (
	"net/http"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// Environment is what an environment is.
type Environment struct {
	environment.Meta
	Facts []rehearse.Fact `json:"facts"`
}

func (s *server) getEnvironment(*http.Request) (any, error) {
	facts := s.env.Facts()
	if facts == nil {
		facts = []rehearse.Fact{}
	}
	return Environment{Meta: s.o.Meta(), Facts: facts}, nil
}

// deleteEnvironment answers before the environment is down: then nobody is left
// who could.
func (s *server) deleteEnvironment(r *http.Request) (any, error) {
	if s.o.Down == nil {
		return nil, &failure{http.StatusConflict, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "the environment belongs to a rehearsal, which takes it down itself", Hint: "Let the rehearsal end, or interrupt it.",
		}}
	}
	was, err := s.getEnvironment(r)
	if err == nil {
		s.o.Down()
	}
	return was, err
}

// Lease is until when an environment may stand.
type Lease struct {
	Expires time.Time `json:"expires"`
}

type leaseRequest struct {
	For rehearse.Duration `json:"for"` // from now
}

// maxLease keeps a slip of the pen from being for ever.
const maxLease = 30 * 24 * time.Hour

func (s *server) postLease(r *http.Request) (any, error) {
	var asked leaseRequest
	if err := read(r, &asked); err != nil {
		return nil, err
	}
	if d := time.Duration(asked.For); d <= 0 || d > maxLease {
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "a lease is above 0 and at most 720h, not " + d.String(), Hint: `Say for how long from now, as in {"for": "10m"}.`,
		}
	}
	if s.o.Extend == nil {
		return nil, &failure{http.StatusConflict, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "the environment has no lease", Hint: "It stands until whoever brought it up takes it down.",
		}}
	}
	until, err := s.o.Extend(time.Duration(asked.For))
	if err != nil {
		return nil, err
	}
	return Lease{until}, nil
}
