package rehearsal

import (
	"context"
	"sync"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// usage asks what services with a limit of CPU time use. One that cannot be asked
// is left out: it may have ended.
func (l *leg) usage(ctx context.Context) map[rehearse.ServiceName]driver.Usage {
	var mu sync.Mutex
	var asking sync.WaitGroup
	all := map[rehearse.ServiceName]driver.Usage{}
	for _, s := range l.plan.Services {
		if s.Limits.CPUs == 0 && (s.Container == nil || s.Container.CPUQuota == 0) {
			continue
		}
		asking.Go(func() {
			u, err := l.env.Usage(ctx, s.Name)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			all[s.Name] = u
		})
	}
	asking.Wait()
	return all
}

// used writes down what these services used in a step.
func (l *leg) used(ctx context.Context, step string, before map[rehearse.ServiceName]driver.Usage) error {
	after := l.usage(ctx)
	r := rehearse.UsageResult{Step: step}
	for _, s := range l.plan.Services {
		now, ok := after[s.Name]
		if !ok || now.Processes == 0 {
			continue
		}
		was := before[s.Name]
		cpu := now.CPU - was.CPU
		if cpu < 0 { // it was started anew
			cpu = now.CPU
		}
		r.Services = append(r.Services, rehearse.ServiceUsage{
			Service: s.Name, CPU: cpu, Memory: now.Memory, Throttled: now.Throttled.Since(was.Throttled),
		})
	}
	if len(r.Services) == 0 {
		return nil
	}
	return l.out.Append(rehearse.Record{Usage: &r})
}
