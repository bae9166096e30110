// Seats sells seats for events, with the sales tax of the buyer's country.
//
//	DATABASE_URL  the PostgreSQL database
//	TAX_URL       the tax service
//	TAX_FIRST     "true": ask for the tax before the sale begins
package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"example.com/zoo/internal/service"
)

// budget is how long a sale may take before the buyer is asked to try again.
const budget = 1500 * time.Millisecond

func main() {
	service.Main(func(ctx context.Context) (http.Handler, error) {
		pool, err := service.Pool(ctx)
		if err != nil {
			return nil, err
		}
		b := &boxOffice{pool: pool, tax: newTax(os.Getenv("TAX_URL")), taxFirst: os.Getenv("TAX_FIRST") == "true"}
		mux := http.NewServeMux()
		mux.HandleFunc("POST /reservations", b.handleReserve)
		mux.HandleFunc("GET /events/{id}", b.handleEvent)
		return mux, nil
	})
}

func (b *boxOffice) handleReserve(w http.ResponseWriter, r *http.Request) {
	var in Reservation
	if !service.Read(w, r, &in) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), budget)
	defer cancel()
	switch err := b.reserve(ctx, &in); {
	case errors.Is(err, errNoEvent):
		service.Refuse(w, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		service.Fail(w, r, err)
	default:
		service.Answer(w, http.StatusCreated, in)
	}
}

func (b *boxOffice) handleEvent(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		service.Refuse(w, http.StatusNotFound, "there is no such event")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), budget)
	defer cancel()
	switch e, err := b.event(ctx, id); {
	case errors.Is(err, errNoEvent):
		service.Refuse(w, http.StatusNotFound, err.Error())
	case err != nil:
		service.Fail(w, r, err)
	default:
		service.Answer(w, http.StatusOK, e)
	}
}
