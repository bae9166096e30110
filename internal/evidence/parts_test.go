package evidence

import (
	"reflect"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// TestEveryPartIsKnown has each part of a record be the one that it holds.
func TestEveryPartIsKnown(t *testing.T) {
	of := reflect.TypeFor[rehearse.Record]()
	known := 0
	for i := range of.NumField() {
		if of.Field(i).Type.Kind() != reflect.Pointer {
			continue
		}
		var r rehearse.Record
		reflect.ValueOf(&r).Elem().Field(i).Set(reflect.New(of.Field(i).Type.Elem()))
		if got := parts(r); got != 1 {
			t.Errorf("a record with %s alone holds %d parts", of.Field(i).Name, got)
		}
		known++
	}
	if known == 0 || parts(rehearse.Record{}) != 0 || parts(rehearse.Record{Begin: &rehearse.Begin{}, End: &rehearse.End{}}) != 2 {
		t.Errorf("of %d parts, none and two are not told apart", known)
	}
}
