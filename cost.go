package rehearse

import (
	"fmt"
	"slices"
	"time"
)

// Spent is what an environment has taken of its host, from when it was begun to
// its end.
type Spent struct {
	Elapsed  Duration       `json:"elapsed"` // how long it stood
	Services []ServiceSpent `json:"services"`
	// Own is the processor's time that rehearse itself took meanwhile: links, load,
	// telemetry. It is 0 where several environments share a process.
	Own Duration `json:"own,omitempty"`
	// AtLeast says that a service could not be asked to the end, as when the engine
	// has gone: what it took from then on is not in here.
	AtLeast bool `json:"atLeast,omitempty"`
}

// ServiceSpent is what one service took, over all its starts.
type ServiceSpent struct {
	Service ServiceName `json:"service"`
	CPU     Duration    `json:"cpu"`
	// Memory is in byte-seconds: what it had, by how long it had it. Peak is the
	// most that was seen at once, in bytes.
	Memory float64 `json:"memory"`
	Peak   int64   `json:"peak"`
}

// CPU is the processor's time of everything together.
func (s Spent) CPU() time.Duration {
	sum := time.Duration(s.Own)
	for _, x := range s.Services {
		sum += time.Duration(x.CPU)
	}
	return sum
}

// Memory is the byte-seconds of all services together.
func (s Spent) Memory() float64 {
	sum := 0.0
	for _, x := range s.Services {
		sum += x.Memory
	}
	return sum
}

// GiBHours is the memory of all services together, as hosts are paid for it.
func (s Spent) GiBHours() float64 { return s.Memory() / (1 << 30) / 3600 }

// Plus is what two environments have taken together. Their services stay apart.
func (s Spent) Plus(o Spent) Spent {
	s.Elapsed += o.Elapsed
	s.Own += o.Own
	s.AtLeast = s.AtLeast || o.AtLeast
	s.Services = append(append([]ServiceSpent{}, s.Services...), o.Services...)
	return s
}

// Then is what two environments with the same services have taken one after the
// other: each service is one.
func (s Spent) Then(o Spent) Spent {
	s.Elapsed += o.Elapsed
	s.Own += o.Own
	s.AtLeast = s.AtLeast || o.AtLeast
	s.Services = append([]ServiceSpent{}, s.Services...)
	for _, x := range o.Services {
		i := slices.IndexFunc(s.Services, func(y ServiceSpent) bool { return y.Service == x.Service })
		if i < 0 {
			s.Services = append(s.Services, x)
			continue
		}
		was := &s.Services[i]
		was.CPU, was.Memory, was.Peak = was.CPU+x.CPU, was.Memory+x.Memory, max(was.Peak, x.Peak)
	}
	return s
}

// Prices are what a host costs. The zero value is for free.
type Prices struct {
	Currency string  `json:"currency,omitempty"` // as in "EUR"
	CPU      float64 `json:"cpu,omitempty"`      // of a core for an hour
	Memory   float64 `json:"memory,omitempty"`   // of a GiB for an hour
	// Environment is of an environment for an hour, whatever it does: a licence, a
	// runner.
	Environment float64 `json:"environment,omitempty"`
}

// IsZero reports whether nothing has a price.
func (p Prices) IsZero() bool { return p.CPU == 0 && p.Memory == 0 && p.Environment == 0 }

// Cost is what was spent, in the prices' currency.
func (p Prices) Cost(s Spent) float64 {
	return s.CPU().Hours()*p.CPU + s.GiBHours()*p.Memory + time.Duration(s.Elapsed).Hours()*p.Environment
}

// Format is an amount in the prices' currency: "0.0042 EUR". An amount that is not
// nothing never reads as nothing.
func (p Prices) Format(amount float64) string {
	const least = 1e-6
	digits := 2
	for limit := 0.1; amount > 0 && amount < limit && digits < 6; limit /= 10 {
		digits++
	}
	text := fmt.Sprintf("%.*f", digits, amount)
	if amount > 0 && amount < least {
		text = fmt.Sprintf("<%.6f", least)
	}
	if p.Currency != "" {
		text += " " + p.Currency
	}
	return text
}

// Spent is what the leg's environment took of its host; ok is false where the
// evidence does not say.
func (e *Evidence) Spent() (s Spent, ok bool) {
	for _, r := range e.Records {
		if r.Spent != nil {
			s, ok = *r.Spent, true
		}
	}
	return s, ok
}

// Spent is what all legs took together, at the prices of the last that says so.
func (r Report) Spent() (s Spent, p Prices, ok bool) {
	for _, l := range r.Legs {
		if l.Evidence == nil {
			continue
		}
		if spent, known := l.Evidence.Spent(); known {
			s, ok = s.Plus(spent), true
			if plan := l.Evidence.Plan(); plan != nil {
				p = plan.Prices
			}
		}
	}
	return s, p, ok
}

// String is "12.4s of CPU, 0.031 GiB·h, 41s"; of little memory, it is GiB·s. It begins
// with "at least" where not everything is known.
func (s Spent) String() string {
	const little = 0.001
	memory, unit := s.GiBHours(), "GiB·h"
	if memory < little {
		memory, unit = memory*3600, "GiB·s"
	}
	text := ""
	if s.AtLeast {
		text = "at least "
	}
	return text + fmt.Sprintf("%v of CPU, %.3g %s, %v", Round(s.CPU()), memory, unit, Round(time.Duration(s.Elapsed)))
}
