// Package profile reads the files that say what production is like. It knows two
// of them: the traffic profile, which [ReadTraffic] reads and [Traffic.Over] makes
// concrete for one load step, and the data profile, which [ReadData] reads and
// [Data.Write] writes.
//
// # The traffic profile
//
// A traffic profile is a YAML file that says what arrives at the service, when,
// and from where. It holds no value from production itself and is safe to
// commit. A complete one:
//
//	# what arrives at the service at the peak of the day
//	version: 1
//	description: the quarter of an hour after lunch, ninety times as fast
//	duration: 20s
//	arrivals: poisson
//	timeout: 5s
//	rate:
//	  - {at: 0s, rps: 5}
//	  - {at: 7s, rps: 32}
//	origins: {eu-west-1: 0.7, us-east-1: 0.3}
//	lists: {template: [invoice, receipt]}
//	requests:
//	  - name: create
//	    weight: 8
//	    method: POST
//	    path: /documents
//	    headers: {Content-Type: application/json}
//	    body: '{"template":"{{pick "template"}}","customer":{{int 1 5000}}}'
//	    capture: {id: $.id}
//	    status: [201]
//	    contains: ['"id"']
//	  - name: read
//	    weight: 2
//	    path: /documents/{{captured "id"}}
//
// # Keys of the file
//
//   - version: always 1. Required.
//   - description: free text for readers.
//   - duration: the length of the time axis, as in 20s or 5m. Required. A load
//     step of another length stretches the axis and leaves the rates as they are.
//   - arrivals: "poisson", the default, for independent users, or "even" for a
//     fixed beat.
//   - timeout: how long a client waits for its answer, 10s unless given.
//   - rate: requests per second (rps) at points in time (at), in ascending order.
//     The rate is linear between two points, and constant before the first and
//     after the last. At least one point is required, and one rate above 0.
//   - origins: the regions that requests come from, with their weights. Without
//     it, requests come from nowhere in particular.
//   - lists: named lists of values, for the function pick.
//   - requests: the mix. At least one is required.
//
// # Keys of a request
//
//   - name: unique; thresholds and reports speak of the request by it. Required.
//   - weight: the request's share of the mix, relative to the others. Above 0,
//     1 unless given.
//   - method: GET unless given; else HEAD, POST, PUT, PATCH, DELETE or OPTIONS.
//   - path: a template that starts with "/", query included. Required.
//   - headers: names and templates of their values.
//   - body: a template.
//   - capture: names, and for each the path of a value in the JSON answer, as in
//     $.items[0].id. The values are kept for the templates of later requests.
//   - status: the statuses that count as success, 200 to 399 unless given.
//   - contains: texts that the answer's body must hold. Each is a check.
//
// # Templates
//
// Templates are Go's text/template with these functions, drawn anew for each
// request:
//
//   - pick "LIST": a value of the named list.
//   - int LOW HIGH: a whole number, both ends included.
//   - uuid: a random UUID.
//   - seq: the number of the request in this run, from 1; the same everywhere in
//     one request.
//   - captured "NAME": a value that an earlier answer gave. While there is none,
//     another request of the mix takes the request's place, so at least one
//     request must do without.
//   - text N: lower-case words of about N characters.
//
// Go's own functions are there too: in the query of a path, for instance, words
// need {{urlquery (text 20)}}.
//
// # Errors
//
// An unknown key is an error, so that a mistyped one does not silently change a
// rehearsal. All problems of a file are reported together, as
// [rehearse.Problems], each with its line.
//
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
//	    classes:
//	      of: [status, made]
//	      usual: {status: "=paid", made: q1}
//	      list:
//	        - {share: 0.6}
//	        - {share: 0.3, is: {status: "=open", made: "null"}}
//	        - {share: 0.1, open: [made]}
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
