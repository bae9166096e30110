package docker

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// A network that was asked for is made, whoever has gone meanwhile: so it is waited
// for, to be removed, but not by an engine that does not answer.
func TestNetworkOfWhoHasGone(t *testing.T) {
	asked, answer := make(chan bool), make(chan bool)
	m := http.NewServeMux()
	m.Handle("/", fakeEngine("1.45", "linux"))
	m.HandleFunc("POST /{v}/networks/create", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else nobody hears that the client has gone
		asked <- true
		select {
		case <-answer:
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]any{"Id": "0a1b"})
		case <-r.Context().Done():
		}
	})
	api, err := client.New(client.WithHost("unix://" + onSocket(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	create := func(patience time.Duration) (leave func(), made chan error) {
		e := newEnvironment(Options{}, &engine{api: api}, driver.Spec{ID: "left", Plan: &rehearse.Plan{}})
		e.limits.request = patience
		ctx, leave := context.WithCancel(t.Context())
		made = make(chan error, 1)
		go func() { made <- e.createNetwork(ctx, "left", newAddresses(netip.MustParsePrefix("10.213.0.0/26"))) }()
		<-asked
		return leave, made
	}
	leave, made := create(time.Minute)
	leave()
	answer <- true
	if err := <-made; err != nil {
		t.Errorf("it is not known to be made: %v", err)
	}
	leave, made = create(time.Millisecond)
	leave()
	if err := <-made; err == nil {
		t.Error("an engine that does not answer is said to have made it")
	}
}
