package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/redact"
)

const (
	plainSecret = "hunter2-hunter2"
	oddSecret   = `p<w>"d/&é+ 9`
)

// written are the ways in which a secret turns up.
func written(secret string) map[string]string {
	asJSON, _ := json.Marshal(secret)
	return map[string]string{
		"plain":          "a " + secret + " b",
		"twice":          secret + secret,
		"in JSON":        `{"password":` + string(asJSON) + `}`,
		"in HTML":        "<p>" + html.EscapeString(secret) + "</p>",
		"in a query":     "/x?token=" + url.QueryEscape(secret) + "&y=1",
		"in a path":      "/x/" + url.PathEscape(secret),
		"small digits":   "/x/" + strings.ToLower(url.QueryEscape(secret)),
		"in a user":      (&url.URL{Scheme: "http", Host: "db", User: url.UserPassword("ann", secret)}).String(),
		"in hex":         hex.EncodeToString([]byte(secret)),
		"in base64":      base64.StdEncoding.EncodeToString([]byte(secret)),
		"basic":          "Basic " + base64.StdEncoding.EncodeToString([]byte("a:"+secret)),
		"basic, longer":  "Basic " + base64.StdEncoding.EncodeToString([]byte("an:"+secret+":x")),
		"basic, longest": "Basic " + base64.URLEncoding.EncodeToString([]byte("ann:"+secret)),
	}
}

func TestForms(t *testing.T) {
	for _, secret := range []string{plainSecret, oddSecret} {
		secrets := redact.New([]string{secret})
		for name, text := range written(secret) {
			if name == "small digits" && secret == plainSecret {
				continue // it has none
			}
			got := secrets.String(text)
			if !strings.Contains(got, redact.Mark) {
				t.Errorf("%s: %q became %q", name, text, got)
			}
			if secrets.In([]byte(got)) || strings.Contains(got, secret) {
				t.Errorf("%s: there is still a secret in %q", name, got)
			}
			masked := []byte(text)
			secrets.Mask(masked)
			if len(masked) != len(text) || secrets.In(masked) {
				t.Errorf("%s: %q was masked as %q", name, text, masked)
			}
		}
	}
}

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		secrets  []string
		in, want string
	}{
		{[]string{"abcdef"}, "abcde abcdefg", "abcde ••••g"},
		{[]string{"abcdef", "abcdefgh"}, "abcdefghi abcdefg", "••••i ••••g"}, // the longest
		{[]string{"abcdef", "defghi"}, "xabcdefghix", "x••••x"},              // that overlap
		{[]string{"short"}, "short", "short"},
		{[]string{"", "  "}, "a  b", "a  b"},
		{[]string{"  padded-value\n"}, "(padded-value)", "(••••)"},
		{[]string{"-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END KEY-----"}, "line MIIEvQIBADAN and -----BEGIN KEY-----", "line •••• and -----BEGIN KEY-----"},
	} {
		if got := redact.New(c.secrets).String(c.in); got != c.want {
			t.Errorf("%q in %q: got %q, want %q", c.secrets, c.in, got, c.want)
		}
	}
}

func TestWithoutSecrets(t *testing.T) {
	none := redact.New([]string{"abc"})
	if none != nil {
		t.Fatalf("got %v, want no secrets: the value is too short", none)
	}
	text := []byte("hunter2-hunter2")
	none.Mask(text)
	var out bytes.Buffer
	w := none.Writer(&out)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := none.String("hunter2") + string(none.JSON(text)) + out.String(); got != "hunter2"+"hunter2-hunter2"+"hunter2-hunter2" {
		t.Errorf("got %q", got)
	}
}

func TestJSON(t *testing.T) {
	secrets := redact.New([]string{plainSecret, "service", "123456", `quoted "word"`})
	for in, want := range map[string]string{
		`{"a":"x hunter2-hunter2 y"}`:                        `{"a":"x •••• y"}`,
		`{"service":{"a":["service","b"]},"n":1234567}`:      `{"n":1234567,"service":{"a":["••••","b"]}}`,
		`{"kind":"service","other":"service"}`:               `{"kind":"service","other":"••••"}`,
		`{"nothing": "here"}`:                                `{"nothing": "here"}`,
		`{"a":"a quoted \"word\""}`:                          `{"a":"a ••••"}`,
		`cut short {"a":"hunter2-hunter2`:                    `cut short {"a":"••••`,
		"{\"a\":\"hunter2-hunter2\"}\n":                      "{\"a\":\"••••\"}\n",
		`{"a":12345678901234567890.5,"b":"hunter2-hunter2"}`: `{"a":12345678901234567890.5,"b":"••••"}`,
	} {
		if got := string(secrets.JSON([]byte(in), "kind")); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// FuzzWriter holds a stream to the same text in one piece, however it is cut.
func FuzzWriter(f *testing.F) {
	f.Add("a hunter2-hunter2 b hunter2-hunte", uint8(3))
	f.Add("hunter2-hunter2hunter2-hunter2", uint8(1))
	f.Add("aaaaaabaaaaaac aaaaaa", uint8(2))
	f.Add("xabcdefghix", uint8(4))
	secrets := redact.New([]string{plainSecret, "aaaaaa", "aaaaaac", "abcdef", "defghi"})
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		var out, masked bytes.Buffer
		w, m := secrets.Writer(&out), secrets.Masker(&masked)
		for rest := []byte(text); len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			for _, to := range []*redact.Writer{w, m} {
				if _, err := to.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), secrets.String(text); got != want {
			t.Errorf("%q in pieces of %d: got %q, want %q", text, size+1, got, want)
		}
		want := []byte(text)
		secrets.Mask(want)
		if !bytes.Equal(masked.Bytes(), want) {
			t.Errorf("%q masked in pieces of %d: got %q, want %q", text, size+1, masked.Bytes(), want)
		}
	})
}

// TestLineIsNotHeldBack: who waits for a line of a log gets it when it is written.
func TestLineIsNotHeldBack(t *testing.T) {
	var out bytes.Buffer
	w := redact.New([]string{plainSecret}).Writer(&out)
	if _, err := w.Write([]byte("listening on h\n")); err != nil {
		t.Fatal(err)
	}
	if out.String() != "listening on h\n" {
		t.Errorf("got %q before the stream's end", out.String())
	}
}

func BenchmarkBytes(b *testing.B) {
	var values []string
	for i := range 50 {
		values = append(values, fmt.Sprintf("%x-secret-%d", i*7919+123456, i))
	}
	secrets := redact.New(values)
	text := bytes.Repeat([]byte(`{"time":"2026-11-22T16:12:07Z","service":"docgen","level":"info","msg":"GET /documents/12 200 in 4 ms"}`+"\n"), 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		secrets.Bytes(text)
	}
}
