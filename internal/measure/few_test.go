package measure

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChildBuckets(t *testing.T) {
	for _, test := range []struct {
		name   string
		counts map[int64]int64
		want   []childBucket
	}{
		{"one with many children", map[int64]int64{0: 50, 2: 30, 4711: 1}, []childBucket{{0, 0, 50, 0}, {2, 2, 30, 60}, {4000, 4999, 1, 4499.5}}},
		{"a few with a dozen", map[int64]int64{10: 50, 12: 2}, []childBucket{{10, 10, 50, 500}, {11, 19, 2, 30}}},
		{"enough of them", map[int64]int64{0: 50, 4711: 20}, []childBucket{{0, 0, 50, 0}, {4711, 4711, 20, 94220}}},
		{"enough together", map[int64]int64{100: 3, 110: 3, 120: 3}, []childBucket{{100, 120, 9, 990}}},
	} {
		c := childCounter{counts: test.counts}
		var got []childBucket
		for _, b := range c.buckets(20) {
			got = append(got, *b)
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(childBucket{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// Where quantiles lie close together, as those of little more than twice k rows
// do, none of them is the value of a row.
func TestQuantilesOfFewRows(t *testing.T) {
	for _, n := range []int{40, 45, 59} {
		var values []float64
		for i := range n {
			values = append(values, 50_000+1234.56*float64(i))
		}
		for _, q := range quantiles(slices.Clone(values), numberQuantiles, 20, false) {
			if slices.Contains(values, q) {
				t.Errorf("%d rows: the quantile %v is a row's own value", n, q)
			}
		}
	}
}

// A few numbers of a private column, or below a private key, are not told at all.
func TestFewPrivateNumbers(t *testing.T) {
	m := newMemory(table("t", "id int", "salary int", "size int", "doc json"))
	for i := range 12 {
		m.insert("t", strconv.Itoa(i), strconv.Itoa(40_000+1000*i), strconv.Itoa(i), `{"health":{"weight":`+strconv.Itoa(60+i)+`},"size":3}`)
	}
	got := mustProfile(t, m.analyze(), Options{K: 10}).Tables[0]
	for name, want := range map[string]int{"salary": 0, "size": 3} {
		if n := columnOf(t, &got, name).Numbers; n == nil || len(n.Quantiles) != want {
			t.Errorf("%s: got %+v, want %d quantiles", name, n, want)
		}
	}
	for _, key := range columnOf(t, &got, "doc").JSON.Keys {
		if key.Name == "health" {
			if n := key.Value.Keys[0].Value.Numbers; n == nil || len(n.Quantiles) != 0 {
				t.Errorf("health.weight: got %+v, want no quantiles", n)
			}
			return
		}
	}
	t.Error("health is no key of the documents")
}
