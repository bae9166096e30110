package llm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// DefaultModel is asked unless another is named.
const DefaultModel = "claude-sonnet-4-6"

// Options are how a model is asked.
type Options struct {
	APIKey string
	// KeyName is the environment variable that hints name; "ANTHROPIC_API_KEY"
	// unless given. It is not read.
	KeyName string
	Model   string // [DefaultModel] unless given
	// BaseURL is the API's; empty: Anthropic's own.
	BaseURL string
	// HTTPClient carries the calls; nil: [http.DefaultClient].
	HTTPClient *http.Client
	// MaxTablesPerCall is 30 unless given.
	MaxTablesPerCall int
	// Known are tables that have been asked about, by name. Those whose fingerprint
	// is still the same are taken over.
	Known map[string]Table
	// Meanings are those that a column may have, and Fits whether a type can hold
	// one's values; nil: every one fits.
	Meanings []string
	Fits     func(meaning string, t schema.Type) bool
	// Timeout bounds one attempt at a call, 2 minutes unless given. An attempt that
	// fails for a while is repeated, twice unless Retries says otherwise; below 0: never.
	Timeout time.Duration
	Retries int
	// Progress, unless nil, is called after each call.
	Progress func(done, tables int)
}

func (o Options) withDefaults() Options {
	o.KeyName = cmp.Or(o.KeyName, "ANTHROPIC_API_KEY")
	o.Model = cmp.Or(o.Model, DefaultModel)
	if o.MaxTablesPerCall <= 0 {
		o.MaxTablesPerCall = 30
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Retries == 0 {
		o.Retries = 2
	}
	return o
}

// Usage is what asking took, and what came of it.
type Usage struct {
	Calls                     int
	InputTokens, OutputTokens int64
	// Asked and Known are how many tables were asked about, and taken over.
	Asked, Known int
	// Problems are parts of answers that were dropped, and calls that failed.
	Problems rehearse.Problems
}

// maxTokens bounds one answer. More could not be had without streaming.
const maxTokens = 16_000

// Ask asks a model about the tables of a schema that are not known yet, some at a
// time. The plan holds what [Validate] left of the answers, and the known tables.
//
// What cannot be used of an answer is dropped, and is among the usage's problems;
// so is a call that failed, when others did not. Where nothing at all came of it the
// error is a [rehearse.Error] that says why, and what to do; the caller can go on
// without a plan.
func Ask(ctx context.Context, s *schema.Schema, o Options) (*Plan, Usage, error) {
	o = o.withDefaults()
	a := &asking{o: o, schema: s, plan: &Plan{Model: o.Model, Prompt: promptVersion}}
	var open []*schema.Table
	for _, t := range s.Tables {
		if t.PartitionOf != nil {
			continue // it means what its parent means
		}
		if known, ok := o.Known[t.QName()]; ok && known.Fingerprint == Fingerprint(t) {
			a.plan.Tables = append(a.plan.Tables, known)
			a.usage.Known++
			continue
		}
		open = append(open, t)
	}
	if len(open) > 0 && o.APIKey == "" {
		return nil, a.usage, &rehearse.Error{Kind: rehearse.Invalid, Msg: "there is no key for the Anthropic API",
			Hint: "Set " + o.KeyName + ", or leave the model out: everything works without one."}
	}
	client := anthropic.NewClient(a.clientOptions()...)
	a.client = &client
	a.all(ctx, open)
	if a.failed != nil && len(a.plan.Tables) == 0 {
		return nil, a.usage, a.failed
	}
	slices.SortFunc(a.plan.Tables, func(x, y Table) int { return cmp.Compare(x.Name, y.Name) })
	return a.plan, a.usage, nil
}

type asking struct {
	o      Options
	schema *schema.Schema
	client *anthropic.Client
	plan   *Plan
	usage  Usage
	failed error // the last call that nothing came of
}

func (a *asking) clientOptions() []option.RequestOption {
	out := []option.RequestOption{
		// Without this the SDK reads keys and addresses from the environment itself.
		option.WithoutEnvironmentDefaults(),
		option.WithoutOpenTelemetry(),
		option.WithAPIKey(a.o.APIKey),
		option.WithRequestTimeout(a.o.Timeout),
		option.WithMaxRetries(max(0, a.o.Retries)),
	}
	if a.o.BaseURL != "" {
		out = append(out, option.WithBaseURL(a.o.BaseURL))
	}
	if a.o.HTTPClient != nil {
		out = append(out, option.WithHTTPClient(a.o.HTTPClient))
	}
	return out
}

func (a *asking) problem(e *rehearse.Error) { a.usage.Problems = append(a.usage.Problems, e) }

// all asks about tables, some at a time. An answer that was cut off is asked for
// again in halves. It ends early where what made a call fail would fail the others
// too.
func (a *asking) all(ctx context.Context, open []*schema.Table) {
	total := len(open)
	queue := slices.Collect(slices.Chunk(open, a.o.MaxTablesPerCall))
	for len(queue) > 0 {
		batch := queue[0]
		queue = queue[1:]
		err := a.once(ctx, batch)
		var cut *cutOff
		if errors.As(err, &cut) && len(batch) > 1 {
			queue = append([][]*schema.Table{batch[:len(batch)/2], batch[len(batch)/2:]}, queue...)
			continue
		}
		if err != nil {
			e, goOn := failure(err, batch)
			a.failed = e
			a.problem(e)
			if !goOn {
				return
			}
		}
		a.usage.Asked += len(batch)
		if a.o.Progress != nil {
			a.o.Progress(a.usage.Asked, total)
		}
	}
}

// failure is what to say of a call that nothing came of, and whether another may
// go well.
func failure(err error, batch []*schema.Table) (e *rehearse.Error, goOn bool) {
	var useless *unusable
	var cut *cutOff
	switch {
	case errors.As(err, &useless):
		return useless.err, true
	case errors.As(err, &cut):
		return &rehearse.Error{Kind: rehearse.Unavailable, Hint: withoutModel,
			Msg: fmt.Sprintf("the model's answer about %s was cut off: it is longer than %d tokens", names(batch), maxTokens)}, true
	case errors.As(err, &e):
		return e, false
	}
	return &rehearse.Error{Kind: rehearse.Internal, Msg: "ask the model", Err: err}, false
}

const withoutModel = "Ask again, name another model, or leave the model out: everything works without one."

// cutOff is an answer that ends before its end.
type cutOff struct{}

func (*cutOff) Error() string { return "the answer was cut off" }

// unusable is an answer of which nothing can be used, which says nothing about
// the next call's.
type unusable struct{ err *rehearse.Error }

func (u *unusable) Error() string { return u.err.Error() }

func names(batch []*schema.Table) string {
	var out []string
	for _, t := range batch[:min(3, len(batch))] {
		out = append(out, t.QName())
	}
	if more := len(batch) - len(out); more > 0 {
		out = append(out, fmt.Sprintf("%d more", more))
	}
	return strings.Join(out, ", ")
}

// once asks about some tables and takes the answer into the plan.
func (a *asking) once(ctx context.Context, batch []*schema.Table) error {
	q := question{Engine: a.schema.Engine}
	for _, t := range batch {
		q.Tables = append(q.Tables, describeTable(t))
	}
	for _, t := range a.schema.Tables {
		if t.PartitionOf == nil && !slices.Contains(batch, t) {
			q.Others = append(q.Others, describeOther(t))
		}
	}
	text, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("write the question: %w", err)
	}
	a.usage.Calls++
	message, err := a.client.Messages.New(ctx, anthropic.MessageNewParams{
		Model:      anthropic.Model(a.o.Model),
		MaxTokens:  maxTokens,
		System:     []anthropic.TextBlockParam{{Text: instructions}},
		Messages:   []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(string(text)))},
		Tools:      []anthropic.ToolUnionParam{{OfTool: a.tool()}},
		ToolChoice: anthropic.ToolChoiceParamOfTool(toolName),
	})
	if err != nil {
		return a.explain(ctx, err)
	}
	a.usage.InputTokens += message.Usage.InputTokens
	a.usage.OutputTokens += message.Usage.OutputTokens
	return a.take(message, batch)
}

// take reads an answer.
func (a *asking) take(message *anthropic.Message, batch []*schema.Table) error {
	useless := func(format string, args ...any) error {
		return &unusable{&rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf(format, args...),
			Hint: withoutModel}}
	}
	switch message.StopReason {
	case anthropic.StopReasonRefusal:
		return useless("the model refused to answer about %s", names(batch))
	case anthropic.StopReasonMaxTokens, anthropic.StopReasonModelContextWindowExceeded:
		return &cutOff{}
	}
	i := slices.IndexFunc(message.Content, func(c anthropic.ContentBlockUnion) bool { return c.Type == "tool_use" && c.Name == toolName })
	if i < 0 {
		return useless("the model's answer about %s is not of the form asked for", names(batch))
	}
	got, problems, err := decode(message.Content[i].Input)
	if err != nil {
		return useless("the model's answer about %s cannot be read: %v", names(batch), err)
	}
	asked := map[string]bool{}
	for _, t := range batch {
		asked[t.QName()] = true
	}
	got.Tables = slices.DeleteFunc(got.Tables, func(t Table) bool {
		if _, there := a.schema.Table(t.Name); there && !asked[t.Name] {
			problems = append(problems, fmt.Sprintf("table %q was not asked about", t.Name))
			return true
		}
		return false
	})
	for _, p := range problems {
		a.problem(&rehearse.Error{Kind: rehearse.Invalid, Msg: "the model's answer: " + p})
	}
	valid, dropped := Validate(got, a.schema, a.o.Meanings, a.o.Fits)
	for _, p := range dropped {
		p.Msg = "the model's answer: " + p.Msg
	}
	a.usage.Problems = append(a.usage.Problems, dropped...)
	if got.items() > 0 && valid.items() == 0 {
		return useless("nothing of the model's answer about %s fits the schema", names(batch))
	}
	for _, t := range batch {
		found := Table{Name: t.QName()}
		// A table may come more than once; what is said of it first holds.
		for _, v := range valid.Tables {
			if v.Name == found.Name {
				found.add(v)
			}
		}
		// A table of which nothing is known has been asked about, too.
		found.Fingerprint = Fingerprint(t)
		a.plan.Tables = append(a.plan.Tables, found)
	}
	for _, l := range valid.Locales {
		if !slices.Contains(a.plan.Locales, l) {
			a.plan.Locales = append(a.plan.Locales, l)
		}
	}
	return nil
}

// items is how much a plan says.
func (p *Plan) items() int {
	n := len(p.Tables)
	for _, t := range p.Tables {
		n += len(t.Columns) + len(t.References) + len(t.Rules)
	}
	return n
}

func (t *Table) add(more Table) {
	for _, c := range more.Columns {
		if !slices.ContainsFunc(t.Columns, func(o Column) bool { return o.Name == c.Name }) {
			t.Columns = append(t.Columns, c)
		}
	}
	t.References = append(t.References, more.References...)
	t.Rules = append(t.Rules, more.Rules...)
}

// explain makes of the SDK's error one that a person can act on. The SDK's own
// holds what the server said, which might be the key; so it goes no further.
func (a *asking) explain(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return &rehearse.Error{Kind: rehearse.Interrupted, Msg: "ask the model", Err: cause}
	}
	out := &rehearse.Error{Kind: rehearse.Unavailable, Hint: "Try again later, or leave the model out: everything works without one."}
	var api *anthropic.Error
	if !errors.As(err, &api) {
		out.Msg = a.scrub(err.Error())
		if errors.Is(err, context.DeadlineExceeded) {
			out.Msg = fmt.Sprintf("no answer within %v", a.o.Timeout)
		}
		out.Msg = "the Anthropic API cannot be reached: " + out.Msg
		return out
	}
	said := tidy(a.scrub(api.Message))
	if said == "" {
		said = http.StatusText(api.StatusCode)
	}
	out.Msg = fmt.Sprintf("the Anthropic API answers with status %d: %s", api.StatusCode, said)
	switch api.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		out.Kind, out.Hint = rehearse.Invalid, "Set "+a.o.KeyName+" to a key that may use "+a.o.Model+", or leave the model out: everything works without one."
	case http.StatusNotFound:
		out.Kind, out.Hint = rehearse.Invalid, "Name a model that exists, such as "+DefaultModel+"."
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		out.Kind, out.Hint = rehearse.Invalid, "Name another model, or leave the model out: everything works without one."
	}
	return out
}

func (a *asking) scrub(text string) string {
	return strings.ReplaceAll(text, a.o.APIKey, "…")
}
