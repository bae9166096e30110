package environment

import (
	"context"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// sampleEvery is how often it is looked at what services use.
const sampleEvery = 5 * time.Second

// meter adds up what services use from what they are seen to use now and then:
// the processor's time that drivers tell is that since a service's last start, and
// memory is of the moment.
type meter struct {
	began time.Time

	mu       sync.Mutex
	services map[rehearse.ServiceName]*metered
	unseen   bool // something could not be looked at
}

// metered is what has been seen of one service.
type metered struct {
	spent rehearse.ServiceSpent
	at    time.Time // of the last look; zero: there was none
	last  driver.Usage
}

// note adds what a service is seen to use at a moment.
func (m *meter) note(name rehearse.ServiceName, at time.Time, u driver.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.services[name]
	if s == nil {
		s = &metered{spent: rehearse.ServiceSpent{Service: name}}
		m.services[name] = s
	}
	if at.Before(s.at) {
		return // somebody has looked meanwhile
	}
	if u.CPU >= s.last.CPU {
		s.spent.CPU += u.CPU - s.last.CPU
	} else {
		s.spent.CPU += u.CPU // it has been started again
	}
	if !s.at.IsZero() {
		s.spent.Memory += float64(s.last.Memory+u.Memory) / 2 * at.Sub(s.at).Seconds()
	}
	s.spent.Peak = max(s.spent.Peak, u.Memory)
	s.at, s.last = at, u
}

// miss notes that a service could not be looked at.
func (m *meter) miss() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unseen = true
}

// look has a look at every service, at all at once: some drivers take a second to say
// what one uses.
func (e *Environment) look(ctx context.Context) {
	var looking sync.WaitGroup
	for _, s := range e.services {
		if !s.runs() {
			continue
		}
		looking.Go(func() {
			u, err := e.inner.Usage(ctx, s.spec.Name)
			switch {
			case err == nil:
				e.meter.note(s.spec.Name, time.Now(), u)
			case ctx.Err() == nil && s.runs(): // it has not just ended
				e.meter.miss()
			}
		})
	}
	looking.Wait()
}

// runs says that a service is there to be looked at.
func (s *service) runs() bool {
	state := s.status().State
	return state == rehearse.Starting || state == rehearse.Ready
}

// meterUntil looks at every service now and then.
func (e *Environment) meterUntil(life context.Context) {
	beat := time.NewTicker(sampleEvery)
	defer beat.Stop()
	for {
		e.look(life)
		select {
		case <-beat.C:
		case <-life.Done():
			return
		}
	}
}

// Spent is what the environment's services have taken of the host until now. What
// one uses between two looks and before its end is missed: at most some seconds.
func (e *Environment) Spent(ctx context.Context) rehearse.Spent {
	e.look(ctx)
	e.meter.mu.Lock()
	defer e.meter.mu.Unlock()
	s := rehearse.Spent{Elapsed: rehearse.Duration(time.Since(e.meter.began)), Services: []rehearse.ServiceSpent{}, AtLeast: e.meter.unseen}
	for _, name := range e.order {
		if m := e.meter.services[name]; m != nil {
			s.Services = append(s.Services, m.spent)
		}
	}
	return s
}
