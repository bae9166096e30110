// # The data profile
//
// A data profile is the shape of what a database holds. It is written by "rehearse
// data profile", and people read it, review it and may edit it:
//
//	version: 1
//	source: {engine: postgres, version: "15.18", taken: '2026-11-22T14:00:00Z', sample: 30000}
//	privacy: {k: 20, listed: 5, withheld: 1}
//	tables:
//	  orders:
//	    rows: 504766
//	    pages: 6100
//	    churn: {inserts: 1200, updates: 3400, dead: 0.06}
//	    indexes: {orders_pkey: 1387}
//	    columns:
//	      id: {type: bigint, distinct: 504766, unique: true, sequence: 611022}
//	      status: {type: text, null: 0.01, values: {paid: 0.62, open: 0.3}}
//	      amount: {type: "numeric(10,2)", numbers: {quantiles: [0.9, 11, 36, 980], scale: 2}}
//	      made: {type: date, times: {quantiles: [-900d, -90d, -1d], unit: day}}
//	      email: {type: text, private: "personal: email", text: {length: [14, 21, 40], formats: {email: 0.99}}}
//	      extra: {type: jsonb, json: {kinds: {object: 1}, keys: {size: {share: 0.4, kinds: {number: 1}}}}}
//	    references:
//	      - {columns: [user_id], table: users, to: [id], children: {0: 0.35, 1: 0.5, 11-13: [0.15, 11.8]}}
//	    depends:
//	      - column: currency
//	        on: user_id -> country
//	        strength: 0.98
//	        given:
//	          =DE: {share: 0.4, then: {=EUR: 1}}
//	    orders:
//	      - {low: made, high: shipped, holds: 0.999, gap: [0, 3600, 86400]}
//	    keys:
//	      - {columns: [number], duplicates: 0.001}
//	statements:
//	  - {sql: SELECT * FROM orders WHERE user_id = $1, calls: 90000}
//
// The keys are those of [Data] and of what is in it, in lower case, and mean what
// is said there; what is zero is left out. Shares are from 0 to 1 with four
// significant digits. Values, shapes, formats, scripts, kinds and artifacts are
// mappings to shares, the most common first. Times are spans such as -90d4h30m or
// 1.5s, from source.taken on. Numbers of children are a mapping too: one number to
// its share, or two, from and to, to a list of the share and the mean.
//
// Required are version, source and privacy.
package profile
