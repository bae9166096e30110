package measure

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// publicValues are values of a column that the schema itself names, so that
// listing them tells nothing that the schema does not: those of booleans, labels
// of enums, the default, and members of a CHECK … IN (…).
func publicValues(t *schema.Table, c *schema.Column) map[string]bool {
	out := map[string]bool{}
	switch c.Type.Kind {
	case schema.Bool:
		for _, v := range []string{"t", "f", "true", "false", "0", "1"} {
			out[v] = true
		}
	case schema.Enum:
		for _, l := range c.Type.Labels {
			out[l] = true
		}
	}
	if v, ok := literal(c.Default); ok {
		out[v] = true
	}
	for _, check := range c.Type.Checks {
		members(out, check.Expr, "VALUE")
	}
	for _, check := range t.Checks {
		members(out, check.Expr, c.Name)
	}
	return out
}

var (
	quotedLiteral = regexp.MustCompile(`'((?:[^']|'')*)'`)
	wholeLiteral  = regexp.MustCompile(`^\(?'((?:[^']|'')*)'\)?(::[\w ."\[\]()]+)?$`)
	bareLiteral   = regexp.MustCompile(`^\(?(-?\d+(\.\d+)?|true|false)\)?(::[\w ]+)?$`)
	bareNumber    = regexp.MustCompile(`-?\d+(\.\d+)?`)
)

// literal is the value of a default that is one.
func literal(expr string) (string, bool) {
	expr = strings.TrimSpace(expr)
	if m := wholeLiteral.FindStringSubmatch(expr); m != nil {
		return strings.ReplaceAll(m[1], "''", "'"), true
	}
	if m := bareLiteral.FindStringSubmatch(expr); m != nil {
		switch m[1] {
		case "true":
			return "t", true
		case "false":
			return "f", true
		}
		return m[1], true
	}
	return "", false
}

// members adds the members of column IN (…) and column = ANY (…).
func members(out map[string]bool, expr, column string) {
	list := regexp.MustCompile("(?i)(?:^|[^\\w\"`])[\"`]?" + regexp.QuoteMeta(column) +
		"[\"`]?\\)*(?:::[\\w ]+)?\\)* *(?:= *ANY *\\(+ *(?:ARRAY\\[([^\\]]*)\\]|'\\{([^}]*)\\}')|in *\\(([^)]*)\\))")
	for _, m := range list.FindAllStringSubmatch(expr, -1) {
		if m[2] != "" {
			for _, v := range strings.Split(m[2], ",") {
				out[strings.Trim(v, `"`)] = true
			}
			continue
		}
		body := m[1] + m[3]
		if literals := quotedLiteral.FindAllStringSubmatch(body, -1); literals != nil {
			for _, l := range literals {
				out[strings.ReplaceAll(l[1], "''", "'")] = true
			}
			continue
		}
		for _, n := range bareNumber.FindAllString(body, -1) {
			out[n] = true
		}
	}
}

// isReference reports whether a column is part of one of the references.
func isReference(references []schema.ForeignKey, column string) bool {
	return slices.ContainsFunc(references, func(fk schema.ForeignKey) bool { return slices.Contains(fk.Columns, column) })
}
