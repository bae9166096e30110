package cli

import "testing"

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"orders", "orders"},
		{`it's "Größe" 😀`, `it's "Größe" 😀`},
		{"a\tb\nc", `a\tb\nc`},
		{"\x1b[2Jx\u009b", `\x1b[2Jx\u009b`},
	} {
		if got := printable(test.in); got != test.want {
			t.Errorf("printable(%q) = %s, want %s", test.in, got, test.want)
		}
	}
}
