//go:build race

package telemetry

// raceDetector is whether the race detector runs, under which a sync.Pool forgets
// a part of what it is given on purpose.
const raceDetector = true
