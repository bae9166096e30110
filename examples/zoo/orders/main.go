// Orders takes orders and has the bank charge them.
//
//	BANK_URL          the bank's API
//	IDEMPOTENCY_KEYS  "true": the bank is told which charge a call is about
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"

	"example.com/zoo/internal/service"
)

func main() {
	service.Main(func(context.Context) (http.Handler, error) {
		b := newBook(newBank(os.Getenv("BANK_URL"), os.Getenv("IDEMPOTENCY_KEYS") == "true"))
		mux := http.NewServeMux()
		mux.HandleFunc("POST /orders", b.handlePlace)
		mux.HandleFunc("GET /audit", b.handleAudit)
		return mux, nil
	})
}

func (b *book) handlePlace(w http.ResponseWriter, r *http.Request) {
	var o Order
	if !service.Read(w, r, &o) {
		return
	}
	if o.Cents <= 0 {
		service.Refuse(w, http.StatusUnprocessableEntity, "an order costs something")
		return
	}
	if err := b.place(r.Context(), &o); err != nil {
		slog.Warn("an order was not paid", "order", o.ID, "error", err)
		service.Refuse(w, http.StatusBadGateway, "the bank does not answer, please try again")
		return
	}
	service.Answer(w, http.StatusCreated, o)
}

// handleAudit answers whether the bank has charged what customers were told, as
// the accountants ask every night.
func (b *book) handleAudit(w http.ResponseWriter, r *http.Request) {
	wrong, err := b.wrong(r.Context())
	if err != nil {
		service.Fail(w, r, err)
		return
	}
	service.Answer(w, http.StatusOK, map[string]any{"balanced": wrong == 0, "wrong": wrong})
}
