// Package report turns what a run showed into something to read: [Terminal] for
// the person who waits, [Markdown] for a pull request, [HTML] for whoever wants
// to understand, [JSON] and [JUnit] for machines. [Waterfall] and [TraceTable]
// do the same for the traces of an environment.
//
// Every function takes the whole report, with its verdicts made, or the traces
// that it shows, and writes to w; the only errors are the writer's. The same input
// always gives the same bytes.
//
// Reports show a link when the project declares it or when it carried traffic.
// Text from evidence is never trusted: it is escaped for each format, and control
// characters do not reach a terminal.
package report
