package lint_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/rehearse-dev/rehearse"
)

// source is one Go file of this module.
type source struct {
	file    string // as seen from the root of the repository
	pkg     string // its directory, "." for the root package
	test    bool
	parsed  *ast.File
	fset    *token.FileSet
	imports map[string]string // path → the name it goes by in this file
}

// ours is the path of an import below the module, "." for the root package.
func ours(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// sources parses every Go file of this module. Modules below it, as an example's
// program is, keep their own house.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, file := range files(t) {
		if path.Ext(file) != ".go" || inOtherModule(t, file) {
			continue
		}
		s := source{
			file: file, pkg: path.Dir(file), test: strings.HasSuffix(file, "_test.go"),
			fset: token.NewFileSet(), imports: map[string]string{},
		}
		var err error
		s.parsed, err = parser.ParseFile(s.fset, filepath.Join(root, file), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, i := range s.parsed.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			s.imports[imported] = path.Base(imported)
			if i.Name != nil {
				s.imports[imported] = i.Name.Name
			}
		}
		all = append(all, s)
	}
	return all
}

// at is where something stands, for a message.
func (s source) at(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return s.file + ":" + strconv.Itoa(p.Line)
}

// uses reports each use of an exported name of a package, such as "os.Exit",
// whatever name the package goes by in the file.
func (s source) uses(report func(at, name string)) {
	paths := map[string]string{}
	for imported, name := range s.imports {
		paths[name] = imported
	}
	ast.Inspect(s.parsed, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && paths[x.Name] != "" {
				report(s.at(n), paths[x.Name]+"."+sel.Sel.Name)
			}
		}
		return true
	})
}

func inOtherModule(t *testing.T, file string) bool {
	t.Helper()
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			return true
		}
	}
	return false
}

// files lists every file that belongs to the repository, without what the
// .gitignore files name. These rules suffice for the patterns that they hold:
// a name, with or without a slash at its end.
func files(t *testing.T) []string {
	t.Helper()
	var all []string
	var walk func(dir string, ignored []string)
	walk = func(dir string, ignored []string) {
		own, err := os.ReadFile(filepath.Join(root, dir, ".gitignore"))
		if err == nil {
			ignored = slices.Clone(ignored)
			for _, pattern := range strings.Fields(string(own)) {
				ignored = append(ignored, strings.Trim(pattern, "/"))
			}
		}
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			switch {
			case e.Name() == ".git", slices.ContainsFunc(ignored, func(pattern string) bool {
				match, err := path.Match(pattern, e.Name())
				return match || err != nil || pattern == "*"
			}):
			case e.IsDir():
				walk(name, ignored)
			case e.Type()&fs.ModeType == 0:
				all = append(all, name)
			}
		}
	}
	walk(".", nil)
	return all
}

// text is a file's content, and false for one that no person reads.
func text(t *testing.T, file string) ([]byte, bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return data, !bytes.Contains(data[:min(len(data), 8<<10)], []byte{0})
}
