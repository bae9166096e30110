package toxiproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// longestBody is room for a thousand proxies with their toxics.
const longestBody = 16 << 20

// proxyInput is the body of POST /proxies, one entry of POST /populate, and the
// body of PATCH /proxies/{proxy}. A field that is nil was not given.
type proxyInput struct {
	Name     string       `json:"name"`
	Listen   *string      `json:"listen"`
	Upstream *string      `json:"upstream"`
	Enabled  *bool        `json:"enabled"`
	Toxics   []toxicInput `json:"toxics"`

	Shape *rehearse.Shape `json:"shape"`
	Tier  rehearse.Tier   `json:"tier"`
	TLS   string          `json:"tls"` // "pass", "end", or empty: pass

	// Toxiproxy leaks this field, and there are clients that send back what
	// they were given.
	Logger json.RawMessage `json:"Logger"`
}

// toxicInput is the body of POST and PATCH of a toxic.
type toxicInput struct {
	Name       string                     `json:"name"`
	Type       string                     `json:"type"`
	Stream     string                     `json:"stream"`
	Toxicity   *float64                   `json:"toxicity"`
	Attributes map[string]json.RawMessage `json:"attributes"`
}

func readRequest(r *http.Request, into any) *failure {
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, longestBody))
	if err != nil {
		return errBadBody.with(err.Error())
	}
	return read(data, into)
}

// read decodes one JSON value into a struct or a slice of them, strictly.
func read(data []byte, into any) *failure {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			return errBadBody.with("there is more behind the JSON value")
		}
		return nil
	}
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return errBadBody.with(fmt.Sprintf("field %s is a %s, and should be %s", wrong.Field, wrong.Value, jsonType(wrong.Type.Kind().String())))
	case errors.As(err, &wrong):
		return errBadBody.with(fmt.Sprintf("it is a %s, and should be %s", wrong.Value, jsonType(wrong.Type.Kind().String())))
	case errors.As(err, &syntax):
		return errBadBody.with(fmt.Sprintf("%v, at byte %d", syntax, syntax.Offset))
	}
	return errBadBody.with(strings.TrimPrefix(err.Error(), "json: "))
}

// jsonType is what JSON calls a kind of Go value.
func jsonType(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "string":
		return "a string"
	case "slice":
		return "an array"
	case "struct", "map":
		return "an object"
	}
	return "a number"
}

// readPopulate reads the body of POST /populate. Nothing is made unless every
// entry has what it needs.
func readPopulate(data []byte) ([]proxyInput, *failure) {
	var input []proxyInput
	if f := read(data, &input); f != nil {
		return nil, f
	}
	for i, p := range input {
		if f := p.complete(fmt.Sprintf(" at proxy %d", i+1)); f != nil {
			return nil, f
		}
	}
	return input, nil
}

// complete checks that a proxy that is to be made has a name and an upstream.
func (p proxyInput) complete(where string) *failure {
	switch {
	case p.Name == "":
		return errMissingField.with("name" + where)
	case p.Upstream == nil || *p.Upstream == "":
		return errMissingField.with("upstream" + where)
	}
	return nil
}

// answer writes a JSON answer. A client that does not read it has gone, and there
// is nobody to tell.
func answer(w http.ResponseWriter, status int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("toxiproxy: internal error: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
