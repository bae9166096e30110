package words

import (
	"strings"
	"unicode"
)

// fold takes the accent off a letter.
func fold(r rune) rune {
	if r < 0x80 {
		return r
	}
	if i := strings.IndexRune(accented, r); i >= 0 {
		n := 0
		for range accented[:i] {
			n++
		}
		return rune(plain[n])
	}
	return r
}

const (
	accented = "àáâãäåāăąçćčďèéêëēęěğìíîïīıłñńňòóôõöøőřśşšșťțùúûüůűýÿźżžßÀÁÂÃÄÅÇČÈÉÊËÌÍÎÏİŁÑÒÓÔÕÖØŘŚŞŠÙÚÛÜŮÝŹŻŽ"
	plain    = "aaaaaaaaacccdeeeeeeegiiiiiilnnnooooooorsssstt" + "uuuuuuyyzzzs" + "AAAAAACCEEEEIIIIILNOOOOOORSSSUUUUUYZZZ"
)

// ascii writes a name in lower-case ASCII letters, as one does in an e-mail
// address.
func ascii(name string) string {
	var b strings.Builder
	for _, r := range greekOu.Replace(name) {
		r = fold(unicode.ToLower(r))
		switch {
		case r >= 'a' && r <= 'z':
			b.WriteRune(r)
		default:
			b.WriteString(romanised[r])
		}
	}
	return b.String()
}

var greekOu = strings.NewReplacer("ου", "ou", "ού", "ou")

// romanised are the letters of Cyrillic and Greek. The letters of other scripts
// are not written one by one: their names carry their Latin form.
var romanised = func() map[rune]string {
	out := map[rune]string{}
	for _, pair := range strings.Fields(`а-a б-b в-v г-g д-d е-e ё-e ж-zh з-z и-i й-y к-k л-l м-m н-n о-o п-p р-r с-s т-t у-u ф-f х-kh ц-ts ч-ch ш-sh щ-shch ы-y э-e ю-yu я-ya
		і-i ї-yi є-ye ґ-g α-a ά-a β-v γ-g δ-d ε-e έ-e ζ-z η-i ή-i θ-th ι-i ί-i ϊ-i κ-k λ-l μ-m ν-n ξ-x ο-o ό-o π-p ρ-r σ-s ς-s τ-t υ-y ύ-y φ-f χ-ch ψ-ps ω-o ώ-o`) {
		letter, latin, _ := strings.Cut(pair, "-")
		out[[]rune(letter)[0]] = latin
	}
	return out
}()
