// Package toxiproxy stands in for Toxiproxy's package of that name in Toxiproxy's
// own tests, so that they speak to the rehearse link serve that is there already.
// It has what those tests call, and no more.
package toxiproxy

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
)

// At is where the tests expect the server.
const At = "localhost:8475"

// ApiServer is the server, as far as the tests want one.
type ApiServer struct {
	Collection collection
}

// NewMetricsContainer has no use here: the metrics are always there.
func NewMetricsContainer(*prometheus.Registry) any { return nil }

// NewServer makes nothing: the server is there.
func NewServer(any, zerolog.Logger) *ApiServer { return &ApiServer{} }

// Listen does nothing: the server listens.
func (s *ApiServer) Listen(string) error { return nil }

// collection is the set of proxies, as clients see it.
type collection struct{}

// Clear deletes all proxies.
func (collection) Clear() error {
	proxies, err := toxiproxy.NewClient(At).Proxies()
	if err != nil {
		return err
	}
	for _, p := range proxies {
		if err := p.Delete(); err != nil {
			return err
		}
	}
	return nil
}
