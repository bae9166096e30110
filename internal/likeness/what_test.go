package likeness_test

import (
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/likeness"
)

// A report may be made of two databases of which either is production's: a value
// of a few rows is never named.
func TestRareValuesHaveNoName(t *testing.T) {
	rare := shop().set("orders", "status", func(i int, was string) string {
		if i < 5 {
			return "kanari"
		}
		return was
	})
	for name, r := range map[string]*likeness.Report{
		"of the original":       compare(t, rare, shop(), likeness.Options{}),
		"of the other database": compare(t, shop(), rare, likeness.Options{}),
	} {
		for _, p := range r.Properties {
			for _, i := range p.Items {
				if strings.Contains(i.What, "kanari") {
					t.Errorf("%s: %s: %s", name, i.Place(), i.What)
				}
			}
		}
		if i := item(t, r, likeness.ColumnShapes, "orders.status"); i.What == "" {
			t.Errorf("%s: nothing is said of %+v", name, i)
		}
	}
}
