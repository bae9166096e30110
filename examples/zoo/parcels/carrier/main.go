// Carrier stands for the API of a carrier, as its sandbox does: every parcel gets
// a label.
package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"example.com/zoo/internal/service"
)

func main() {
	service.Main(func(context.Context) (http.Handler, error) {
		var last atomic.Int64
		mux := http.NewServeMux()
		mux.HandleFunc("POST /labels", func(w http.ResponseWriter, _ *http.Request) {
			service.Answer(w, http.StatusCreated, map[string]string{"label": fmt.Sprintf("CR%09d", last.Add(1))})
		})
		return mux, nil
	})
}
