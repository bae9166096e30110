package rehearsetest_test

import (
	"net/http"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/rehearsetest"
)

func ExampleUp() {
	var t *testing.T // the test's own

	env := rehearsetest.Up(t, "compose.yaml")
	resp, err := http.Get(env.URL("api", 8080) + "/orders")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("orders: %v (%v)", resp, err)
	}

	// The api's database does not answer: nothing that it says may hang.
	db := env.Link("api", "db")
	db.Set(rehearse.Fault{Kind: rehearse.FaultBlackhole})
	if resp, err = http.Get(env.URL("api", 8080) + "/orders"); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("orders without a database: %v (%v)", resp, err)
	}
	db.Set()

	env.Reset("db")
}
