package config

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
)

// Reference is the format's reference in Markdown: a section per mapping. The
// example comes first.
func Reference(example string) []byte {
	var b bytes.Buffer
	b.WriteString(`<!-- Generated from internal/config/keys.go by "go test ./internal/config -run TestDocs -update". -->
# rehearse.yaml

This file says what the Compose file cannot: where services run in production,
how far apart they are, what their databases hold, what traffic comes, and what
to rehearse. It stands beside the Compose file. Every key is optional unless it
is marked, and a missing or empty file is fine.

The file is strict: a key that is not listed here is an error, and the message
names the nearest one that is. Relative paths start in the project directory.
Keys that start with ` + "`x-`" + ` are left alone at the top level, as a place for
YAML anchors. Durations are written with a unit (` + "`84ms`, `20s`, `2m`" + `), rates as
tc writes them (` + "`512Kbit`, `100Mbit`, `1Gbit`" + `).

Editors complete and check it with the JSON Schema beside this page, when the
file's first line is

` + "```yaml\n# yaml-language-server: $schema=PATH/TO/docs/rehearse.schema.json\n```" + `

## Every key at once

` + "```yaml\n" + strings.TrimRight(example, "\n") + "\n```\n")
	section(&b, "The top level", "", format)
	return b.Bytes()
}

func section(b *bytes.Buffer, title, path string, k kind) {
	fmt.Fprintf(b, "\n## %s\n\n| key | type | default | meaning |\n|---|---|---|---|\n", title)
	for _, known := range k.keys {
		standard := cmp.Or(known.standard, "–")
		if known.required {
			standard = "**required**"
		}
		doc := known.doc
		if known.example != "" {
			doc += " For example `" + known.example + "`."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", known.name, cell(known.kind.describe()), cell(standard), cell(doc))
	}
	for _, known := range k.keys {
		sub, subPath := known.kind, join(path, known.name)
		if sub.or != nil {
			sub = *sub.or
		}
		if sub.elem != nil {
			if sub.entry != "" {
				subPath += "." + "NAME"
			} else {
				subPath += "[]"
			}
			sub = *sub.elem
			if sub.or != nil {
				sub = *sub.or
			}
		}
		if sub.keys != nil {
			section(b, "`"+subPath+"`", subPath, sub)
		}
	}
}

func (k kind) describe() string {
	if k.or != nil {
		return k.name + " or " + k.or.name
	}
	return k.name
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
