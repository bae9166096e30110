package rehearse_test

import (
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

func TestCost(t *testing.T) {
	s := rehearse.Spent{
		Elapsed: rehearse.Duration(30 * time.Minute), Own: rehearse.Duration(15 * time.Minute),
		Services: []rehearse.ServiceSpent{
			{Service: "app", CPU: rehearse.Duration(time.Hour), Memory: 3600 << 30},
			{Service: "db", CPU: rehearse.Duration(45 * time.Minute), Memory: 7200 << 30},
		},
	}
	p := rehearse.Prices{Currency: "EUR", CPU: 0.5, Memory: 0.1, Environment: 2}
	if got, want := p.Cost(s), 2*0.5+3*0.1+0.5*2; got < want-1e-12 || got > want+1e-12 {
		t.Errorf("it costs %v, want %v", got, want)
	}
	if got, want := s.String(), "2h0m0s of CPU, 3 GiB·h, 30m0s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	part := rehearse.Spent{AtLeast: true}
	for _, got := range []rehearse.Spent{s.Plus(part), part.Then(s)} {
		if got, want := got.String(), "at least 2h0m0s of CPU, 3 GiB·h, 30m0s"; got != want {
			t.Errorf("with what is not wholly known: %q, want %q", got, want)
		}
	}
	if got := p.Cost(s.Plus(s)); got < 2*p.Cost(s)-1e-9 || got > 2*p.Cost(s)+1e-9 {
		t.Errorf("twice of it costs %v, once %v", got, p.Cost(s))
	}
	twice := s.Then(s)
	if got := p.Cost(twice); got < 2*p.Cost(s)-1e-9 || got > 2*p.Cost(s)+1e-9 || len(twice.Services) != 2 || len(s.Services) != 2 {
		t.Errorf("one after the other costs %v, once %v, of the services %+v", got, p.Cost(s), twice.Services)
	}
	for amount, want := range map[float64]string{0: "0.00 EUR", 12.345: "12.35 EUR", 0.0421: "0.042 EUR", 0.00042: "0.00042 EUR", 1e-9: "<0.000001 EUR"} {
		if got := p.Format(amount); got != want {
			t.Errorf("%v reads %q, want %q", amount, got, want)
		}
	}
}
