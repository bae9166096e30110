package load

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// BenchmarkOffered asks for 2,000 requests per second for 2 seconds, from a
// server in the same process. Offered is the share that was sent within those
// 2 seconds.
func BenchmarkOffered(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer server.Close()
	traffic := steady(2000, 2*time.Second)
	traffic.Arrivals = rehearse.Poisson
	var asked, offered, failed int
	var late []float64
	for b.Loop() {
		result, err := Run(b.Context(), Options{Traffic: traffic, Seed: 1, Targets: map[rehearse.LinkID]Target{"": {Base: server.URL}}})
		if err != nil {
			b.Fatal(err)
		}
		asked += result.Asked
		for _, s := range result.Samples {
			if !s.Dropped && s.Sent <= traffic.Duration {
				offered++
			}
			if s.Error != "" {
				failed++
			}
		}
		late = append(late, result.Late.P50.Seconds()*1000, result.Late.P99.Seconds()*1000)
	}
	b.ReportMetric(float64(offered)/float64(asked), "offered/asked")
	b.ReportMetric(late[len(late)-2], "late-p50-ms")
	b.ReportMetric(late[len(late)-1], "late-p99-ms")
	b.ReportMetric(float64(failed), "failed")
}
