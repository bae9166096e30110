// Catalogue shows the products of a category, and how many of each there are.
//
//	DATABASE_URL  the PostgreSQL database
//	LISTING       "each" (when unset): the stock of one product after the other;
//	              "joined": the stock of all of them at once
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"

	"example.com/zoo/internal/service"
)

func main() {
	service.Main(func(ctx context.Context) (http.Handler, error) {
		pool, err := service.Pool(ctx)
		if err != nil {
			return nil, err
		}
		c := &catalogue{pool: pool}
		list := c.list
		switch l := os.Getenv("LISTING"); l {
		case "", "each":
		case "joined":
			list = c.listJoined
		default:
			return nil, fmt.Errorf("LISTING is %q; it can be each or joined", l)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /categories/{id}/products", func(w http.ResponseWriter, r *http.Request) {
			id, err := strconv.Atoi(r.PathValue("id"))
			if err != nil {
				service.Refuse(w, http.StatusNotFound, "there is no such category")
				return
			}
			products, err := list(r.Context(), id)
			if err != nil {
				service.Fail(w, r, err)
				return
			}
			service.Answer(w, http.StatusOK, map[string]any{"products": products})
		})
		return mux, nil
	})
}
