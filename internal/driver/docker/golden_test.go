package docker

import (
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// The next environment finds what the first has made.
func TestGoldenKeyIsOfNoEnvironment(t *testing.T) {
	key := func(env map[string]string) string {
		t.Helper()
		got, err := new(environment).goldenKey(&service{spec: rehearse.Service{Name: "db", Env: env}})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := key(map[string]string{"POSTGRES_DB": "shop", "OTEL_RESOURCE_ATTRIBUTES": "rehearse.environment=shop-1"})
	if next := key(map[string]string{"POSTGRES_DB": "shop", "OTEL_RESOURCE_ATTRIBUTES": "rehearse.environment=shop-2"}); next != first {
		t.Errorf("got %s, want %s as for the environment before", next, first)
	}
	if other := key(map[string]string{"POSTGRES_DB": "other"}); other == first {
		t.Error("another database has the same key")
	}
}
