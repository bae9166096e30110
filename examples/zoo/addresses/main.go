// Addresses finds where an address is, through the company's contract with a
// geocoder.
//
//	GEOCODER_URL         the geocoder's API
//	REQUESTS_PER_SECOND  what to keep to, by the contract; no limit when unset
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
	service.Main(func(context.Context) (http.Handler, error) {
		g := newGeocoder(os.Getenv("GEOCODER_URL"))
		if s := os.Getenv("REQUESTS_PER_SECOND"); s != "" {
			perSecond, err := strconv.ParseFloat(s, 64)
			if err != nil || perSecond <= 0 {
				return nil, fmt.Errorf("REQUESTS_PER_SECOND is %q; it must be a number above 0", s)
			}
			g.pace = newPace(perSecond)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /locate", func(w http.ResponseWriter, r *http.Request) {
			address := r.URL.Query().Get("address")
			if address == "" {
				service.Refuse(w, http.StatusBadRequest, "say what to locate: /locate?address=TEXT")
				return
			}
			place, err := g.locate(r.Context(), address)
			if err != nil {
				service.Fail(w, r, err)
				return
			}
			service.Answer(w, http.StatusOK, place)
		})
		return mux, nil
	})
}
