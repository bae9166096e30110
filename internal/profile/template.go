package profile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	texttemplate "text/template"
	"text/template/parse"

	"github.com/rehearse-dev/rehearse"
	"go.yaml.in/yaml/v3"
)

// functions are those that templates may call, with the number of arguments of
// each. Package load gives them their meaning.
var functions = map[string]int{"pick": 1, "int": 2, "uuid": 0, "seq": 0, "captured": 1, "text": 1}

// stubs make the parser of text/template know the functions.
var stubs = func() texttemplate.FuncMap {
	m := texttemplate.FuncMap{}
	for name := range functions {
		m[name] = func(...any) string { return "" }
	}
	return m
}()

// template is one template of the file, and the calls in it.
type template struct {
	node  *yaml.Node
	what  string
	calls []call
}

// call is a call of one of the functions.
type call struct {
	name  string
	args  []parse.Node
	piped bool // one more argument comes from the command to the left
}

func (t template) captured() bool {
	return slices.ContainsFunc(t.calls, func(c call) bool { return c.name == "captured" })
}

// template reads a text that is a template and notes the calls in it.
func (p *parser) template(n *yaml.Node, what string) string {
	text := p.Text(n, what)
	parsed, err := texttemplate.New("t").Funcs(stubs).Parse(text)
	if err != nil {
		_, msg, _ := strings.Cut(strings.TrimPrefix(err.Error(), "template: t:"), ": ")
		p.Complain(n, "The functions are pick, int, uuid, seq, captured and text.", "the template of %s cannot be read: %s", what, msg)
		return text
	}
	t := template{node: n, what: what}
	for _, defined := range parsed.Templates() {
		if defined.Tree != nil {
			walk(defined.Root, func(c call) { t.calls = append(t.calls, c) })
		}
	}
	p.used = append(p.used, t)
	return text
}

// checkUse checks a template's calls against the whole file.
func (p *parser) checkUse(t template) {
	for _, c := range t.calls {
		count := len(c.args)
		if c.piped {
			count++
		}
		if want := functions[c.name]; count != want {
			p.Complain(t.node, "", "the template of %s calls %s, which takes %d arguments, with %d", t.what, c.name, want, count)
			continue
		}
		switch c.name {
		case "pick":
			p.checkName(t, c, "list", slices.Collect(maps.Keys(p.out.own.Lists)), "Add it to lists.")
		case "captured":
			p.checkName(t, c, "captured value", slices.Collect(maps.Keys(p.captures)), "Capture it from the answer of a request.")
		case "int":
			p.checkRange(t, c)
		}
	}
}

// checkName checks that the only argument is one of the known names.
func (p *parser) checkName(t template, c call, what string, known []string, hint string) {
	var name *parse.StringNode
	if len(c.args) == 1 {
		name, _ = c.args[0].(*parse.StringNode)
	}
	switch {
	case name == nil:
		p.Complain(t.node, fmt.Sprintf("Write {{%s \"NAME\"}}.", c.name), "the template of %s calls %s without a name in double quotes", t.what, c.name)
	case !slices.Contains(known, name.Text):
		if near, ok := rehearse.Nearest(name.Text, known); ok {
			hint = fmt.Sprintf("Did you mean %q?", near)
		}
		p.Complain(t.node, hint, "the template of %s uses the %s %q, which does not exist", t.what, what, name.Text)
	}
}

// checkRange checks the two numbers of int, where they are written out.
func (p *parser) checkRange(t template, c call) {
	if c.piped {
		return
	}
	low, ok1 := c.args[0].(*parse.NumberNode)
	high, ok2 := c.args[1].(*parse.NumberNode)
	if ok1 && ok2 && (!low.IsInt || !high.IsInt || low.Int64 > high.Int64) {
		p.Complain(t.node, "", "the template of %s calls int %s %s, which are not two whole numbers in ascending order", t.what, low, high)
	}
}

// walk finds the calls of our functions in a template.
func walk(n parse.Node, found func(call)) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil { // the missing else of an if
			return
		}
		for _, child := range n.Nodes {
			walk(child, found)
		}
	case *parse.ActionNode:
		walk(n.Pipe, found)
	case *parse.IfNode:
		walkBranch(&n.BranchNode, found)
	case *parse.RangeNode:
		walkBranch(&n.BranchNode, found)
	case *parse.WithNode:
		walkBranch(&n.BranchNode, found)
	case *parse.TemplateNode:
		walk(n.Pipe, found)
	case *parse.ChainNode:
		walk(n.Node, found)
	case *parse.PipeNode:
		if n == nil { // {{template "x"}} has none
			return
		}
		for i, command := range n.Cmds {
			if name, ok := command.Args[0].(*parse.IdentifierNode); ok {
				if _, ours := functions[name.Ident]; ours {
					found(call{name.Ident, command.Args[1:], i > 0})
				}
			}
			for i, arg := range command.Args {
				// A function without arguments may itself be an argument.
				if name, ok := arg.(*parse.IdentifierNode); ok && i > 0 {
					if _, ours := functions[name.Ident]; ours {
						found(call{name: name.Ident})
					}
				}
				walk(arg, found)
			}
		}
	}
}

func walkBranch(b *parse.BranchNode, found func(call)) {
	walk(b.Pipe, found)
	walk(b.List, found)
	walk(b.ElseList, found)
}
