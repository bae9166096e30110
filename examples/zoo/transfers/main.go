// Transfers moves money between a company's accounts.
//
//	DATABASE_URL  the PostgreSQL database
//	LOCKS         "as-told" (when unset): first the account that pays, then the one
//	              that gets; "ordered": in the order of their numbers
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
		b := &books{pool: pool}
		switch l := os.Getenv("LOCKS"); l {
		case "", "as-told":
		case "ordered":
			b.ordered = true
		default:
			return nil, fmt.Errorf("LOCKS is %q; it can be as-told or ordered", l)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("POST /transfers", func(w http.ResponseWriter, r *http.Request) {
			var t Transfer
			if !service.Read(w, r, &t) {
				return
			}
			if t.From == t.To || t.Cents <= 0 {
				service.Refuse(w, http.StatusUnprocessableEntity, "a transfer is of some money, between two accounts")
				return
			}
			switch err := b.transfer(r.Context(), &t); {
			case errors.Is(err, errNoAccount):
				service.Refuse(w, http.StatusUnprocessableEntity, err.Error())
			case err != nil:
				service.Fail(w, r, err)
			default:
				service.Answer(w, http.StatusCreated, t)
			}
		})
		return mux, nil
	})
}
