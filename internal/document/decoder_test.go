package document_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/document"
)

// decoded is what a document of these tests holds.
type decoded struct {
	Name  string
	Count int
	Tags  []string
}

// decode decodes it, and gives what is wrong as lines.
func decode(t *testing.T, text string) (decoded, []string) {
	t.Helper()
	d := document.Decoder{File: "f"}
	var out decoded
	if root := d.Root([]byte(text), "thing"); root != nil {
		d.Fields(root, "a thing", map[string]func(*yaml.Node){
			"name":  func(n *yaml.Node) { out.Name = d.Text(n, "name") },
			"count": func(n *yaml.Node) { out.Count, _ = d.Whole(n, "count") },
			"tags": func(n *yaml.Node) {
				d.Items(n, "tags", func(n *yaml.Node) { out.Tags = append(out.Tags, d.Word(n, "a tag", []string{"red", "green"})) })
			},
		})
	}
	var said []string
	if err := d.Err(); err != nil {
		var problems rehearse.Problems
		if !errors.As(err, &problems) {
			t.Fatalf("got %T", err)
		}
		for _, p := range problems {
			said = append(said, p.Error())
		}
	}
	return out, said
}

func TestDecoder(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       decoded
		said       []string
	}{
		{"sound", "name: 17\ncount: 3\ntags: [red, green]\n", decoded{"17", 3, []string{"red", "green"}}, nil},
		{"aliases", "name: &n red\ntags: [*n]\ncount: 1\n", decoded{"red", 1, []string{"red"}}, nil},
		{"empty", "", decoded{}, []string{"f: the file is empty"}},
		{"no YAML", "name: [\n", decoded{}, []string{"f:1: the file is not YAML: did not find expected node content"}},
		{"two documents", "name: x\n---\nname: y\n", decoded{Name: "x"}, []string{"f:2: a second document in the file"}},
		{"all at once, by line", "tags: [blue, {}]\nnam: x\ncount: 1.5\nname: ~\nname: x\n", decoded{Tags: []string{"", ""}}, []string{
			`f:1: a tag must be red or green, not "blue"`, "f:1: a tag must be text, not a mapping", `f:2: unknown key "nam" in a thing`,
			`f:3: count must be a whole number, not "1.5"`, "f:4: name must be text, not empty", `f:5: the key "name" is given twice`,
		}},
		{"a list", "[a]\n", decoded{}, []string{"f:1: a thing must be a mapping, not a list"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, said := decode(t, c.text)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			slices.Sort(said)
			slices.Sort(c.said)
			if diff := cmp.Diff(c.said, said); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
