package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/anthropics/anthropic-sdk-go/v2"
)

const toolName = "plan"

type object = map[string]any

// tool is the form of the answer. The model is made to use it; nothing is run.
func (a *asking) tool() *anthropic.ToolParam {
	text := object{"type": "string"}
	texts := object{"type": "array", "items": text}
	form := func(properties object, required ...string) object {
		properties["why"], properties["confidence"] = text, object{"type": "number"}
		return object{"type": "object", "properties": properties, "required": required}
	}
	list := func(of object) object { return object{"type": "array", "items": of} }
	table := object{
		"type": "object",
		"properties": object{
			"table":      text,
			"columns":    list(form(object{"column": text, "meaning": object{"type": "string", "enum": a.o.Meanings}}, "column", "meaning")),
			"references": list(form(object{"columns": texts, "table": text, "to": texts}, "columns", "table", "to")),
			"rules":      list(form(object{"column": text, "rule": text}, "rule")),
		},
		"required": []string{"table"},
	}
	return &anthropic.ToolParam{
		Name:        toolName,
		Description: anthropic.String("Hands over what the schema's columns mean and which rules its rows obey."),
		InputSchema: anthropic.ToolInputSchemaParam{
			Properties: object{"tables": list(table), "locales": texts},
			Required:   []string{"tables"},
		},
	}
}

// The answer's parts. Each is read by itself, so that one that is nonsense takes
// no other with it.
type answer struct {
	Tables  []json.RawMessage `json:"tables"`
	Locales json.RawMessage   `json:"locales"`
}

type answerTable struct {
	Table      string            `json:"table"`
	Columns    []json.RawMessage `json:"columns"`
	References []json.RawMessage `json:"references"`
	Rules      []json.RawMessage `json:"rules"`
}

type answerColumn struct {
	Column     string  `json:"column"`
	Meaning    string  `json:"meaning"`
	Why        string  `json:"why"`
	Confidence float64 `json:"confidence"`
}

type answerReference struct {
	Columns    []string `json:"columns"`
	Table      string   `json:"table"`
	To         []string `json:"to"`
	Why        string   `json:"why"`
	Confidence float64  `json:"confidence"`
}

type answerRule struct {
	Column     string  `json:"column"`
	Rule       string  `json:"rule"`
	Why        string  `json:"why"`
	Confidence float64 `json:"confidence"`
}

// decode reads an answer into a plan, and says what of it could not be read.
func decode(input json.RawMessage) (*Plan, []string, error) {
	var in answer
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, nil, plain(err)
	}
	if in.Tables == nil {
		return nil, nil, errors.New("it has no tables")
	}
	var problems []string
	p := &Plan{}
	if len(in.Locales) > 0 && !bytes.Equal(in.Locales, []byte("null")) {
		if err := json.Unmarshal(in.Locales, &p.Locales); err != nil {
			problems = append(problems, fmt.Sprintf("its locales cannot be read: %v", plain(err)))
			p.Locales = nil
		}
	}
	for _, raw := range in.Tables {
		var at answerTable
		if err := json.Unmarshal(raw, &at); err != nil {
			problems = append(problems, fmt.Sprintf("a table of it cannot be read: %v", plain(err)))
			continue
		}
		t := Table{Name: at.Table}
		bad := func(what string) func(error) {
			return func(err error) {
				problems = append(problems, fmt.Sprintf("a %s of %q cannot be read: %v", what, at.Table, plain(err)))
			}
		}
		each(at.Columns, bad("column"), func(c answerColumn) {
			t.Columns = append(t.Columns, Column{Name: c.Column, Meaning: c.Meaning, Why: c.Why, Confidence: c.Confidence})
		})
		each(at.References, bad("reference"), func(r answerReference) {
			t.References = append(t.References, Reference{Columns: r.Columns, Table: r.Table, To: r.To, Why: r.Why, Confidence: r.Confidence})
		})
		each(at.Rules, bad("rule"), func(r answerRule) {
			t.Rules = append(t.Rules, Rule{Column: r.Column, Rule: r.Rule, Why: r.Why, Confidence: r.Confidence})
		})
		p.Tables = append(p.Tables, t)
	}
	return p, problems, nil
}

func each[T any](list []json.RawMessage, bad func(error), do func(T)) {
	for _, raw := range list {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			bad(err)
			continue
		}
		do(v)
	}
}

// plain says what is wrong with JSON without the names of Go's types.
func plain(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		if wrong.Field == "" {
			return fmt.Errorf("it is a JSON %s", wrong.Value)
		}
		return fmt.Errorf("%s is a JSON %s", wrong.Field, wrong.Value)
	}
	return err
}
