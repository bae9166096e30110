// Frontpage is the shop's first page: the offers of the day, and beside them what
// the reader may like. Without an opinion on that, the page comes without.
//
//	RECOMMENDATIONS_URL      who has opinions
//	RECOMMENDATIONS_TIMEOUT  how long to wait for one, as in "300ms"
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"example.com/zoo/internal/service"
)

var offers = []string{"kettle", "lamp", "stool"}

// Page is what the reader sees.
type Page struct {
	Offers []string `json:"offers"`
	ForYou []string `json:"forYou,omitempty"`
}

func main() {
	service.Main(func(context.Context) (http.Handler, error) {
		var timeout time.Duration
		if s := os.Getenv("RECOMMENDATIONS_TIMEOUT"); s != "" {
			var err error
			if timeout, err = time.ParseDuration(s); err != nil {
				return nil, fmt.Errorf("RECOMMENDATIONS_TIMEOUT: %w", err)
			}
		}
		likes := newRecommender(os.Getenv("RECOMMENDATIONS_URL"), timeout)
		mux := http.NewServeMux()
		mux.HandleFunc("GET /home/{reader}", func(w http.ResponseWriter, r *http.Request) {
			reader, err := strconv.Atoi(r.PathValue("reader"))
			if err != nil {
				service.Refuse(w, http.StatusNotFound, "there is no such reader")
				return
			}
			page := Page{Offers: offers}
			if page.ForYou, err = likes.of(r.Context(), reader); err != nil {
				slog.Warn("a page without recommendations", "reader", reader, "error", err)
			}
			service.Answer(w, http.StatusOK, page)
		})
		return mux, nil
	})
}
