// Package words knows what columns mean, and makes realistic values by meaning.
//
// [Guess] names the meaning of a column from its table, its name, its type and
// its comment; [Meaning.Personal], [Meaning.Secret] and [Private] say which
// columns hold what must not leave production. [For] gives a [Maker], whose
// Append makes a value from a number and whose AppendUnique makes a different
// one for each number. Values that come from the same number belong together:
// the city lies in the country and the e-mail address is the person's.
//
// [Shape], [Formats] and [LooksPrivate] look at a text; [FromShape],
// [FromFormat] and [Filler] make texts that look so.
//
// Nothing made here reaches anybody: domains end in example.com, example.org,
// example.net, .example or .test (RFC 2606), telephone numbers and IP addresses
// are in the ranges that are kept for fiction and documentation (where a country
// keeps none, subscribers' numbers begin with zeros), bank codes and card numbers are those of no bank, and password hashes are hashes of nothing.
// Names are frequent ones put together at random.
//
// Everything is a pure function of its arguments. Makers allocate nothing and
// may be used by many goroutines.
package words
