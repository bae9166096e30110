package dockerbench_test

import (
	"context"
	"errors"
)

// many is how many environments of one container stand at once. Compose could not have
// as many: the engine's own pools of addresses end before.
const many = 50

// crowd is as many environments at once.
type crowd struct {
	taken
	memory
}

// each is one environment's share of a number.
func (crowd) each(n float64) float64 { return n / many }

// measureMany starts many environments at once, looks at what they take beside their
// services, and takes all down at once. There is one round of it.
func measureMany(ctx context.Context, b *bench) ([]row, error) {
	var c crowd
	var ids [many]string
	var measured, err error
	c.taken, err = atOnce(many, func(i int) (err error) {
		ids[i], err = b.rehearseUp(ctx, b.cache, single)
		return err
	}, func() {
		measured = b.crowdMemory(ctx, ids[:], &c.memory)
	}, func(i int) error {
		if ids[i] == "" {
			return nil
		}
		return b.rehearseDown(ctx, b.cache, ids[i])
	})
	if err := errors.Join(err, measured); err != nil {
		return nil, err
	}
	got := samples[crowd]{ours: {c}}
	const name = "fifty of one container at once, one round"
	rows := []row{
		newRow(name+": all ready", "s", got, func(c crowd) float64 { return c.ready.Seconds() }),
		newRow(name+": all gone", "s", got, func(c crowd) float64 { return c.gone.Seconds() }),
	}
	rows = append(rows, newRow("memory of each beside its service", "MB", got, func(c crowd) float64 { return c.each(c.megabytes()) }))
	for _, part := range parts {
		rows = append(rows, newRow("– "+part.name, "MB", got, func(c crowd) float64 { return c.each(part.of(c.memory)) }))
	}
	return rows, nil
}

// crowdMemory adds up what all of them take.
func (b *bench) crowdMemory(ctx context.Context, ids []string, m *memory) error {
	if err := b.ownProcesses(m); err != nil {
		return err
	}
	for _, id := range ids {
		if id == "" {
			continue // it did not come up, which is said
		}
		if err := b.linkContainer(ctx, id, m); err != nil {
			return err
		}
	}
	return nil
}
