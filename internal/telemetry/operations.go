package telemetry

import (
	"cmp"
	"maps"
	"slices"

	"github.com/rehearse-dev/rehearse"
)

const (
	// maxOperations is how many operations are told apart, all shares together.
	maxOperations = 2000
	// operationBytes is about what one takes in memory.
	operationBytes = 2 << 10
	// maxOperationName is how long a name may be to be told apart.
	maxOperationName = 512
	// Other is the operation of all spans whose name is one too many, or longer
	// than 512 bytes.
	Other = "(other)"
)

// operations are the exact figures of every operation. They take all spans, also
// those that are in no file. Their number is bounded: a service that puts a number
// into its spans' names uses up its share of the names, and no other's.
type operations struct {
	all   map[operationKey]*operation
	names budget
}

type operationKey struct {
	link    rehearse.LinkID
	service rehearse.ServiceName
	name    string
	kind    rehearse.SpanKind
}

type operation struct {
	errors    int64
	durations histogram
}

// of is the operation of a key, which counts for a share.
func (o *operations) of(k operationKey, share int) *operation {
	if op := o.all[k]; op != nil {
		return op
	}
	if len(k.name) > maxOperationName || !o.names.take(share, 1) {
		k.name = Other
		if op := o.all[k]; op != nil {
			return op
		}
	}
	op := new(operation)
	o.all[k] = op
	return op
}

// bytes is about what the operations take in memory.
func (o *operations) bytes() int64 { return int64(len(o.all)) * operationBytes }

// stats are the figures, by link, service, name and kind.
func (o *operations) stats() []rehearse.OperationStats {
	var stats []rehearse.OperationStats
	for k, op := range o.all {
		stats = append(stats, rehearse.OperationStats{
			Link: k.link, Service: k.service, Name: k.name, Kind: k.kind,
			Count: op.durations.count, Errors: op.errors, Duration: op.durations.quantiles(),
		})
	}
	slices.SortFunc(stats, func(a, b rehearse.OperationStats) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.Service, b.Service),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return stats
}

// clone is a copy of counts that a caller may keep; nil when there is nothing.
func clone[K comparable](m map[K]int64) map[K]int64 {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}
