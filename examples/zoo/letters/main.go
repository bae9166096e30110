// Letters is the archive of what customers have written, and answers with it as
// UTF-8 whatever it was written in.
//
//	DATABASE_URL     the PostgreSQL database
//	UNKNOWN_CHARSET  what to do with a letter in a character set that is not known:
//	                 "refuse" it (when unset) or "replace" what cannot be read
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5"

	"example.com/zoo/internal/service"
)

// Letter is a letter as readers see it.
type Letter struct {
	ID     int64  `json:"id"`
	Sender string `json:"sender"`
	Body   string `json:"body"`
}

func main() {
	service.Main(func(ctx context.Context) (http.Handler, error) {
		pool, err := service.Pool(ctx)
		if err != nil {
			return nil, err
		}
		var unknown func(charset string, b []byte) (string, error)
		switch u := os.Getenv("UNKNOWN_CHARSET"); u {
		case "", "refuse":
			unknown = refuse
		case "replace":
			unknown = replace
		default:
			return nil, fmt.Errorf("UNKNOWN_CHARSET is %q; it can be refuse or replace", u)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /letters/{id}", func(w http.ResponseWriter, r *http.Request) {
			id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64) // there is no letter 0
			l := Letter{ID: id}
			var charset string
			var body []byte
			err := pool.QueryRow(r.Context(), `SELECT sender, charset, body FROM letters WHERE id = $1`, id).Scan(&l.Sender, &charset, &body)
			if errors.Is(err, pgx.ErrNoRows) {
				service.Refuse(w, http.StatusNotFound, "there is no such letter")
				return
			}
			if err == nil {
				l.Body, err = decode(charset, body, unknown)
			}
			if err != nil {
				service.Fail(w, r, fmt.Errorf("read letter %d: %w", id, err))
				return
			}
			service.Answer(w, http.StatusOK, l)
		})
		return mux, nil
	})
}
