package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"strings"
)

// forms are the ways in which programs write a value, some more than once.
// None is shorter than Shortest.
func forms(value string) []string {
	out := []string{value, html.EscapeString(value), hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value)))}
	out = append(out, inJSON(value)...)
	out = append(out, inURLs(value)...)
	return append(out, inBase64(value)...)
}

// inJSON is a value within quotes, as encoders with and without care for HTML write
// it.
func inJSON(value string) []string {
	var out []string
	for _, care := range []bool{true, false} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(care)
		if e.Encode(value) == nil { // a string always has a form
			text := strings.TrimSuffix(b.String(), "\n")
			out = append(out, text[1:len(text)-1])
		}
	}
	return out
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

// inURLs is a value in a query, a path and a user's part, whose escapes differ, with
// large and with small digits.
func inURLs(value string) []string {
	query := url.QueryEscape(value)
	out := []string{
		query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(value),
		strings.TrimPrefix(url.UserPassword("", value).String(), ":"),
	}
	for _, form := range out {
		out = append(out, percent.ReplaceAllStringFunc(form, strings.ToLower))
	}
	return out
}

// inBase64 is what of a value's base64 does not depend on what stands before and
// behind it, for each of the three places where it can begin.
func inBase64(value string) []string {
	var out []string
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := e.EncodeToString(append(make([]byte, before), value...))
			bits := 8 * (before + len(value))
			out = append(out, text[(8*before+5)/6:bits/6])
		}
	}
	return out
}
