package check

import (
	"errors"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// tree is a trace of spans of an SDK and of links, to ask of:
//
//	0 GET /items            ingress:web
//	1   GET /items          web, server
//	2     SELECT items      web:db, 3 rows
//	3     SELECT items      web:db, 5 rows
//	4     cache             web, internal, an error
//	5       GET             web:cache
func tree() *rehearse.Trace {
	rows := func(c call, n int64) call {
		c.attributes = append(c.attributes, attr("db.system.name", "postgresql", "rows", n, "ratio", 0.5, "cached", n > 3)...)
		return c
	}
	server := call{sdk: rehearse.SpanServer, service: "web", name: "GET /items", at: 1, length: 80, attributes: attr("http.route", "/items")}
	t := trace(1, asked(100), server,
		rows(call{link: "web:db", name: "SELECT items", up: 1, at: 10, length: 8}, 3),
		rows(call{link: "web:db", name: "SELECT items", up: 1, at: 20, length: 12}, 5),
		call{sdk: rehearse.SpanInternal, service: "web", name: "cache", up: 1, at: 40, length: 30, status: rehearse.StatusError},
		call{link: "web:cache", name: "GET", up: 4, at: 41, length: 20})
	t.Nodes[1].Resource = attr("service.name", "shop-web", "host", "h1")
	return &t
}

func TestHolds(t *testing.T) {
	tests := []struct {
		text string
		want string // "yes", "no", or "not asked"
	}{
		{`{ }`, "yes"},
		{`{ name = "GET" }`, "yes"},
		{`{ name = "POST" }`, "no"},
		{`{ name != "GET" } | count() = 5`, "yes"},
		{`{ name =~ "GET" } | count() = 1`, "yes"}, // the whole name
		{`{ name =~ "GET.*" } | count() = 3`, "yes"},
		{`{ name !~ "GET.*" } | count() = 3`, "yes"},
		{`{ kind = server } | count() = 1`, "yes"},
		{`{ kind = client } | count() = 4`, "yes"},
		{`{ status = error } | count() = 0`, "no"},
		{`{ status = ok } | count() = 0`, "yes"},
		{`{ status != unset } | count() = 1`, "yes"},
		{`{ duration > 12ms } | count() = 4`, "yes"},
		{`{ duration >= 12ms } | count() = 5`, "yes"},
		{`{ duration < 1.2e1ms }`, "error"},
		{`{ rootName = "GET /items" } | count() = 6`, "yes"},
		{`{ rootServiceName = "web" } | count() = 6`, "yes"}, // not "ingress": who is asked
		{`{ trace:duration = 100ms }`, "yes"},
		{`{ trace:duration > 0.1s }`, "no"},
		{`{ resource.service.name = "shop-web" } | count() = 1`, "yes"}, // what the SDK says
		{`{ resource.service.name = "web" } | count() = 5`, "yes"},      // else whose span it is
		{`{ .service.name = "web" } | count() = 5`, "yes"},
		{`{ .host = "h1" } | count() = 1`, "yes"},
		{`{ span.host = "h1" }`, "no"},
		{`{ resource.rows = 3 }`, "no"},
		{`{ span.rows = 3 } | count() = 1`, "yes"},
		{`{ span.rows != 3 } | count() = 1`, "yes"}, // not of spans that have none
		{`{ span.rows = "3" }`, "no"},
		{`{ span.ratio <= 0.5 } | count() = 2`, "yes"},
		{`{ span.cached = true } | count() = 1`, "yes"},
		{`{ span.cached != true } | count() = 1`, "yes"},
		{`{ span.http.response.status_code = 200 }`, "yes"},
		{`{ name = "GET" || kind = server } | count() = 2`, "yes"},
		{`{ kind = client && duration > 10ms && name = "GET" } | count() = 1`, "yes"},
		{`{ kind = server && (name = "x" || duration > 1ms) } | count() = 1`, "yes"},
		{"{ name = `GET` }", "yes"},
		{`{ name = "G\"T" }`, "no"},

		{`{ kind = server } > { kind = client } | count() = 2`, "yes"},
		{`{ kind = server } >> { kind = client } | count() = 3`, "yes"},
		{`{ kind = server } >> { kind = server } | count() = 0`, "yes"}, // not below itself
		{`{ kind = server } >> { name = "x" }`, "no"},
		{`{ name = "x" } >> { kind = client }`, "not asked"},
		{`{ name = "x" } > { kind = client } | count() = 0`, "not asked"},
		{`{ span.rows = 3 } ~ { } | count() = 2`, "yes"},
		{`{ span.rows = 3 } ~ { span.rows = 3 } | count() = 0`, "yes"}, // not its own sibling
		{`{ name = "GET" } ~ { } | count() = 0`, "yes"},
		{`{ kind = server } && { name = "GET" } | count() = 2`, "yes"},
		{`{ kind = server } && { name = "x" }`, "no"},
		{`{ name = "x" } && { kind = server }`, "not asked"},
		{`{ kind = server } || { name = "x" } | count() = 1`, "yes"},
		{`{ name = "y" } || { name = "x" }`, "no"},
		{`{ kind = server } > { kind = internal } > { kind = client } | count() = 1`, "yes"},
		{`{ kind = server } > ({ kind = internal } > { kind = client }) | count() = 0`, "yes"},
		{`{ name = "GET" } && { kind = server } > { kind = internal } | count() = 2`, "yes"},
		{`({ name = "GET" } && { kind = server }) > { kind = internal } | count() = 1`, "yes"},

		{`{ span.rows > 0 } | avg(span.rows) = 4`, "yes"},
		{`{ } | sum(span.rows) = 8`, "yes"},
		{`{ name = "x" } | sum(span.rows) = 0`, "yes"},
		{`{ } | min(span.rows) = 3 | max(span.rows) = 5`, "yes"},
		{`{ } | min(span.rows) = 3 | max(span.rows) = 6`, "no"},
		{`{ name = "x" } | avg(span.rows) < 4`, "not asked"},
		{`{ kind = client } | avg(duration) = 35ms`, "yes"},
		{`{ } | max(duration) <= 100ms`, "yes"},
		{`{ } | by(name) | count() <= 2`, "yes"},
		{`{ } | by(name) | count() <= 1`, "no"},
		{`{ } | by(span.rows) | count() <= 4`, "yes"}, // those without rows are a group
		{`{ } | by(span.rows) | count() <= 3`, "no"},
		{`{ } | by(name) | by(kind) | count() <= 1`, "no"},
		{`{ name != "SELECT items" } | by(name) | by(kind) | count() <= 1`, "yes"},
		{`{ name = "x" } | by(name) | count() = 0`, "yes"},
		{`{ } | count() > 5 | by(name) | count() < 3`, "yes"},
	}
	for _, tt := range tests {
		e, err := Parse(tt.text)
		if err != nil {
			if tt.want != "error" {
				t.Errorf("%s: %v", tt.text, err)
			}
			continue
		}
		got := "no"
		if holds, asked := e.Holds(tree()); !asked {
			got = "not asked"
		} else if holds {
			got = "yes"
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestString(t *testing.T) {
	tests := map[string]string{
		`{}`:                     `{ }`,
		` {name="a"}|count()>2 `: `{ name = "a" } | count() > 2`,
		"{name=~`a\\d+`}":        `{ name =~ "a\\d+" }`,
		`{name="é\n\"\\"}`:       `{ name = "é\n\"\\" }`,
		`{a}`:                    "",
		`({a.b=1})`:              "",
		`({.b=-1.50})`:           `{ .b = -1.5 }`,
		`{.b=1e3}`:               `{ .b = 1000 }`,
		`{duration>90s}`:         `{ duration > 1m30s }`,
		`{duration>0s}`:          `{ duration > 0s }`,
		`{kind=client&&(status=error||.x=true)&&name!="y"}`: `{ kind = client && (status = error || .x = true) && name != "y" }`,
		`{}>{}>>{}~{}`:                   `{ } > { } >> { } ~ { }`,
		`{}>({}>>{})`:                    `{ } > ({ } >> { })`,
		`({}>{})&&{}`:                    `{ } > { } && { }`,
		`({}&&{})>{}`:                    `({ } && { }) > { }`,
		`({}&&{})||{}`:                   `({ } && { }) || { }`,
		`{}&&{}&&{}`:                     `{ } && { } && { }`,
		`{}&&({}&&{})`:                   `{ } && ({ } && { })`,
		`{}|by(.x)|avg(span.y.z-a/b)<=2`: `{ } | by(.x) | avg(span.y.z-a/b) <= 2`,
		`{}|max(trace:duration)<1h`:      `{ } | max(trace:duration) < 1h0m0s`,
	}
	for text, want := range tests {
		e, err := Parse(text)
		got := ""
		if err == nil {
			got = e.String()
		}
		if got != want {
			t.Errorf("%s: got %s (%v), want %s", text, got, err, want)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	tests := []struct{ text, want, hint string }{
		{``, `column 1: the expression ends where there should be { or (, as in { name = "SELECT items" }`, ""},
		{`name = "x"`, `column 1: "name" stands where there should be { or (, as in { name = "SELECT items" }`, ""},
		{`{ name = "x"`, `column 13: the expression ends where there should be } to close the condition`, ""},
		{`({ }`, `column 5: the expression ends where there should be ) to close the parentheses`, ""},
		{`{ } { }`, `column 5: "{" stands where there should be an operator, | or the end`, ""},
		{`{ naïm = 1 }`, `column 3: there is no field naïm; did you mean name?`, ""},
		{`{ name = "é" & }`, `column 14: "&" is nothing that an expression has`, ""},
		{`{ nam = "x" }`, `column 3: there is no field nam; did you mean name?`, ""},
		{`{ service.name = "x" }`, `column 3: there is no field service.name`, "An attribute is written as span.service.name, resource.service.name or .service.name."},
		{`{ . = "x" }`, `column 3: there is no field .`, "The fields are duration, kind, name, rootName, rootServiceName, status, trace:duration, and attributes as span.NAME, resource.NAME or .NAME."},
		{`{ name "x" }`, `column 8: "\"x\"" stands where there should be a comparison: = != > >= < <= =~ or !~`, ""},
		{`{ name = }`, `column 10: "}" stands where there should be a value, as in "docgen", 3 or 12ms`, ""},
		{`{ name = docgen }`, `column 10: docgen is no value`, `A string stands in double quotes: "docgen".`},
		{`{ name = "docgen }`, `column 10: the string does not end`, `Close it with ".`},
		{`{ duration > 3 }`, `column 14: duration is compared with a duration, not with a number`, "For example: duration > 12ms."},
		{`{ duration > 3x }`, `column 14: 3x is neither a number nor a duration`, "A duration has a unit: ns, us, ms, s, m or h."},
		{`{ duration > 2000h }`, `column 14: 2000h is longer than 1000h0m0s`, ""},
		{`{ .x > 3ms }`, `column 8: an attribute has no unit`, "Write the number that it has, as in .x > 12."},
		{`{ .x = error }`, `column 8: an attribute is not a status`, `A string stands in double quotes: "error".`},
		{`{ status = "error" }`, `column 12: status is compared with a status, not with a string`, "For example: status = error."},
		{`{ kind = ok }`, `column 10: kind is compared with a kind of span, not with a status`, "For example: kind = server."},
		{`{ name > "a" }`, `column 8: a string is compared with = or != only`, ""},
		{`{ .x < true }`, `column 6: true or false is compared with = or != only`, ""},
		{`{ name =~ "(" }`, "column 11: missing closing ): `(`", ""},
		{`{ .x =~ 3 }`, `column 9: =~ takes a regular expression in double quotes`, ""},
		{`{ .x =~ "a" && .y = 1 || .z = 1 }`, `column 23: && and || stand beside each other`, "Say with parentheses which comes first."},
		{`{ } && { } || { }`, `column 12: && and || stand beside each other`, "Say with parentheses which comes first."},
		{`{ } | cuont() > 1`, `column 7: "cuont" stands where there should be one of avg, by, count, max, min, sum`, ""},
		{`{ } | count > 1`, `column 13: ">" stands where there should be ( behind count`, ""},
		{`{ } | count(name) > 1`, `column 13: "name" stands where there should be ) to close count`, ""},
		{`{ } | count() > 1ms`, `column 17: count is compared with a number, not with a duration`, ""},
		{`{ } | avg(duration) > 1`, `column 23: avg is compared with a duration, not with a number`, ""},
		{`{ } | avg(name) > 1`, `column 11: name is not a number`, ""},
		{`{ } | avg(.x) =~ 1`, `column 15: a number has no =~`, ""},
		{`{ } | by(name)`, `column 15: nothing is asked of the groups that by makes`, `Go on with an aggregate, as in "| count() <= 3".`},
		{strings.Repeat("(", 33) + `{ }`, `column 33: parentheses are nested more than 32 deep`, ""},
		{strings.Repeat(" ", 4097), `column 1: the expression is longer than 4096 bytes`, ""},
		{"{ name = \"a\x00\" }", `column 12: the expression is not plain text`, ""},
	}
	for _, tt := range tests {
		_, err := Parse(tt.text)
		var e *SyntaxError
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v, want a syntax error", tt.text, err)
			continue
		}
		if e.Error() != tt.want || e.Hint != tt.hint {
			t.Errorf("%q:\ngot  %v (%s)\nwant %s (%s)", tt.text, e, e.Hint, tt.want, tt.hint)
		}
	}
}

func TestOver(t *testing.T) {
	for s, want := range map[string]float64{"": 100, "all": 100, "any": 0, "p95": 95, "p99.9": 99.9, "p100": 100} {
		if got, ok := Over(s); !ok || got != want {
			t.Errorf("%q: got %v, %v, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"p", "p0", "p101", "95", "pNaN", "p-1", "p9x"} {
		if got, ok := Over(s); ok {
			t.Errorf("%q: got %v, want none", s, got)
		}
	}
}

// Whatever the text: an expression or a column in it, and the canonical form is
// read as the same expression.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{ name =~ "a.*" && (.x = 1 || span.y != true) } >> { kind = server } | by(resource.z) | avg(duration) <= 12.5ms`,
		`({ } && { status = error }) ~ ({ } > { }) | count() = 0`, `{`, "{ name = `a` }", `{ .x = -1e-3 }`, `{ .x = "\n\t\"\\\d" }`, `{ duration > 1h2m3.5s }`, `{.=1}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Column < 1 || syntax.Column > len([]rune(text))+1 || syntax.Msg == "" {
				t.Fatalf("got the error %#v", err)
			}
			return
		}
		canonical := e.String()
		again, err := Parse(canonical)
		if err != nil {
			if len(canonical) > longestExpression {
				return // white space came in
			}
			t.Fatalf("%q is %q: %v", text, canonical, err)
		}
		if got := again.String(); got != canonical {
			t.Fatalf("%q is %q, and that is %q", text, canonical, got)
		}
		h1, a1 := e.Holds(tree())
		h2, a2 := again.Holds(tree())
		if h1 != h2 || a1 != a2 {
			t.Fatalf("%q holds %v %v, and %q %v %v", text, h1, a1, canonical, h2, a2)
		}
	})
}
