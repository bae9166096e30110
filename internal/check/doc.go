// Package check asks questions of a leg's telemetry: the built-in checks, and
// expressions in a subset of TraceQL.
//
// [Run] answers one [rehearse.Check] with a finding, [Default] is what a kind
// takes where rehearse.yaml does not say, and [Parse] reads an expression. All
// are pure: no file, no clock, no goroutine. The same telemetry gives the same
// finding, whatever the order of equal spans.
//
// # Questions to populations
//
// A check is asked of every trace that it can be asked of, its samples, and not of
// one. It passes when the telemetry shows that it holds, and fails when it shows
// that it does not. What could not be shown is unverified:
//
//   - no sample, or fewer than the check wants;
//   - spans were lost, and with them what might have failed; or, where a lost span
//     could look like a failure, the failure itself;
//   - calls that the check is about could not be read (TLS), or their requests
//     are unknown, more than one in twenty;
//   - a failure that rests on calls whose request is inferred, in less than half
//     of the samples. Inference may swap the calls of two requests, but it does not
//     change how many there are, so that a failure of most is shown.
//
// # Expressions
//
// An expression selects spans of a trace and compares something of them:
//
//	expression = spanset { "|" stage } .
//	spanset    = operand { operator operand } .
//	operator   = "&&" | "||" | ">" | ">>" | "~" .
//	operand    = "{" [ condition ] "}" | "(" spanset ")" .
//	condition  = term { ( "&&" | "||" ) term } .
//	term       = field comparison literal | "(" condition ")" .
//	comparison = "=" | "!=" | ">" | ">=" | "<" | "<=" | "=~" | "!~" .
//	stage      = "by" "(" field ")" | aggregate comparison literal .
//	aggregate  = "count" "(" ")" | ( "avg" | "min" | "max" | "sum" ) "(" field ")" .
//	field      = "name" | "kind" | "status" | "duration"
//	           | "rootName" | "rootServiceName" | "trace:duration"
//	           | ( "span." | "resource." | "." ) attribute .
//	literal    = string | number | duration | "true" | "false"
//	           | "error" | "ok" | "unset"
//	           | "server" | "client" | "internal" | "producer" | "consumer" | "unspecified" .
//
// The operators > >> ~ bind closer than && and ||, and equals go from left to
// right; && and || beside each other need parentheses. L > R is the spans of R
// whose parent is in L, L >> R those with an ancestor in L, L ~ R those with
// another span in L below the same parent. L && R is all spans of both if both
// have some, L || R is all spans of both. A comparison with an attribute that a
// span does not have, or that is of another type, is false. A regular expression
// matches the whole text. { } is every span.
//
// An expression with stages holds for a trace when every comparison does, in every
// group that by makes; one without stages holds when it selects a span. Where the
// last operator is && > >> or ~, a trace in which its left side selects nothing is
// no sample: the question does not arise. Nor is one in which there is nothing to
// take an average, a least or a greatest of. This is where it differs from TraceQL:
// an expression does not filter, it judges, so that "count() = 0" can hold.
package check
