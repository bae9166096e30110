// Tax knows the rates of sales tax.
package main

import (
	"context"
	"net/http"

	"example.com/zoo/internal/service"
)

var percent = map[string]int{"DE": 19, "FR": 20, "IE": 23, "NL": 21, "PT": 23}

func main() {
	service.Main(func(context.Context) (http.Handler, error) {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /rates/{country}", func(w http.ResponseWriter, r *http.Request) {
			p, ok := percent[r.PathValue("country")]
			if !ok {
				service.Refuse(w, http.StatusNotFound, "no rate is known")
				return
			}
			service.Answer(w, http.StatusOK, map[string]int{"percent": p})
		})
		return mux, nil
	})
}
