// Package llm asks a language model, once per schema, what its columns mean and
// which rules its rows obey. The model plans; it never sees a value.
//
// [Ask] sends names, types, comments, keys and references, and gets a [Plan],
// which is a file that people review and commit ([Read], [Plan.Write]).
// [Validate] takes from a plan what the schema bears out. Tables whose
// fingerprint has not changed are not asked about again. Everything that uses a
// plan works without one.
//
// # What is sent
//
// Of each table its name, comment, and columns with their types, comments and
// whether they may be NULL; primary and unique keys, foreign keys, labels of enums,
// and of CHECK constraints either the list of permitted values or the expression
// with every literal taken out. Of all other tables the name and primary key, so
// that references to them can be found. Defaults, literals, predicates of indexes,
// rows and statistics are not sent, and this package is never given them. Comments
// are sent as they are: who keeps data in comments had better not.
//
// # What comes back
//
// The answer is data. It is read into a plan and nothing else: rules are
// expressions that package schema evaluates, not SQL that is run, and what does not
// fit the schema is dropped, each with a problem that says why. So the most that an
// instruction in a column's comment can do is a wrong meaning in a file that is
// reviewed.
//
// # The file
//
//		version: 1
//		model: claude-sonnet-4-6
//		prompt: 1
//		locales: [de-DE, fr-FR]
//		tables:
//		  orders:
//		    fingerprint: 0123456789abcdef0123456789abcdef
//		    columns:
//		      ship_to: {meaning: full_address, why: where the parcel goes, confidence: 0.9}
//		    references:
//		      - {columns: [customer], table: customers, to: [id], why: the buyer, confidence: 0.8}
//		    rules:
//		      - {rule: placed_at <= shipped_at, why: parcels leave after the order, confidence: 0.95}
//		      - {column: total, rule: quantity * price, why: the order's value, confidence: 0.7}
//
//	  - version: always 1. Required.
//	  - model, prompt: what was asked and with which version of the question.
//	  - locales: where people in the data are likely to be, as in de-DE.
//	  - tables: by the name that profiles use. The fingerprint is of what was sent of
//	    the table; without one the table is asked about again.
//	  - columns: for each a meaning, as package words names them.
//	  - references: which no constraint states.
//	  - rules: expressions in the server's SQL that are true of every row, or where a
//	    column is named, what it is computed from.
//	  - why, confidence: for who reviews. The confidence is from 0 to 1.
//
// An unknown key is an error. All problems of a file are reported together, as
// [rehearse.Problems], each with its line.
package llm
