package dataset

import (
	"context"

	"github.com/rehearse-dev/rehearse/internal/llm"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Ask asks a language model what the columns of a schema mean, in the words that
// the generator knows. Tables that a plan of before knows, which may be nil, and
// that have not changed are not asked about again. See [llm.Ask].
func Ask(ctx context.Context, s *schema.Schema, before *llm.Plan, o llm.Options) (*llm.Plan, llm.Usage, error) {
	o.Known, o.Meanings, o.Fits = before.Known(), meanings(), fits
	return llm.Ask(ctx, s, o)
}
