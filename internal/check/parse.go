package check

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rehearse-dev/rehearse"
)

// What an expression may be at most.
const (
	longestExpression = 4096 // bytes
	deepest           = 32   // parentheses
)

// Parse reads an expression. The error is a [*SyntaxError].
func Parse(text string) (e *Expression, err error) {
	p := &parser{text: text}
	defer func() {
		if p.err != nil {
			e, err = nil, p.err
		}
	}()
	if len(text) > longestExpression {
		p.fail(0, fmt.Sprintf("the expression is longer than %d bytes", longestExpression), "")
		return nil, p.err
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r == utf8.RuneError || r < ' ' && !strings.ContainsRune("\t\r\n", r) }); i >= 0 {
		p.fail(i, "the expression is not plain text", "")
		return nil, p.err
	}
	p.advance()
	e = &Expression{set: p.spanset(0)}
	for p.err == nil && p.take("|") {
		e.stages = append(e.stages, p.stage())
	}
	switch {
	case p.err != nil:
	case p.token.kind != tokenEnd:
		p.unexpected("an operator, | or the end")
	case len(e.stages) > 0 && e.stages[len(e.stages)-1].by:
		p.fail(len(text), "nothing is asked of the groups that by makes", "Go on with an aggregate, as in \"| count() <= 3\".")
	}
	return e, nil
}

// parser reads an expression from left to right. After its first error it reads
// nothing more.
type parser struct {
	text  string
	at    int // of the token after this one
	token token
	err   error
}

func (p *parser) fail(at int, msg, hint string) {
	if p.err == nil {
		p.err = &SyntaxError{Column: utf8.RuneCountInString(p.text[:at]) + 1, Msg: msg, Hint: hint}
	}
}

func (p *parser) unexpected(wanted string) {
	got := "the expression ends"
	if p.token.kind != tokenEnd {
		got = fmt.Sprintf("%q stands", p.token.text)
	}
	p.fail(p.token.at, got+" where there should be "+wanted, "")
}

func (p *parser) advance() {
	if p.err == nil {
		p.token = p.next()
	}
	if p.err != nil {
		p.token = token{at: len(p.text)}
	}
}

// is reports whether the token is a symbol.
func (p *parser) is(symbol string) bool {
	return p.token.kind == tokenSymbol && p.token.text == symbol
}

// take goes on behind a symbol if it is there.
func (p *parser) take(symbol string) bool {
	if !p.is(symbol) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) want(symbol, where string) {
	if !p.take(symbol) {
		p.unexpected(symbol + " " + where)
	}
}

// spanset reads sets that are joined by && or ||.
func (p *parser) spanset(depth int) spanset {
	return p.joined(p.related, depth, func(op string) bool { return op == "&&" || op == "||" })
}

// related reads sets that are joined by what binds closer.
func (p *parser) related(depth int) spanset {
	return p.joined(p.operand, depth, func(op string) bool { return op == ">" || op == ">>" || op == "~" })
}

func (p *parser) joined(operand func(depth int) spanset, depth int, joins func(op string) bool) spanset {
	set := operand(depth)
	first := ""
	for p.token.kind == tokenSymbol && joins(p.token.text) {
		op := p.token
		first = p.unmixed(first, op)
		p.advance()
		left, right := set, operand(depth)
		set = spanset{op: op.text, left: &left, right: &right}
	}
	return set
}

// unmixed refuses && beside ||, of which readers disagree on what binds closer:
// TraceQL says neither.
func (p *parser) unmixed(first string, op token) string {
	if first != "" && first != op.text && binding(first) == loose {
		p.fail(op.at, first+" and "+op.text+" stand beside each other", "Say with parentheses which comes first.")
	}
	return op.text
}

func (p *parser) operand(depth int) spanset {
	switch {
	case p.is("("):
		if !p.deeper(&depth) {
			return spanset{}
		}
		set := p.spanset(depth)
		p.want(")", "to close the parentheses")
		return set
	case p.take("{"):
		if p.take("}") {
			return spanset{}
		}
		c := p.condition(depth)
		p.want("}", "to close the condition")
		return spanset{filter: c}
	}
	p.unexpected(`{ or (, as in { name = "SELECT items" }`)
	return spanset{}
}

// deeper goes on behind an opening parenthesis.
func (p *parser) deeper(depth *int) bool {
	*depth++
	if *depth > deepest {
		p.fail(p.token.at, fmt.Sprintf("parentheses are nested more than %d deep", deepest), "")
		return false
	}
	p.advance()
	return p.err == nil
}

func (p *parser) condition(depth int) *condition {
	c := p.term(depth)
	first := ""
	for p.is("&&") || p.is("||") {
		op := p.token
		if first == "" {
			c = &condition{op: op.text, terms: []*condition{c}}
		}
		first = p.unmixed(first, op)
		p.advance()
		c.terms = append(c.terms, p.term(depth))
	}
	return c
}

func (p *parser) term(depth int) *condition {
	if p.is("(") {
		if !p.deeper(&depth) {
			return &condition{}
		}
		c := p.condition(depth)
		p.want(")", "to close the parentheses")
		return c
	}
	c := &condition{field: p.field()}
	op := p.token
	c.comparison = p.comparison()
	value := p.token
	c.literal = p.literal()
	if p.err == nil {
		p.fits(c, op, value)
	}
	return c
}

// field reads an intrinsic or an attribute.
func (p *parser) field() field {
	t := p.token
	if t.kind != tokenWord {
		p.unexpected("a field, as in name, duration or span.http.route")
		return field{}
	}
	p.advance()
	if _, ok := intrinsics[t.text]; ok {
		return field{intrinsic: t.text}
	}
	scope, attribute, dotted := strings.Cut(t.text, ".")
	if dotted && attribute != "" && (scope == "" || scope == "span" || scope == "resource") {
		return field{scope: scope, attribute: attribute}
	}
	msg, hint := "there is no field "+t.text, "The fields are "+strings.Join(slices.Sorted(maps.Keys(intrinsics)), ", ")+", and attributes as span.NAME, resource.NAME or .NAME."
	switch near, ok := rehearse.Nearest(t.text, slices.Collect(maps.Keys(intrinsics))); {
	case ok && !dotted:
		msg, hint = msg+"; did you mean "+near+"?", ""
	case dotted && attribute != "":
		hint = "An attribute is written as span." + t.text + ", resource." + t.text + " or ." + t.text + "."
	}
	p.fail(t.at, msg, hint)
	return field{}
}

func (p *parser) comparison() string {
	for _, op := range [...]string{"=", "!=", ">", ">=", "<", "<=", "=~", "!~"} {
		if p.take(op) {
			return op
		}
	}
	p.unexpected("a comparison: = != > >= < <= =~ or !~")
	return ""
}

// literal reads a value.
func (p *parser) literal() literal {
	t := p.token
	var l literal
	switch t.kind {
	case tokenString:
		l = literal{kind: literalString, text: t.value}
	case tokenNumber:
		l = p.number(t)
	case tokenWord:
		var known bool
		if l, known = words[t.text]; !known {
			p.fail(t.at, t.text+" is no value", "A string stands in double quotes: "+quote(t.text)+".")
			return l
		}
	default:
		p.unexpected(`a value, as in "docgen", 3 or 12ms`)
		return l
	}
	p.advance()
	return l
}

func (p *parser) number(t token) literal {
	const longest = 1000 * time.Hour
	if v, err := strconv.ParseFloat(t.text, 64); err == nil && !math.IsInf(v, 0) && !math.IsNaN(v) {
		return literal{kind: literalNumber, number: v}
	}
	d, err := time.ParseDuration(t.text)
	switch {
	case err != nil:
		p.fail(t.at, t.text+" is neither a number nor a duration", "A duration has a unit: ns, us, ms, s, m or h.")
	case d > longest || d < -longest:
		p.fail(t.at, fmt.Sprintf("%s is longer than %v", t.text, longest), "")
	}
	return literal{kind: literalDuration, number: float64(d)}
}

// fits looks whether the field, the comparison and the value go together. A
// comparison that could never hold is a mistake.
func (p *parser) fits(c *condition, op, value token) {
	wanted, intrinsic := intrinsics[c.field.intrinsic]
	got := c.literal.kind
	switch {
	case intrinsic && got != wanted:
		p.fail(value.at, fmt.Sprintf("%s is compared with %s, not with %s", c.field, literalKinds[wanted].name, literalKinds[got].name),
			"For example: "+c.field.String()+" "+c.comparison+" "+strings.Split(literalKinds[wanted].example, ",")[0]+".")
	case !intrinsic && (got == literalStatus || got == literalSpanKind):
		p.fail(value.at, fmt.Sprintf("an attribute is not %s", literalKinds[got].name), "A string stands in double quotes: "+quote(value.text)+".")
	case !intrinsic && got == literalDuration:
		p.fail(value.at, "an attribute has no unit", "Write the number that it has, as in "+c.field.String()+" > 12.")
	case strings.HasSuffix(c.comparison, "~"):
		if got != literalString {
			p.fail(value.at, c.comparison+" takes a regular expression in double quotes", "")
			return
		}
		if _, err := regexp.Compile(c.literal.text); err != nil { // by itself, so that the message shows it by itself
			p.fail(value.at, strings.TrimPrefix(err.Error(), "error parsing regexp: "), "")
			return
		}
		pattern, err := regexp.Compile("^(?s:" + c.literal.text + ")$")
		if err != nil {
			p.fail(value.at, "the regular expression is too large", "")
			return
		}
		c.pattern = pattern
	case c.comparison != "=" && c.comparison != "!=" && got != literalNumber && got != literalDuration:
		p.fail(op.at, fmt.Sprintf("%s is compared with = or != only", literalKinds[got].name), "")
	}
}

// stage reads what follows a |.
func (p *parser) stage() stage {
	t := p.token
	s := stage{aggregate: t.text}
	aggregates := []string{"avg", "by", "count", "max", "min", "sum"}
	if t.kind != tokenWord || !slices.Contains(aggregates, t.text) {
		p.unexpected("one of " + strings.Join(aggregates, ", "))
		return s
	}
	p.advance()
	p.want("(", "behind "+t.text)
	at := p.token
	if t.text != "count" {
		s.field = p.field()
	}
	p.want(")", "to close "+t.text)
	if t.text == "by" {
		s.by, s.aggregate = true, ""
		return s
	}
	wanted := literalNumber
	if s.field.intrinsic != "" {
		if wanted = intrinsics[s.field.intrinsic]; wanted != literalDuration {
			p.fail(at.at, fmt.Sprintf("%s is not a number", s.field), "")
		}
	}
	op := p.token
	s.comparison = p.comparison()
	value := p.token
	s.literal = p.literal()
	switch {
	case p.err != nil:
	case strings.HasSuffix(s.comparison, "~"):
		p.fail(op.at, "a number has no "+s.comparison, "")
	case s.literal.kind != wanted:
		p.fail(value.at, fmt.Sprintf("%s is compared with %s, not with %s", t.text, literalKinds[wanted].name, literalKinds[s.literal.kind].name), "")
	}
	return s
}
