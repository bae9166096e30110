// Subscribers lists who gets the newsletter.
//
//	DATABASE_URL  the PostgreSQL database
//	NAMELESS      how to address somebody without a name, as in "Reader"
package main

import (
	"context"
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
		s := &store{pool: pool, nameless: os.Getenv("NAMELESS")}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /subscribers", func(w http.ResponseWriter, r *http.Request) {
			after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64) // without it, from the first on
			page, err := s.page(r.Context(), after)
			if err != nil {
				service.Fail(w, r, err)
				return
			}
			service.Answer(w, http.StatusOK, map[string]any{"subscribers": page})
		})
		return mux, nil
	})
}
