// Bank stands for the API of a bank, as its sandbox does. A charge takes its time.
// One with an Idempotency-Key is made once, however often it is asked for.
package main

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"example.com/zoo/internal/service"
)

// work is how long a charge takes.
const work = 60 * time.Millisecond

type ledger struct {
	mu      sync.Mutex
	charged map[int64]int // cents, by order
	keys    map[string]bool
}

func (l *ledger) charge(key string, order int64, cents int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if key != "" {
		if l.keys[key] {
			return
		}
		l.keys[key] = true
	}
	l.charged[order] += cents
}

func (l *ledger) all() map[int64]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.charged)
}

func main() {
	service.Main(func(context.Context) (http.Handler, error) {
		l := &ledger{charged: map[int64]int{}, keys: map[string]bool{}}
		mux := http.NewServeMux()
		mux.HandleFunc("POST /charges", func(w http.ResponseWriter, r *http.Request) {
			var in struct {
				Order int64
				Cents int
			}
			if !service.Read(w, r, &in) {
				return
			}
			l.charge(r.Header.Get("Idempotency-Key"), in.Order, in.Cents)
			time.Sleep(work)
			service.Answer(w, http.StatusCreated, map[string]string{"status": "charged"})
		})
		mux.HandleFunc("GET /charges", func(w http.ResponseWriter, _ *http.Request) {
			service.Answer(w, http.StatusOK, l.all())
		})
		return mux, nil
	})
}
