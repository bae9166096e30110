package recipe

import (
	"context"
	"fmt"

	"github.com/rehearse-dev/rehearse"
)

// dataset is what comes into a database after the image's own scripts. A nil
// dataset is none.
type dataset struct {
	before, after scripts
	fill          func(ctx context.Context, into Filling) error
	generated     []string // what the generated rows depend on
}

// datasetOf reads a service's dataset as far as its key needs it.
func datasetOf(c *Context) (*dataset, error) {
	spec := c.Service.Data
	if spec == nil {
		return nil, nil
	}
	d := &dataset{}
	var err error
	if d.before, err = scriptsOf(spec.Before); err != nil {
		return nil, err
	}
	if d.after, err = scriptsOf(spec.After); err != nil {
		return nil, err
	}
	if !spec.Generates() {
		return d, nil // files are all
	}
	if c.Fill == nil || c.FillKey == nil {
		return nil, &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q has dataset %q, which nothing here can generate", c.Service.Name, spec.Name),
			Hint: "Load it from files instead.",
		}
	}
	d.fill = c.Fill
	if d.generated, err = c.FillKey(); err != nil {
		return nil, fmt.Errorf("read dataset %q: %w", spec.Name, err)
	}
	return d, nil
}

func (d *dataset) generate(ctx context.Context, into Filling) error {
	if d.fill == nil {
		return nil
	}
	return d.fill(ctx, into)
}

// paths are the files that the server's clients must see.
func (d *dataset) paths() []string {
	if d == nil {
		return nil
	}
	return append(d.before.paths(), d.after.paths()...)
}

// key is everything that the dataset depends on; empty for none. The parts are
// counted, so that no file can move from before the generation to after it
// unnoticed.
func (d *dataset) key(s rehearse.Service) []string {
	if d == nil {
		return nil
	}
	out := []string{fmt.Sprintf("dataset scale %g seed %d: %d %d %d", s.Data.Scale, s.Data.Seed, len(d.before), len(d.generated), len(d.after))}
	out = append(out, d.before.digests()...)
	out = append(out, d.generated...)
	out = append(out, d.after.digests()...)
	return append(out, fmt.Sprint(d.before.environment(s), d.after.environment(s)))
}
