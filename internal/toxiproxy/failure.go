package toxiproxy

import (
	"errors"
	"net/http"

	"github.com/rehearse-dev/rehearse"
)

// failure is an error as the API shows it. The first two fields are Toxiproxy's,
// and its clients show them; the hint is ours, for things that have no place in
// a text which clients compare.
type failure struct {
	Message string `json:"error"`
	Status  int    `json:"status"`
	Hint    string `json:"hint,omitempty"`
}

// The failures whose text clients know.
var (
	errMissingField  = &failure{Message: "missing required field", Status: http.StatusBadRequest}
	errBadBody       = &failure{Message: "bad request body", Status: http.StatusBadRequest}
	errStream        = &failure{Message: "stream was invalid, can be either upstream or downstream", Status: http.StatusBadRequest}
	errToxicType     = &failure{Message: "invalid toxic type", Status: http.StatusBadRequest}
	errProxyNotFound = &failure{Message: "proxy not found", Status: http.StatusNotFound}
	errToxicNotFound = &failure{Message: "toxic not found", Status: http.StatusNotFound}
	errProxyExists   = &failure{Message: "proxy already exists", Status: http.StatusConflict}
	errToxicExists   = &failure{Message: "toxic already exists", Status: http.StatusConflict}
	errClosed        = &failure{Message: "the server is closing", Status: http.StatusServiceUnavailable}
)

// with adds what the failure is about.
func (f failure) with(about string) *failure {
	f.Message += ": " + about
	return &f
}

// hinting adds a hint.
func (f failure) hinting(hint string) *failure {
	f.Hint = hint
	return &f
}

// wrap makes the failure an error for who does not come by HTTP.
func (f *failure) wrap() error {
	kind := rehearse.Invalid
	if f.Status >= http.StatusInternalServerError {
		kind = rehearse.Unavailable
	}
	return &rehearse.Error{Kind: kind, Msg: f.Message, Hint: f.Hint}
}

// refused turns an error about values into a failure, and keeps its hint.
func refused(err error) *failure {
	f := errBadBody.with(err.Error())
	var e *rehearse.Error
	if errors.As(err, &e) {
		f.Hint = e.Hint
	}
	return f
}

func (f *failure) write(w http.ResponseWriter) { answer(w, f.Status, f) }
