package words

import (
	"testing"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	if got, want := utf8.RuneCountInString(accented), len(plain); got != want {
		t.Fatalf("%d accented letters and %d plain ones", got, want)
	}
	for in, want := range map[string]string{"Müller": "muller", "Şahin": "sahin", "Łukasz": "lukasz", "Žižka": "zizka", "Åsa": "asa", "Щербак": "shcherbak", "Παπαδόπουλος": "papadopoulos", "İbrahim": "ibrahim", "Čermák": "cermak"} {
		if got := ascii(in); got != want {
			t.Errorf("ascii(%q) = %q, want %q", in, got, want)
		}
	}
}
