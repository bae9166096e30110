package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// decode is what b says in a character set, by the name that mail gives it.
func decode(charset string, b []byte, unknown func(charset string, b []byte) (string, error)) (string, error) {
	switch strings.ToLower(charset) {
	case "utf-8", "us-ascii":
		return strings.ToValidUTF8(string(b), string(utf8.RuneError)), nil
	case "iso-8859-1", "latin1":
		return latin1(b), nil
	default:
		return unknown(charset, b)
	}
}

// latin1 is simple: its first 256 code points are Unicode's.
func latin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

func refuse(charset string, _ []byte) (string, error) {
	return "", fmt.Errorf("unknown character set %q", charset)
}

// replace keeps ASCII, which nearly all sets have in common.
func replace(_ string, b []byte) (string, error) {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return utf8.RuneError
		}
		return r
	}, latin1(b)), nil
}
