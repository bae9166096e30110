package telemetry

import (
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// ParseLine makes a log record of a line that a service has printed: stream is
// "out" or "err", and the body is the line, without the colours of a terminal. How
// bad it is and which span it belongs to are taken from the line as far as it says
// so: in JSON, also nested ("trace":{"id":…}); in key=value pairs, anywhere in the
// line (level=ERROR trace_id=…); and, for the severity, in a leading word, as in
// "[error]", "2026-01-02 10:00:00 ERROR" or PostgreSQL's "LOG:". Keys are those that
// loggers use; a W3C traceparent does as well. What the line does not say is zero.
func ParseLine(service rehearse.ServiceName, stream, line string, at time.Time) rehearse.LogRecord {
	rec := rehearse.LogRecord{Time: at, Service: service, Stream: stream, Body: plain(line)}
	if strings.HasPrefix(strings.TrimSpace(rec.Body), "{") && eachJSON(rec.Body, func(key, value string) { learn(&rec, key, value) }) {
		return rec
	}
	eachPair(rec.Body, func(key, value string) { learn(&rec, key, value) })
	if rec.Severity == 0 {
		rec.Severity = leading(rec.Body)
	}
	return rec
}

// maxKey and maxValue are longer than every key and value that say something.
const (
	maxKey   = 32
	maxValue = 64
)

// learn takes what a key says of the record. The first of two counts.
func learn(rec *rehearse.LogRecord, key, value string) {
	if len(key) > maxKey {
		return
	}
	key = strings.ToLower(key)
	if prefix, rest, found := strings.Cut(key, "."); found && rest != "id" {
		switch prefix {
		case "context", "contextmap", "ctx", "mdc", "span", "otel", "fields", "attributes":
			key = rest
		}
	}
	switch key {
	case "level", "severity", "lvl", "levelname", "loglevel", "log_level", "log.level", "severitytext", "severity_text", "@l":
		if rec.Severity == 0 {
			rec.Severity = level(value)
		}
	case "severitynumber", "severity_number":
		if n, err := strconv.Atoi(value); err == nil && n >= 1 && n <= 24 {
			rec.Severity = rehearse.Severity(n)
		}
	case "trace_id", "traceid", "trace.id", "oteltraceid", "@tr":
		if id, err := rehearse.ParseTraceID(value); err == nil && rec.Trace.IsZero() {
			rec.Trace = id
		}
	case "span_id", "spanid", "span.id", "otelspanid", "@sp":
		if id, err := rehearse.ParseSpanID(value); err == nil && rec.Span.IsZero() {
			rec.Span = id
		}
	case "traceparent":
		// 00-32 digits-16 digits-01
		parts := strings.Split(value, "-")
		if len(parts) < 4 || !rec.Trace.IsZero() {
			return
		}
		trace, err := rehearse.ParseTraceID(parts[1])
		span, err2 := rehearse.ParseSpanID(parts[2])
		if err == nil && err2 == nil {
			rec.Trace, rec.Span = trace, span
		}
	}
}

// level is what a word or a number says of a severity; numbers are those of bunyan
// and pino.
func level(word string) rehearse.Severity {
	switch strings.ToLower(word) {
	case "trace", "trc", "finest", "finer", "debug5", "debug4", "debug3", "debug2", "10":
		return rehearse.SeverityTrace
	case "debug", "debug1", "dbg", "fine", "verbose", "20":
		return rehearse.SeverityDebug
	case "info", "inf", "information", "informational", "notice", "log", "detail", "hint", "statement", "context", "config", "30":
		return rehearse.SeverityInfo
	case "warn", "warning", "wrn", "40":
		return rehearse.SeverityWarn
	case "error", "err", "eror", "severe", "50":
		return rehearse.SeverityError
	case "fatal", "ftl", "critical", "crit", "panic", "alert", "emerg", "emergency", "dpanic", "60":
		return rehearse.SeverityFatal
	}
	return 0
}

const (
	// leadingWords is how many words of a line may come before its severity: a
	// date, a time, its zone, a process, a thread, a module.
	leadingWords = 8
	leadingBytes = 160
)

// leading is the severity that a line starts with: among its first words the
// first that is a level in capitals, in brackets or before a colon.
func leading(line string) rehearse.Severity {
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
		return rehearse.SeverityFatal
	}
	if severity := klog(line); severity != 0 {
		return severity
	}
	rest := line[:min(len(line), leadingBytes)]
	first := true // only numbers so far: dates, times, processes
	for range leadingWords {
		rest = strings.TrimLeft(rest, " \t|")
		end := strings.IndexAny(rest+" ", " \t|")
		token := rest[:end]
		rest = rest[end:]
		if i := strings.IndexByte(token, ']'); i > 0 && token[0] == '[' {
			token = token[:i+1] // [error]12#0:
		}
		word := strings.Trim(token, "[]()<>:,")
		if word == "" || word[0] >= '0' && word[0] <= '9' {
			continue
		}
		if i := strings.IndexByte(word, ':'); i > 0 && level(word[:i]) != 0 {
			word = word[:i] // ERROR:root:
		}
		marked := token[0] == '[' || token[0] == '<' || word == strings.ToUpper(word) || first && (strings.HasSuffix(token, ":") || !english(word))
		if severity := level(word); severity != 0 && marked {
			return severity
		}
		first = false
	}
	return 0
}

// english reports whether a level is also a word that begins a sentence.
func english(word string) bool {
	switch strings.ToLower(word) {
	case "log", "detail", "hint", "statement", "context", "config", "fine", "finer", "finest", "notice", "alert", "emergency", "trace", "debug", "information":
		return true
	}
	return false
}

// klog is the severity of a line as klog and glog write it, "E0102 15:04:05.…".
func klog(line string) rehearse.Severity {
	if len(line) < 6 || line[5] != ' ' || strings.Trim(line[1:5], "0123456789") != "" {
		return 0
	}
	switch line[0] {
	case 'I':
		return rehearse.SeverityInfo
	case 'W':
		return rehearse.SeverityWarn
	case 'E':
		return rehearse.SeverityError
	case 'F':
		return rehearse.SeverityFatal
	}
	return 0
}

// plain is a line without the escape sequences that colour it.
func plain(line string) string {
	if !strings.Contains(line, "\x1b[") {
		return line
	}
	var b strings.Builder
	for {
		before, sequence, found := strings.Cut(line, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		end := strings.IndexFunc(sequence, func(r rune) bool { return r >= '@' && r <= '~' })
		if end < 0 {
			return b.String()
		}
		line = sequence[end+1:]
	}
}

// eachPair shows what stands on both sides of each = or : of a line, without
// quotes, where a key stands before it.
func eachPair(line string, visit func(key, value string)) {
	for i := 0; i < len(line); i++ {
		if line[i] != '=' && line[i] != ':' {
			continue
		}
		before := strings.TrimSuffix(line[:i], `"`)
		start := len(before)
		for start > max(0, len(before)-maxKey) && keyByte(before[start-1]) {
			start--
		}
		value := line[i+1 : min(len(line), i+1+maxValue)]
		if line[i] == ':' {
			value = strings.TrimLeft(value, " ")
		}
		stops := " \t,;])}\""
		if strings.HasPrefix(value, `"`) {
			value, stops = value[1:], `"`
		}
		if end := strings.IndexAny(value, stops); end >= 0 {
			value = value[:end]
		}
		if key := before[start:]; key != "" && value != "" {
			visit(key, value)
		}
	}
}

func keyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '@' || c == '-'
}

// maxNesting bounds how deep JSON is read.
const maxNesting = 32

// eachJSON shows the texts and numbers of a JSON object with their keys, those of
// nested objects joined by dots, and reports whether the line is one. Values are
// shown as they are written: what is looked for needs no escapes.
func eachJSON(line string, visit func(key, value string)) bool {
	j := scanner{rest: line, visit: visit}
	return j.value("", 0) && j.space() == 0
}

type scanner struct {
	rest  string
	visit func(key, value string)
}

// space skips white space; it is the next byte, 0 at the end.
func (j *scanner) space() byte {
	if j.rest = strings.TrimLeft(j.rest, " \t\r\n"); j.rest == "" {
		return 0
	}
	return j.rest[0]
}

// eat skips a byte, if it is the next one.
func (j *scanner) eat(c byte) bool {
	if j.space() != c {
		return false
	}
	j.rest = j.rest[1:]
	return true
}

// text reads a string.
func (j *scanner) text() (string, bool) {
	if !j.eat('"') {
		return "", false
	}
	for i := 0; i < len(j.rest); i++ {
		switch j.rest[i] {
		case '\\':
			i++
		case '"':
			text := j.rest[:i]
			j.rest = j.rest[i+1:]
			return text, true
		}
	}
	return "", false
}

// value reads any value.
func (j *scanner) value(key string, depth int) bool {
	if depth > maxNesting {
		return false
	}
	switch j.space() {
	case '"':
		text, ok := j.text()
		if ok {
			j.visit(key, text)
		}
		return ok
	case '{':
		return j.list('{', '}', func() bool {
			name, ok := j.text()
			if !ok || !j.eat(':') {
				return false
			}
			if key != "" {
				name = key + "." + name
			}
			return j.value(name, depth+1)
		})
	case '[':
		return j.list('[', ']', func() bool { return j.value("", depth+1) })
	}
	end := strings.IndexAny(j.rest+",", ",]} \t\r\n")
	if end == 0 {
		return false
	}
	if key != "" {
		j.visit(key, j.rest[:end])
	}
	j.rest = j.rest[end:]
	return true
}

// list reads what stands between two brackets, separated by commas.
func (j *scanner) list(open, shut byte, item func() bool) bool {
	if !j.eat(open) {
		return false
	}
	if j.eat(shut) {
		return true
	}
	for item() {
		if !j.eat(',') {
			return j.eat(shut)
		}
	}
	return false
}
