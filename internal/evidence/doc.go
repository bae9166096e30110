// Package evidence keeps the run directory: what a rehearsal saw, written once
// and never changed.
//
//	.rehearse/
//	├── .gitignore                  "*": nothing in here is for a repository
//	└── runs/20261122-161207-4f9k/
//	    ├── run.json                who ran what: [Meta]
//	    ├── production/             one directory a leg
//	    │   ├── evidence.jsonl      one rehearse.Record a line
//	    │   ├── samples/peak.jsonl  one rehearse.Sample a line, for each load step
//	    │   ├── logs/db.log         standard output and standard error of each service
//	    │   └── suites/e2e/         output, results and artifacts of each suite
//	    └── report.html …           written by others, never read here
//
// [Create] starts a run and [Open] reads one back. Every record is appended with
// a single write, so a rehearsal that dies leaves whole lines and at most one cut
// line. Open reads whatever is there: what is cut, missing or changed becomes a
// sentence in rehearse.Evidence.Damage, never a panic, and seldom an error.
//
// An environment that stands without a run keeps such a file of records, too:
// [CreateRecords] makes it, and a [Follower] reads it, or that of a run under way.
//
// Secrets do not reach the directory: what a plan calls a secret is taken out of it by
// name ([Redact]), and then, of every record, sample and log, by value ([Secrets]).
package evidence
