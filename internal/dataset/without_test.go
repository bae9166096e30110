package dataset_test

import (
	"slices"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/dataset"
)

// customers is the data profile of the case study.
const customers = "../../examples/docgen/profiles/customers.data.yaml"

// What a profile has can be left out, one by one, and is gone then and nothing else.
func TestAspects(t *testing.T) {
	d := rehearse.DataSpec{Profile: customers, Scale: 1, Seed: 1}
	has := dataset.Aspects(d)
	want := []rehearse.Aspect{"rows", "volume", "encoding", "spaces", "lengths", "writes"}
	if !slices.Equal(has, want) {
		t.Fatalf("it has %v, want %v", has, want)
	}
	without := func(a ...rehearse.Aspect) *dataset.Files {
		f, err := dataset.Read(dataset.Spec{Profile: customers, Scale: 1, Without: a})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := without("volume"); f.Spec.Scale != 0.2 {
		t.Errorf("5000 rows without their volume are scaled by %v", f.Spec.Scale)
	}
	names := func(f *dataset.Files) []string {
		table, ok := f.Profile.Table("customers")
		if !ok {
			t.Fatal("the profile has no customers")
		}
		c, _ := table.Column("name")
		var out []string
		for _, a := range c.Artifacts {
			out = append(out, a.Name)
		}
		for _, s := range c.Text.Scripts {
			out = append(out, s.Name)
		}
		return out
	}
	if got, want := names(without("encoding")), []string{"trailing_space", "double_space", "Latin"}; !slices.Equal(got, want) {
		t.Errorf("names without encoding have %v, want %v", got, want)
	}
	if got := names(without("spaces")); slices.Contains(got, "trailing_space") || !slices.Contains(got, "Han") || !slices.Contains(got, "mojibake") {
		t.Errorf("names without spaces have %v", got)
	}
	a, err := dataset.Key(dataset.Spec{Profile: customers})
	if err != nil {
		t.Fatal(err)
	}
	b, err := dataset.Key(dataset.Spec{Profile: customers, Without: []rehearse.Aspect{"nulls"}})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(a, b) {
		t.Error("rows without NULLs are taken for those with")
	}
}
