package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Sum is what several entries come to.
type Sum struct {
	Key    string        `json:"key"`
	Count  int           `json:"count"`
	CPU    time.Duration `json:"-"`
	Hours  float64       `json:"cpuHours"`
	Memory float64       `json:"memoryGiBHours"`
	Stood  float64       `json:"environmentHours"`
	// Costs are by currency: amounts in different ones are not added.
	Costs map[string]float64 `json:"costs"`
}

// Ways are the ways in which entries can be put together.
func Ways() []string { return []string{"change", "day", "project", "purpose"} }

// By puts entries together by one of Ways, those with the greatest use of the
// processor first; days are in their order.
func By(way string, entries []Entry) []Sum {
	sums := map[string]*Sum{}
	for _, e := range entries {
		key := map[string]string{
			"project": e.Project, "purpose": e.Purpose, "change": cmp.Or(e.Change, "–"), "day": e.Ended.Local().Format(time.DateOnly),
		}[way]
		s := sums[key]
		if s == nil {
			s = &Sum{Key: key, Costs: map[string]float64{}}
			sums[key] = s
		}
		s.add(e)
	}
	out := []Sum{}
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		out = append(out, *sums[key])
	}
	if way != "day" {
		slices.SortStableFunc(out, func(a, b Sum) int { return cmp.Compare(b.CPU, a.CPU) })
	}
	return out
}

func (s *Sum) add(e Entry) {
	s.Count++
	s.CPU += e.Spent.CPU()
	s.Hours = s.CPU.Hours()
	s.Memory += e.Spent.GiBHours()
	s.Stood += time.Duration(e.Spent.Elapsed).Hours()
	if !e.Prices.IsZero() {
		s.Costs[e.Prices.Currency] += e.Cost()
	}
}

// Amounts are the costs, each in its currency.
func (s Sum) Amounts() string {
	text := ""
	for _, currency := range slices.Sorted(maps.Keys(s.Costs)) {
		if text != "" {
			text += " + "
		}
		text += rehearse.Prices{Currency: currency}.Format(s.Costs[currency])
	}
	return cmp.Or(text, "–")
}
