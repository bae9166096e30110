// Package trace makes traces of spans: it joins what services' SDKs tell with
// what links have seen, finds the parents of calls that carried no trace
// context, says where each request's time went, and which pools of connections
// were too small. Most people call [Assemble].
//
// # Parents
//
// A parent that an SDK or a header names is taken as it is. A call of service S
// without one belongs to one of the requests that S was working on. What follows
// is tried in this order; [rehearse.Known] says what fitted.
//
//   - An SDK's client span of the same call: the two become one node, which is
//     the SDK's span with the link's measurements.
//   - alone: when the call began, S had one request in flight, and the call ended
//     before it.
//   - owned: the calls of one transaction share their parent. If the first of
//     them was alone, all are certain.
//   - template: the calls that an operation makes are learned from its requests
//     whose calls are all certain. A request gets the calls that follow the
//     template and end where it ends, matched one to one.
//   - nearest: the request that ended right after the call, or the only one whose
//     time covers it.
//   - unknown: the call is in Loose.
//
// A statement that S also makes when it has no request in flight (a health
// check's, a migration's) is background work. It is never alone's; unless a
// template claims it, it is the root of a trace of its own, whose operation is
// "S (background) NAME". Coverage does not count background work, nor the
// requests from outside, which have no parent to be found.
//
// Links have one clock, and it is the truth: spans of SDKs that lie outside of
// the link's span that caused them are moved into it.
//
// # Limits
//
// What a service does for a request after it has answered looks like background
// work, or like another request's. A background job that only ever ran while
// exactly one request was in flight is taken for that request's.
//
// The package is pure: it has no clock and reads no files. The result is the
// same for any order of the input.
package trace
