// Sessions remembers who is signed in, in Redis.
//
//	REDIS_ADDRESS  where Redis is
//	REDIAL         "true": a connection that has failed is replaced
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"example.com/zoo/internal/service"
)

// poolSize is how many connections there are.
const poolSize = 6

func main() {
	service.Main(func(ctx context.Context) (http.Handler, error) {
		pool, err := openPool(ctx, os.Getenv("REDIS_ADDRESS"), poolSize)
		if err != nil {
			return nil, err
		}
		pool.redial = os.Getenv("REDIAL") == "true"
		mux := http.NewServeMux()
		mux.HandleFunc("PUT /sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
			var in struct{ User string }
			if !service.Read(w, r, &in) {
				return
			}
			if _, err := pool.do(r.Context(), "SET", "session:"+r.PathValue("id"), in.User, "EX", "3600"); err != nil {
				service.Fail(w, r, fmt.Errorf("remember the session: %w", err))
				return
			}
			service.Answer(w, http.StatusOK, map[string]string{"user": in.User})
		})
		mux.HandleFunc("GET /sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
			user, err := pool.do(r.Context(), "GET", "session:"+r.PathValue("id"))
			if err != nil {
				service.Fail(w, r, fmt.Errorf("recall the session: %w", err))
				return
			}
			// Nobody, when the session is over.
			service.Answer(w, http.StatusOK, map[string]string{"user": user})
		})
		return mux, nil
	})
}
