package main

import "testing"

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ charset, in, want string }{
		{"UTF-8", "Gr\u00fc\u00dfe", "Grüße"},
		{"utf-8", "Gr\xfc\xdfe", "Gr\ufffde"},
		{"ISO-8859-1", "Gr\xfc\xdfe", "Grüße"},
		{"koi8-r", "Gr\xfc\xdfe", "Gr\ufffd\ufffde"},
	} {
		if got, err := decode(tt.charset, []byte(tt.in), replace); err != nil || got != tt.want {
			t.Errorf("decode(%q, %q): got %q, %v, want %q", tt.charset, tt.in, got, err, tt.want)
		}
	}
	if got, err := decode("koi8-r", []byte("a"), refuse); err == nil {
		t.Errorf("a character set that is not known: got %q, want an error", got)
	}
}
