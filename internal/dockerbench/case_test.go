package dockerbench_test

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// beyondHand is how much longer than the project itself takes a start may be.
const beyondHand = 0.5

// measureDocgen is an environment of the project, as the variant has it. The goal
// says how many times as fast as compose it is to be ready.
func measureDocgen(ctx context.Context, b *bench, name string, v variant, timesCompose float64) ([]row, error) {
	got, err := interleave(ctx, b, []contestant[taken]{
		{ours, b.rehearse(v)}, {compose, b.compose(v)}, {testcontainers, b.testcontainers}, {byHand, b.handDocgen},
	})
	if err != nil {
		return nil, err
	}
	return []row{readyRow(name, got, timesCompose), goneRow(name, got)}, nil
}

// measureSingle is one container that nobody asks whether it is ready.
func measureSingle(ctx context.Context, b *bench) ([]row, error) {
	got, err := interleave(ctx, b, []contestant[taken]{
		{ours, b.rehearse(single)}, {compose, b.compose(single)}, {byHand, b.handSingle},
	})
	if err != nil {
		return nil, err
	}
	const name = "one container, no healthcheck"
	return []row{readyRow(name, got, 1), goneRow(name, got)}, nil
}

// measureDatabase has rehearse make its golden of the database first, and has it do
// without.
func measureDatabase(ctx context.Context, b *bench) ([]row, error) {
	const first, without = "first", "without"
	v := everySecond
	got, err := interleave(ctx, b, []contestant[taken]{
		{ours, b.rehearse(v)}, {first, b.rehearseFirst(v)}, {without, b.rehearse(ownUser)},
		{compose, b.compose(v)}, {testcontainers, b.testcontainers}, {byHand, b.handDocgen},
	})
	if err != nil {
		return nil, err
	}
	instead := func(name string) samples[taken] {
		return samples[taken]{ours: got[name], compose: got[compose], testcontainers: got[testcontainers], byHand: got[byHand]}
	}
	later := readyRow("docgen, a clone of the golden database", got, 1)
	later.compare("× as fast as the first", got.of(first, taken.readySeconds), got.of(ours, taken.readySeconds), divide, figures.NoGoal)
	return []row{
		readyRow("docgen, the first time: the golden is made", instead(first), 1),
		later,
		readyRow("docgen, no golden", instead(without), 1),
	}, nil
}

func readyRow(name string, got samples[taken], timesCompose float64) row {
	r := newRow(name+": ready", "s", got, taken.readySeconds)
	r.faster(got, taken.readySeconds, compose, figures.AtLeast(timesCompose))
	r.faster(got, taken.readySeconds, testcontainers, figures.AtLeast(1))
	r.compare("s beyond by hand", got.of(ours, taken.readySeconds), got.of(byHand, taken.readySeconds), subtract, figures.AtMost(beyondHand))
	return r
}

func goneRow(name string, got samples[taken]) row {
	r := newRow(name+": gone", "s", got, taken.goneSeconds)
	r.faster(got, taken.goneSeconds, compose, figures.AtLeast(1))
	r.faster(got, taken.goneSeconds, testcontainers, figures.AtLeast(1))
	r.compare("s beyond by hand", got.of(ours, taken.goneSeconds), got.of(byHand, taken.goneSeconds), subtract, figures.NoGoal)
	return r
}

// ten is how many of docgen stand at once.
const ten = 10

// measureTen starts as many environments at once, and when the last is ready takes
// all down at once.
func measureTen(ctx context.Context, b *bench) ([]row, error) {
	got, err := interleave(ctx, b, []contestant[taken]{
		{ours, b.tenRehearse}, {compose, b.tenCompose},
	})
	if err != nil {
		return nil, err
	}
	const name = "ten of docgen at once, intervals of 5 s and 2 s"
	return []row{readyRow(name, got, 1), goneRow(name, got)}, nil
}

func (b *bench) tenRehearse(ctx context.Context) (taken, error) {
	var ids [ten]string
	return atOnce(ten, func(i int) (err error) {
		ids[i], err = b.rehearseUp(ctx, b.cache, patient)
		return err
	}, func() {}, func(i int) error {
		if ids[i] == "" {
			return nil
		}
		return b.rehearseDown(ctx, b.cache, ids[i])
	})
}

func (b *bench) tenCompose(ctx context.Context) (taken, error) {
	var names [ten]string
	for i := range names {
		names[i] = b.nextProject()
	}
	return atOnce(ten,
		func(i int) error { return b.composeUp(ctx, names[i], patient) }, func() {},
		func(i int) error { return b.composeDown(ctx, names[i], patient) })
}

// atOnce calls meanwhile when as many are up, and takes all down whatever became of
// them.
func atOnce(count int, up func(i int) error, meanwhile func(), down func(i int) error) (t taken, err error) {
	all := func(do func(int) error) (time.Duration, error) {
		errs := make([]error, count)
		var wait sync.WaitGroup
		began := time.Now()
		for i := range count {
			wait.Go(func() { errs[i] = do(i) })
		}
		wait.Wait()
		return time.Since(began), cmp.Or(errs...) // they fail alike
	}
	t.ready, err = all(up)
	meanwhile()
	gone, downErr := all(down)
	t.gone = gone
	return t, errors.Join(err, downErr)
}
