// Recommendations knows what readers may like.
package main

import (
	"context"
	"net/http"
	"strconv"

	"example.com/zoo/internal/service"
)

var things = []string{"bowl", "clock", "kettle", "lamp", "mirror", "rug", "stool", "vase"}

func main() {
	service.Main(func(context.Context) (http.Handler, error) {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /readers/{id}/likes", func(w http.ResponseWriter, r *http.Request) {
			id, err := strconv.Atoi(r.PathValue("id"))
			if err != nil || id < 0 {
				service.Refuse(w, http.StatusNotFound, "there is no such reader")
				return
			}
			likes := []string{things[id%len(things)], things[(id/3+1)%len(things)]}
			service.Answer(w, http.StatusOK, map[string]any{"likes": likes})
		})
		return mux, nil
	})
}
