// Parcels takes parcels in and gets a label for each from the carrier.
//
//	CARRIER_URL  the carrier's API
//	RETRIES      "layered" (when unset): where a label is missing, everybody tries
//	             again; "budgeted": once, after a pause, and only while most calls
//	             succeed
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"example.com/zoo/internal/service"
)

func main() {
	service.Main(func(context.Context) (http.Handler, error) {
		c := newCarrier(os.Getenv("CARRIER_URL"))
		d := &desk{label: c.labelStubbornly}
		switch retries := os.Getenv("RETRIES"); retries {
		case "", "layered":
			d.attempts = 3
		case "budgeted":
			d.label, d.attempts = newBudget(c.label).label, 1
		default:
			return nil, fmt.Errorf("RETRIES is %q; it can be layered or budgeted", retries)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("POST /parcels", d.handle)
		return mux, nil
	})
}

func (d *desk) handle(w http.ResponseWriter, r *http.Request) {
	var p Parcel
	if !service.Read(w, r, &p) {
		return
	}
	if strings.TrimSpace(p.City) == "" || p.Grams <= 0 {
		service.Refuse(w, http.StatusUnprocessableEntity, "a parcel has a city and a weight")
		return
	}
	if err := d.take(r.Context(), &p); err != nil {
		w.Header().Set("Retry-After", "5")
		service.Refuse(w, http.StatusServiceUnavailable, "the carrier gives no labels, please try again later")
		return
	}
	service.Answer(w, http.StatusCreated, p)
}
