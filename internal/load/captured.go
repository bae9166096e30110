package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
)

// keptValues is how many captured values are kept of each name: the latest.
const keptValues = 1000

var errNotCaptured = errors.New("no value captured yet")

// captured holds the values that answers gave, for the requests that come after.
type captured struct {
	mu     sync.Mutex
	values map[string]*ring
}

// ring holds the latest values of one name.
type ring struct {
	values []string
	oldest int // when full
}

func newCaptured() *captured { return &captured{values: map[string]*ring{}} }

// pick draws one of a name's values.
func (c *captured) pick(rng *rand.Rand, name string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.values[name]
	if r == nil {
		return "", errNotCaptured
	}
	return r.values[rng.IntN(len(r.values))], nil
}

func (c *captured) add(name, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.values[name]
	if r == nil {
		r = &ring{}
		c.values[name] = r
	}
	if len(r.values) < keptValues {
		r.values = append(r.values, value)
		return
	}
	r.values[r.oldest] = value
	r.oldest = (r.oldest + 1) % keptValues
}

// take keeps the values at the paths of a JSON body. What is not there, or is
// neither text, number nor truth value, is not kept.
func (c *captured) take(paths map[string]string, body []byte) {
	if len(paths) == 0 {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // a long id must not become 1.2e+18
	var root any
	if dec.Decode(&root) != nil {
		return
	}
	for name, path := range paths {
		if value, ok := lookUp(root, path); ok {
			c.add(name, value)
		}
	}
}

// lookUp follows a path such as $.items[0].id.
func lookUp(v any, path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "$")
	for ok && rest != "" {
		end := strings.IndexAny(rest[1:], ".[") + 1
		if end == 0 {
			end = len(rest)
		}
		step := rest[:end]
		rest = rest[end:]
		if name, isName := strings.CutPrefix(step, "."); isName {
			object, _ := v.(map[string]any)
			v, ok = object[name]
			continue
		}
		index, err := strconv.Atoi(strings.Trim(step, "[]"))
		list, _ := v.([]any)
		if ok = err == nil && index >= 0 && index < len(list); ok {
			v = list[index]
		}
	}
	if !ok {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
