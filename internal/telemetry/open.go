package telemetry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// Open reads back the spans and logs that a store has left in dir, as its result
// says; logs by their time. A zero result is that of a run that was killed: all
// files that are there are read. What is missing, cut or was changed since is not
// read, and said in damage, in complete sentences.
func Open(dir string, r rehearse.TelemetryResult) (spans []rehearse.Span, logs []rehearse.LogRecord, damage []string) {
	list := r.Files
	if len(list) == 0 && r.Spans == 0 && r.Logs == 0 && r.Metrics == 0 {
		for _, path := range files(dir, fileSuffix) {
			name := filepath.Base(path)
			signal, _, _ := strings.Cut(name, "-")
			list = append(list, rehearse.TelemetryFile{Name: name, Signal: signal})
		}
		for _, path := range files(dir, fileSuffix+partialSuffix) {
			damage = append(damage, fmt.Sprintf("%s was cut short while it was written, and is not read.", filepath.Base(path)))
		}
	}
	c, err := newCodec()
	if err != nil {
		return nil, nil, append(damage, fmt.Sprintf("Telemetry cannot be read: %v.", err))
	}
	for _, f := range list {
		messages, reason := readFile(dir, f, c)
		if reason == "" {
			switch f.Signal {
			case otlp.SignalTraces.String():
				err = walkSpans(messages, func() *rehearse.Span {
					spans = append(spans, rehearse.Span{})
					return &spans[len(spans)-1]
				})
			case otlp.SignalLogs.String():
				err = walkLogs(messages, func() *rehearse.LogRecord {
					logs = append(logs, rehearse.LogRecord{})
					return &logs[len(logs)-1]
				})
			}
			if err != nil {
				reason = fmt.Sprintf("is not what a run writes (%v)", err)
			}
		}
		if reason != "" {
			damage = append(damage, fmt.Sprintf("%s %s, and is not read.", f.Name, reason))
		}
	}
	slices.SortStableFunc(logs, func(a, b rehearse.LogRecord) int { return a.Time.Compare(b.Time) })
	return spans, logs, damage
}

// readFile gives the messages of a file, or the reason why not, as the end of a
// sentence. Metrics are checked and not decompressed.
func readFile(dir string, f rehearse.TelemetryFile, c *codec) (messages []byte, reason string) {
	if !filepath.IsLocal(f.Name) {
		return nil, "is not in the leg's directory"
	}
	data, err := os.ReadFile(filepath.Join(dir, f.Name))
	switch {
	case os.IsNotExist(err):
		return nil, "is missing"
	case err != nil:
		return nil, fmt.Sprintf("cannot be read (%v)", err)
	case len(data) == 0:
		return nil, "is empty"
	}
	if sum := sha256.Sum256(data); f.SHA256 != "" && f.SHA256 != hex.EncodeToString(sum[:]) {
		return nil, "is not the file that the run has written (its SHA-256 is another)"
	}
	if f.Signal == otlp.SignalMetrics.String() {
		return nil, ""
	}
	if messages, err = c.decoder.DecodeAll(data, nil); err != nil {
		return nil, fmt.Sprintf("is damaged (%v)", err)
	}
	return messages, ""
}
