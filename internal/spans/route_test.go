package spans_test

import (
	"testing"

	"github.com/rehearse-dev/rehearse/internal/spans"
)

func TestRoute(t *testing.T) {
	for path, want := range map[string]string{
		"/":                    "/",
		"/documents":           "/documents",
		"/documents/17":        "/documents/{id}",
		"/documents/17/pages/": "/documents/{id}/pages/",
		"/v2/users/6f1c8e6e-4d9e-4b3a-8f5b-0a1b2c3d4e5f": "/v2/users/{id}",
		"/api/v1.2/x":                 "/api/v1.2/x",
		"/oauth2/token":               "/oauth2/token",
		"/orders/A1234":               "/orders/{id}",
		"/days/2026-11-22":            "/days/{id}",
		"/blobs/9e107d9d372bb6826bd8": "/blobs/{id}",
		"/files/readme.md":            "/files/readme.md",
		"/a/" + "averylongwordthatnoroutewouldeverbecalledbyanybody": "/a/{id}",
		"*": "*",
	} {
		if got := spans.Route(path); got != want {
			t.Errorf("Route(%q) = %q, want %q", path, got, want)
		}
	}
}
