// Directory finds customers by their e-mail address, in whatever case they type it.
//
//	DATABASE_URL  the PostgreSQL database
//	LOOKUP        "lower" (when unset): compare addresses in lower case; "key": use
//	              the key that every address has been stored with since 2023
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"example.com/zoo/internal/service"
)

// Customer is what the directory knows of somebody.
type Customer struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
	City  string `json:"city"`
}

func main() {
	service.Main(func(ctx context.Context) (http.Handler, error) {
		pool, err := service.Pool(ctx)
		if err != nil {
			return nil, err
		}
		where := `lower(email) = $1`
		switch l := os.Getenv("LOOKUP"); l {
		case "", "lower":
		case "key":
			where = `email_key = $1`
		default:
			return nil, fmt.Errorf("LOOKUP is %q; it can be lower or key", l)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /customers", func(w http.ResponseWriter, r *http.Request) {
			email := strings.ToLower(strings.TrimSpace(r.URL.Query().Get("email")))
			rows, err := pool.Query(r.Context(), `SELECT id, email, city FROM customers WHERE `+where+` LIMIT 20`, email)
			if err != nil {
				service.Fail(w, r, fmt.Errorf("find customers: %w", err))
				return
			}
			found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Customer])
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				service.Fail(w, r, fmt.Errorf("find customers: %w", err))
				return
			}
			service.Answer(w, http.StatusOK, map[string]any{"customers": found})
		})
		return mux, nil
	})
}
