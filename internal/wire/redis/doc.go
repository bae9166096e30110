// Package redis is the editor and the follower of Redis connections, RESP2 and
// RESP3. Of the latter see [Follower].
//
// The editor follows commands, as arrays or inline, and counts answers, so that
// one of its own comes in its turn. A command's key is known where the command
// is: see keyOf. Pushed messages are nobody's answer and pass. Behind MONITOR, SYNC,
// CLIENT REPLY, and behind a SUBSCRIBE in RESP2, answers cannot be counted any
// more, and all passes unchanged.
//
// What the faults do:
//
//   - redis-error does not forward the command and answers with the error.
//     Between MULTI and EXEC a command that Redis refuses to queue goes in its
//     place, so that EXEC fails as it does behind any such error; for EXEC
//     itself a DISCARD does.
//   - evict sends UNLINK of the key in front of the command and swallows the
//     answer. The key is really gone, for all clients. Not between MULTI and
//     EXEC, where it would become a part of the transaction.
//   - delay holds the command, or with the direction down its answer.
//
// On a connection that is taken over live, a MULTI may be open that the editor
// has not seen. Until an answer tells, it is taken for open.
package redis
