package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/template"

	"github.com/rehearse-dev/rehearse"
)

// request is a request ready to be sent.
type request struct {
	http  *http.Request
	looks bool // at the body of the answer
}

// writers make requests from a profile's templates, on any number of goroutines.
type writers struct {
	seed     uint64
	requests []rehearse.Request
	pool     sync.Pool // of *writer
}

// newWriters compiles the templates and tries each once.
func newWriters(t rehearse.Traffic, seed uint64, c *captured) (*writers, error) {
	for _, r := range t.Requests {
		trial := newCaptured()
		for _, other := range t.Requests {
			for name := range other.Capture {
				trial.add(name, "1")
			}
		}
		w, err := newWriter(t.Lists, []rehearse.Request{r}, trial)
		if err == nil {
			_, err = w.write(context.Background(), 0, "http://service")
		}
		if err != nil {
			return nil, fmt.Errorf("request %q: %w", r.Name, err)
		}
	}
	ws := &writers{seed: seed, requests: t.Requests}
	ws.pool.New = func() any {
		w, err := newWriter(t.Lists, t.Requests, c)
		if err != nil {
			panic("load: internal error: templates that compiled once do not compile again: " + err.Error())
		}
		return w
	}
	return ws, nil
}

// write makes the request with the given index, or the nearest that can be made
// when a captured value is missing. It says which it made.
func (ws *writers) write(ctx context.Context, n, index int, base string) (int, *request, error) {
	w := ws.pool.Get().(*writer)
	defer ws.pool.Put(w)
	// All that chance decides of a request hangs on the seed and its number only.
	w.source.Seed(ws.seed, streamTemplates+uint64(n))
	w.number = n + 1
	r, err := w.write(ctx, index, base)
	for distance := 1; errors.Is(err, errNotCaptured) && distance < len(ws.requests); distance++ {
		for _, other := range [...]int{index - distance, index + distance} {
			if other < 0 || other >= len(ws.requests) {
				continue
			}
			if r, err = w.write(ctx, other, base); !errors.Is(err, errNotCaptured) {
				return other, r, err
			}
		}
	}
	return index, r, err
}

// writer fills in templates, one request at a time.
type writer struct {
	source   *rand.PCG
	rng      *rand.Rand
	number   int // of the request, from 1
	lists    map[string][]string
	captured *captured
	specs    []rehearse.Request
	parts    []parts // by request
	out      strings.Builder
}

// parts are the templates of one request.
type parts struct {
	path, body *template.Template
	headers    map[string]*template.Template
}

func newWriter(lists map[string][]string, specs []rehearse.Request, c *captured) (*writer, error) {
	source := rand.NewPCG(0, 0)
	w := &writer{source: source, rng: rand.New(source), lists: lists, captured: c, specs: specs}
	funcs := template.FuncMap{
		"pick":     w.pick,
		"int":      w.int,
		"uuid":     w.uuid,
		"seq":      func() int { return w.number },
		"captured": func(name string) (string, error) { return w.captured.pick(w.rng, name) },
		"text":     w.text,
	}
	for _, spec := range specs {
		var p parts
		var errs []error
		compile := func(what, text string) *template.Template {
			t, err := template.New(what).Funcs(funcs).Parse(text)
			errs = append(errs, err)
			return t
		}
		p.path = compile("path", spec.Path)
		p.body = compile("body", spec.Body)
		p.headers = make(map[string]*template.Template, len(spec.Headers))
		for name, text := range spec.Headers {
			p.headers[name] = compile("header "+name, text)
		}
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		w.parts = append(w.parts, p)
	}
	return w, nil
}

func (w *writer) write(ctx context.Context, index int, base string) (*request, error) {
	spec, p := &w.specs[index], w.parts[index]
	path, err := w.fill(p.path)
	if err != nil {
		return nil, err
	}
	body, err := w.fill(p.body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, spec.Method, base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "rehearse")
	for _, name := range slices.Sorted(maps.Keys(p.headers)) { // in a fixed order, because filling in draws
		value, err := w.fill(p.headers[name])
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(name, "Host") {
			r.Host = value // net/http ignores the header
			continue
		}
		r.Header.Set(name, value)
	}
	return &request{http: r, looks: len(spec.Contains) > 0 || len(spec.Capture) > 0}, nil
}

func (w *writer) fill(t *template.Template) (string, error) {
	w.out.Reset()
	err := t.Execute(&w.out, nil)
	return w.out.String(), err
}

func (w *writer) pick(name string) (string, error) {
	list := w.lists[name]
	if len(list) == 0 {
		return "", fmt.Errorf("no list %q", name)
	}
	return list[w.rng.IntN(len(list))], nil
}

func (w *writer) int(low, high int64) (int64, error) {
	if low > high {
		return 0, fmt.Errorf("no whole number is from %d to %d", low, high)
	}
	span := uint64(high) - uint64(low) + 1
	if span == 0 { // all of them
		return int64(w.rng.Uint64()), nil
	}
	return low + int64(w.rng.Uint64N(span)), nil
}

// uuid is a random UUID, version 4 of RFC 9562.
func (w *writer) uuid() string {
	high, low := w.rng.Uint64(), w.rng.Uint64()
	high = high&^0xf000 | 0x4000
	low = low&^(0xc000<<48) | 0x8000<<48
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&0xffffffffffff)
}

// text is words of two to nine letters, n characters in all. A space is never
// the last one.
func (w *writer) text(n int) string {
	var b strings.Builder
	for b.Len() < n {
		if b.Len() > 0 && b.Len() < n-1 {
			b.WriteByte(' ')
		}
		for range min(2+w.rng.IntN(8), n-b.Len()) {
			b.WriteByte(byte('a' + w.rng.IntN(26)))
		}
	}
	return b.String()
}
