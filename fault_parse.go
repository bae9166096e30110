package rehearse

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// faultWords are the parameters of a fault as a person writes them, and how each
// is read.
var faultWords = map[string]func(f *Fault, value string) error{
	"name":         func(f *Fault, v string) error { f.Name = v; return nil },
	"direction":    func(f *Fault, v string) error { f.Direction = Direction(v); return nil },
	"probability":  readProbability,
	"delay":        func(f *Fault, v string) error { return readDuration(&f.Delay, v) },
	"jitter":       func(f *Fault, v string) error { return readDuration(&f.Jitter, v) },
	"distribution": func(f *Fault, v string) error { f.Distribution = Distribution(v); return nil },
	"correlation":  func(f *Fault, v string) (err error) { f.Correlation, err = ParseShare(v); return err },
	"share":        func(f *Fault, v string) (err error) { f.Share, err = ParseShare(v); return err },
	"burst":        func(f *Fault, v string) (err error) { f.Burst, err = strconv.ParseFloat(v, 64); return plain(err) },
	"rate":         func(f *Fault, v string) (err error) { f.Rate, err = ParseRate(v); return err },
	"shared":       func(f *Fault, v string) (err error) { f.Shared, err = strconv.ParseBool(v); return plain(err) },
	"bytes":        func(f *Fault, v string) (err error) { f.Bytes, err = readBytes(v); return err },
	"size":         func(f *Fault, v string) (err error) { f.Size, err = readInt(v); return err },
	"variation":    func(f *Fault, v string) (err error) { f.Variation, err = readInt(v); return err },
	"count":        func(f *Fault, v string) (err error) { f.Count, err = readInt(v); return err },
	"status":       func(f *Fault, v string) (err error) { f.Status, err = readInt(v); return err },
	"code":         func(f *Fault, v string) error { f.Code = v; return nil },
	"header":       func(f *Fault, v string) error { f.Header = v; return nil },
	"body":         func(f *Fault, v string) error { f.Body = v; return nil },
	"method":       func(f *Fault, v string) error { f.Match.Method = v; return nil },
	"path":         func(f *Fault, v string) error { f.Match.Path = v; return nil },
	"with":         func(f *Fault, v string) error { f.Match.Header = v; return nil },
	"statement":    func(f *Fault, v string) error { f.Match.Statement = v; return nil },
	"command":      func(f *Fault, v string) error { f.Match.Command = v; return nil },
	"key":          func(f *Fault, v string) error { f.Match.Key = v; return nil },
	"after":        func(f *Fault, v string) error { return readDuration(&f.Schedule.After, v) },
	"for":          func(f *Fault, v string) error { return readDuration(&f.Schedule.For, v) },
	"every":        func(f *Fault, v string) error { return readDuration(&f.Schedule.Every, v) },
}

// ParseFault reads a fault as a person writes it on one line: its kind, and
// behind it parameters by their names, as in
//
//	delay delay=300ms jitter=50ms probability=10% for=5s every=30s
//	abort status=503 method=POST path=/api/* with="X-Tenant: 7"
//
// A value with spaces stands in double quotes, as in Go. The names are those of
// Fault's and Schedule's JSON; the match's are method, path, with (its header),
// statement, command and key. The fault is validated as one that a person has written.
func ParseFault(line string) (Fault, error) {
	words, err := splitWords(line)
	if err != nil {
		return Fault{}, &Error{Kind: Invalid, Msg: fmt.Sprintf("fault %q: %v", line, err)}
	}
	if len(words) == 0 {
		return Fault{}, &Error{Kind: Invalid, Msg: "a fault needs a kind", Hint: "For example: reset."}
	}
	f := Fault{Kind: FaultKind(words[0])}
	var wrong []string
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		if _, known := faultWords[name]; known && !ok {
			wrong = append(wrong, fmt.Sprintf("%s has no value", name))
		} else if err := f.SetParameter(name, value); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	if len(wrong) > 0 {
		return Fault{}, &Error{
			Kind: Invalid, Msg: fmt.Sprintf("fault %s: %s", f.ID(), strings.Join(wrong, "; ")),
			Hint: `Write a kind and parameters, as in "delay delay=300ms probability=10%".`,
		}
	}
	return f, f.ValidateWritten()
}

// SetParameter sets one parameter by the name and in the form that [ParseFault]
// knows. Whether the kind takes it, Validate says.
func (f *Fault) SetParameter(name, value string) error {
	read := faultWords[name]
	if read == nil {
		known := slices.Sorted(maps.Keys(faultWords))
		return fmt.Errorf("there is no parameter %q%s", name, didYouMean(name, known))
	}
	if err := read(f, value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// splitWords splits at spaces, except inside a quoted value.
func splitWords(line string) (words []string, err error) {
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		end := strings.IndexAny(rest, " \t\"")
		if end < 0 {
			return append(words, rest), nil
		}
		if rest[end] != '"' {
			words, rest = append(words, rest[:end]), rest[end:]
			continue
		}
		quoted, err := strconv.QuotedPrefix(rest[end:])
		if err != nil {
			return nil, errors.New("a quote is not closed")
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, err
		}
		words, rest = append(words, rest[:end]+value), rest[end+len(quoted):]
	}
	return words, nil
}

// readProbability refuses 0, which in a Fault stands for all.
func readProbability(f *Fault, s string) (err error) {
	if f.Probability, err = ParseShare(s); err == nil && f.Probability == 0 {
		err = errors.New("0 touches nothing; leave it out for all")
	}
	return err
}

func readDuration(d *Duration, s string) error {
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is not a duration; write a number and a unit, as in 300ms", s)
	}
	*d = Duration(v)
	return nil
}

func readBytes(s string) (int64, error) {
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return v, nil
	}
	return ParseBytes(s)
}

func readInt(s string) (int, error) {
	v, err := strconv.Atoi(s)
	return v, plain(err)
}

// plain is what strconv found wrong, without the name of its function.
func plain(err error) error {
	var number *strconv.NumError
	if errors.As(err, &number) {
		return fmt.Errorf("%q is not right: %v", number.Num, number.Err)
	}
	return err
}
