package wire

import (
	"strings"
	"testing"
)

const (
	trace = "0af7651916cd43dd8448eb211c80319c"
	span  = "b7ad6b7169203331"
)

func TestParseContext(t *testing.T) {
	for _, c := range []struct {
		value string
		want  string // as it goes on; empty: none
	}{
		// The specification's own.
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"},
		{"00-" + trace + "-" + span + "-03", "00-" + trace + "-" + span + "-01"},
		{"00-" + trace + "-" + span + "-fe", "00-" + trace + "-" + span + "-00"},
		// Versions to come.
		{"01-" + trace + "-" + span + "-01", "00-" + trace + "-" + span + "-01"},
		{"cc-" + trace + "-" + span + "-01-what-the-future-brings", "00-" + trace + "-" + span + "-01"},
		{"cc-" + trace + "-" + span + "-01.what", ""},
		{"00-" + trace + "-" + span + "-01-what", ""},
		{"00-" + trace + "-" + span + "-01-", ""},
		{"ff-" + trace + "-" + span + "-01", ""},
		{"0-" + trace + "-" + span + "-01", ""},
		{"FE-" + trace + "-" + span + "-01", ""},
		// Identifiers.
		{"00-" + strings.Repeat("0", 32) + "-" + span + "-01", ""},
		{"00-" + trace + "-" + strings.Repeat("0", 16) + "-01", ""},
		{"00-" + strings.ToUpper(trace) + "-" + span + "-01", ""},
		{"00-" + trace[1:] + "-" + span + "-01", ""},
		{"00-." + trace[1:] + "-" + span + "-01", ""},
		{"00-" + trace + "-" + span[1:] + "g-01", ""},
		{"00-" + trace + "-" + span + "-1", ""},
		{"00-" + trace + "-" + span + "-0A", ""},
		{"00-" + trace + "-" + span + "_01", ""},
		{"00-" + trace + "-" + span, ""},
		{"00_" + trace + "-" + span + "-01", ""},
		{"", ""},
	} {
		got, ok := ParseContext([]byte(c.value))
		if ok != (c.want != "") || !ok && !got.IsZero() || ok && string(AppendContext(nil, got)) != c.want {
			t.Errorf("%s: got %s (%v), want %q", c.value, AppendContext(nil, got), ok, c.want)
		}
	}
}

func TestParseB3(t *testing.T) {
	const long, short = "80f198ee56343ba864fe8b2a57d3eff7", "64fe8b2a57d3eff7"
	const zeros = "0000000000000000"
	for _, c := range []struct{ value, want string }{
		// The specification's own.
		{long + "-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90", "00-" + long + "-e457b5a2e4d86bd1-01"},
		{long + "-e457b5a2e4d86bd1-0", "00-" + long + "-e457b5a2e4d86bd1-00"},
		{long + "-e457b5a2e4d86bd1-d", "00-" + long + "-e457b5a2e4d86bd1-01"},
		{long + "-e457b5a2e4d86bd1", "00-" + long + "-e457b5a2e4d86bd1-01"},
		{short + "-e457b5a2e4d86bd1-1", "00-" + zeros + short + "-e457b5a2e4d86bd1-01"},
		{short + "-e457b5a2e4d86bd1", "00-" + zeros + short + "-e457b5a2e4d86bd1-01"},
		{"0", ""},
		{"", ""},
		{long, ""},
		{long + "-e457b5a2e4d86bd", ""},
		{long + "-e457b5a2e4d86bd1-", ""},
		{long + "-e457b5a2e4d86bd1-2", ""},
		{long + "-e457b5a2e4d86bd1-1-05e3", ""},
		{long + "-e457b5a2e4d86bd1.1", ""},
		{long + "-" + zeros + "-1", ""},
		{zeros + zeros + "-e457b5a2e4d86bd1-1", ""},
	} {
		got, ok := ParseB3([]byte(c.value))
		if ok != (c.want != "") || ok && string(AppendContext(nil, got)) != c.want {
			t.Errorf("%s: got %s (%v), want %q", c.value, AppendContext(nil, got), ok, c.want)
		}
	}
}

// FuzzContext holds any value to what the specification says of it in other
// words, and any context to its round trip.
func FuzzContext(f *testing.F) {
	f.Add([]byte("00-" + trace + "-" + span + "-01"))
	f.Add([]byte("cc-" + trace + "-" + span + "-00-more"))
	f.Add([]byte("64fe8b2a57d3eff7-e457b5a2e4d86bd1-d"))
	f.Fuzz(func(t *testing.T, value []byte) {
		c, ok := ParseContext(value)
		fields := strings.Split(string(value), "-")
		valid := len(fields) >= 4 && (len(fields) == 4 || fields[0] != "00") && fields[0] != "ff" &&
			digits(fields[0], 2) && digits(fields[1], 32) && digits(fields[2], 16) && digits(fields[3], 2) &&
			strings.Trim(fields[1], "0") != "" && strings.Trim(fields[2], "0") != ""
		if ok != valid {
			t.Fatalf("%q is valid: %v, want %v", value, ok, valid)
		}
		b3, isB3 := ParseB3(value)
		for _, c := range []struct {
			Context
			ok bool
		}{{c, ok}, {b3, isB3}} {
			if !c.ok {
				continue
			}
			b := AppendContext(nil, c.Context)
			if again, ok := ParseContext(b); !ok || again != c.Context || len(b) != ContextSize {
				t.Fatalf("%q came back as %+v (%v), want %+v", b, again, ok, c.Context)
			}
		}
	})
}

// digits reports whether s is so many hexadecimal digits in small letters.
func digits(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

func TestContextAllocatesNothing(t *testing.T) {
	value, b := []byte("00-"+trace+"-"+span+"-01"), make([]byte, 0, ContextSize)
	if n := testing.AllocsPerRun(100, func() {
		c, _ := ParseContext(value)
		b = AppendContext(b[:0], c)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
