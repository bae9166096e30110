// Geocoder stands for the API of a geocoder with a contract: so many requests in
// each second, and 429 for the rest.
//
//	REQUESTS_PER_SECOND  what the contract says
package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"example.com/zoo/internal/service"
)

// quota counts the requests of the second that it is.
type quota struct {
	limit int

	mu     sync.Mutex
	second int64
	used   int
}

// take says whether there is one left.
func (q *quota) take(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := now.Unix(); s != q.second {
		q.second, q.used = s, 0
	}
	q.used++
	return q.used <= q.limit
}

func main() {
	service.Main(func(context.Context) (http.Handler, error) {
		limit, err := strconv.Atoi(os.Getenv("REQUESTS_PER_SECOND"))
		if err != nil || limit < 1 {
			return nil, fmt.Errorf("REQUESTS_PER_SECOND is %q; it must be a number above 0", os.Getenv("REQUESTS_PER_SECOND"))
		}
		q := &quota{limit: limit}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /v1/geocode", func(w http.ResponseWriter, r *http.Request) {
			if !q.take(time.Now()) {
				w.Header().Set("Retry-After", "1")
				service.Refuse(w, http.StatusTooManyRequests, "your contract does not allow so many requests")
				return
			}
			h := fnv.New32a()
			h.Write([]byte(r.URL.Query().Get("q")))
			sum := h.Sum32()
			service.Answer(w, http.StatusOK, map[string]float64{
				"latitude": 36 + float64(sum%3400)/100, "longitude": -9 + float64(sum/3400%3400)/100,
			})
		})
		return mux, nil
	})
}
