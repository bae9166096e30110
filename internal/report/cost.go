package report

import (
	"github.com/rehearse-dev/rehearse"
)

// Cost says what a run took of its host, and what that costs where the project says
// what things cost; empty where the evidence does not say.
func Cost(r rehearse.Report) string {
	spent, prices, ok := r.Spent()
	if !ok {
		return ""
	}
	if prices.IsZero() {
		return plain(spent.String())
	}
	return plain(prices.Format(prices.Cost(spent)) + " (" + spent.String() + ")")
}

// jsonSpent is what a leg took, with what it costs.
type jsonSpent struct {
	rehearse.Spent
	Prices rehearse.Prices `json:"prices,omitzero"`
	Cost   float64         `json:"cost"`
}

func newJSONSpent(l leg) *jsonSpent {
	if l.spent == nil {
		return nil
	}
	return &jsonSpent{Spent: *l.spent, Prices: l.plan.Prices, Cost: l.plan.Prices.Cost(*l.spent)}
}
