// Points keeps the members' bonus points: every movement, and each balance.
//
//	DATABASE_URL  the PostgreSQL database
//	BALANCES      "computed" (when unset): the new balance is computed here;
//	              "added": the database adds
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"example.com/zoo/internal/service"
)

func main() {
	service.Main(func(ctx context.Context) (http.Handler, error) {
		pool, err := service.Pool(ctx)
		if err != nil {
			return nil, err
		}
		a := &accounts{pool: pool, move: computed}
		switch b := os.Getenv("BALANCES"); b {
		case "", "computed":
		case "added":
			a.move = added
		default:
			return nil, fmt.Errorf("BALANCES is %q; it can be computed or added", b)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("POST /movements", a.handleMove)
		mux.HandleFunc("GET /audit", a.handleAudit)
		return mux, nil
	})
}

func (a *accounts) handleMove(w http.ResponseWriter, r *http.Request) {
	var m Movement
	if !service.Read(w, r, &m) {
		return
	}
	switch err := a.post(r.Context(), &m); {
	case errors.Is(err, errNoMember):
		service.Refuse(w, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		service.Fail(w, r, err)
	default:
		service.Answer(w, http.StatusCreated, m)
	}
}

// handleAudit answers whether the balances are the sums of the movements, as the
// accountants ask every night.
func (a *accounts) handleAudit(w http.ResponseWriter, r *http.Request) {
	wrong, err := a.wrong(r.Context())
	if err != nil {
		service.Fail(w, r, err)
		return
	}
	service.Answer(w, http.StatusOK, map[string]any{"balanced": wrong == 0, "wrong": wrong})
}
