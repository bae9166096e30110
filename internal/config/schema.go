package config

import (
	"bytes"
	"encoding/json"
	"maps"
)

// Schema is the JSON Schema (draft 2020-12) of the format, for editors.
func Schema() []byte {
	root := format.jsonSchema()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "rehearse.yaml"
	root["description"] = "What a dress rehearsal knows beyond the Compose file."
	root["patternProperties"] = map[string]any{"^x-": map[string]any{}}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic("config: internal error: " + err.Error())
	}
	return b.Bytes()
}

// jsonSchema is the schema of one value. encoding/json sorts the keys, so that
// the file does not change from run to run.
func (k kind) jsonSchema() map[string]any {
	if k.or != nil {
		scalar := k
		scalar.or = nil
		return map[string]any{"oneOf": []any{scalar.jsonSchema(), k.or.jsonSchema()}}
	}
	switch {
	case k.scalar():
		s := map[string]any{"type": "string"}
		if k.name == "text" {
			// A number or a boolean is as good as a text, as in "region: 1".
			s["type"] = []string{"string", "number", "boolean"}
		}
		maps.Copy(s, k.schema)
		return s
	case k.keys != nil:
		properties := map[string]any{}
		var required []string
		for _, known := range k.keys {
			s := known.kind.jsonSchema()
			s["description"] = known.describe()
			properties[known.name] = s
			if known.required {
				required = append(required, known.name)
			}
		}
		s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
		if required != nil {
			s["required"] = required
		}
		return s
	case k.entry != "":
		return map[string]any{"type": "object", "additionalProperties": k.elem.jsonSchema()}
	}
	s := map[string]any{"type": "array", "items": k.elem.jsonSchema()}
	if k.check != nil {
		s["minItems"] = 1
	}
	return s
}

// describe is what an editor shows for a key.
func (k key) describe() string {
	text := k.doc
	if k.standard != "" {
		text += " Default: " + k.standard + "."
	}
	if k.example != "" {
		text += " Example: " + k.example
	}
	return text
}
