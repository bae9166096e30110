// Package artifact knows the odd things in real data: mojibake, zero dates,
// sentinels, empty texts beside NULL, and the like.
//
// [Detect] finds them in a value, and [Text], [Number], [Time] and [Date] put
// them into one, so that data that was made has them as often as production has.
// [All] lists them. What one sees in a column only, CaseDuplicates and OverLong,
// Detect does not give; whoever has the whole column counts them.
//
// Orphans, duplicate keys of rows and the like are no artifacts here: they are
// between rows, and the profile has places of its own for them.
//
// Everything is a pure function of its arguments. Detect allocates nothing.
package artifact

import (
	"math/bits"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Artifact is one odd thing.
type Artifact struct {
	Name  string
	Kinds []schema.Kind // of columns that it is found in
	Doc   string        // one sentence
}

// The artifacts: of texts, times, numbers, documents and arrays, in this order.
const (
	Mojibake        = "mojibake"
	Decomposed      = "decomposed"
	Replacement     = "replacement_character"
	Control         = "control_character"
	ZeroWidth       = "zero_width"
	NoBreakSpace    = "no_break_space"
	LeadingSpace    = "leading_space"
	TrailingSpace   = "trailing_space"
	DoubleSpace     = "double_space"
	CaseDuplicates  = "case_duplicates" // of a column
	Empty           = "empty"
	NullWord        = "null_word"
	Emoji           = "emoji"
	RightToLeft     = "right_to_left"
	HTMLEntity      = "html_entity"
	AtLimit         = "at_limit"
	OverLong        = "over_long" // of a column
	LeadingZero     = "leading_zero"
	Quoting         = "quoting"
	LineBreak       = "line_break"
	ZeroDate        = "zero_date"
	YearOne         = "year_one"
	Epoch           = "epoch"
	FarFuture       = "far_future"
	Infinity        = "infinity" // of numbers too
	Future          = "future"
	Midnight        = "midnight"
	Before1900      = "before_1900"
	Negative        = "negative"
	NaN             = "nan"
	Sentinel        = "sentinel"
	NearOverflow    = "near_overflow"
	StringifiedJSON = "stringified_json"
	JSONNull        = "json_null"
	DuplicateKeys   = "duplicate_keys"
	NullElement     = "null_element"
)

// OverLongMultiple is how many of a column's medians a text must exceed to be
// over-long.
const OverLongMultiple = 10

var (
	texts   = []schema.Kind{schema.Text}
	times   = []schema.Kind{schema.Date, schema.Timestamp, schema.Instant}
	numbers = []schema.Kind{schema.Int, schema.Float, schema.Decimal}
	both    = []schema.Kind{schema.Date, schema.Timestamp, schema.Instant, schema.Float, schema.Decimal}
	arrays  = []schema.Kind{schema.Array}
	json    = []schema.Kind{schema.JSON}
)

// all has the artifacts in the order of a Set's bits.
var all = [...]Artifact{
	{Mojibake, texts, "UTF-8 that was read as Latin-1 and stored again: Ã© for é."},
	{Decomposed, texts, "A letter and its accent as two characters (Unicode's form NFD), which looks equal to one and is not."},
	{Replacement, texts, "U+FFFD, where a byte was no text."},
	{Control, texts, "A control character other than tab and line break."},
	{ZeroWidth, texts, "A zero-width space, word joiner or byte order mark."},
	{NoBreakSpace, texts, "A no-break space, which trimming leaves alone."},
	{LeadingSpace, texts, "White space at the beginning."},
	{TrailingSpace, texts, "White space at the end."},
	{DoubleSpace, texts, "Two spaces between words."},
	{CaseDuplicates, texts, "Two values of the column that differ in case alone."},
	{Empty, texts, "An empty text where NULL was meant."},
	{NullWord, texts, "NULL, N/A, - and the like as a text."},
	{Emoji, texts, "A character beyond U+FFFF or a symbol shown as a picture."},
	{RightToLeft, texts, "Letters that run from right to left."},
	{HTMLEntity, texts, "An entity such as &amp; that was escaped once too often."},
	{AtLimit, texts, "A text of just the declared length, which may have been cut."},
	{OverLong, texts, "A text of more than ten times the column's median."},
	{LeadingZero, texts, "Digits that begin with a zero, which a number would lose."},
	{Quoting, texts, "A quote, backslash or percent sign."},
	{LineBreak, texts, "A line break."},
	{ZeroDate, times, "0000-00-00, or a month or day of zero."},
	{YearOne, times, "0001-01-01, some languages' unset date."},
	{Epoch, times, "1970-01-01 00:00:00 UTC."},
	{FarFuture, times, "The year 2100 or later, often 9999-12-31."},
	{Infinity, both, "infinity or -infinity."},
	{Future, times, "Later than now."},
	{Midnight, []schema.Kind{schema.Timestamp, schema.Instant}, "Midnight sharp: a date stored as a time."},
	{Before1900, times, "Before the year 1900."},
	{Negative, numbers, "Below zero."},
	{NaN, []schema.Kind{schema.Float, schema.Decimal}, "Not a number."},
	{Sentinel, numbers, "-1, 99999, 999999 or 2147483647 in place of a value."},
	{NearOverflow, numbers, "Within a hundredth of where 32 or 64 bits end."},
	{StringifiedJSON, json, "A string that holds a document."},
	{JSONNull, json, "JSON's null beside SQL's NULL."},
	{DuplicateKeys, json, "An object that has a key twice."},
	{NullElement, arrays, "An array with a NULL in it."},
}

// All are the artifacts, those of texts first.
func All() []Artifact { return all[:] }

// Set is a set of artifacts.
type Set uint64

// The bits of a Set, in the order of all.
const (
	isMojibake Set = 1 << iota
	isDecomposed
	isReplacement
	isControl
	isZeroWidth
	isNoBreakSpace
	isLeadingSpace
	isTrailingSpace
	isDoubleSpace
	isCaseDuplicates
	isEmpty
	isNullWord
	isEmoji
	isRightToLeft
	isHTMLEntity
	isAtLimit
	isOverLong
	isLeadingZero
	isQuoting
	isLineBreak
	isZeroDate
	isYearOne
	isEpoch
	isFarFuture
	isInfinity
	isFuture
	isMidnight
	isBefore1900
	isNegative
	isNaN
	isSentinel
	isNearOverflow
	isStringifiedJSON
	isJSONNull
	isDuplicateKeys
	isNullElement
)

// Names are the artifacts of the set, in the order of [All]; nil for none.
func (s Set) Names() []string {
	var out []string
	for ; s != 0; s &= s - 1 {
		out = append(out, all[bits.TrailingZeros64(uint64(s))].Name)
	}
	return out
}

// Has reports whether the set has an artifact.
func (s Set) Has(name string) bool {
	for ; s != 0; s &= s - 1 {
		if all[bits.TrailingZeros64(uint64(s))].Name == name {
			return true
		}
	}
	return false
}
