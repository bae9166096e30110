// Package likeness scores how alike a generated database is to what it was made
// from.
//
// [Compare] reads the original and the generated database, where both are at
// hand. [Against] needs only the original's data profile, and [Profiles] compares
// two of those. All give a [Report]: one score, the properties that it is the mean
// of, every single score, where most is lost with what was expected and what is
// there, and gates, which must hold whatever the score. It reads its sources and
// writes nothing.
//
// # Definitions
//
// Scores go from 0 to 1 and are those of SDMetrics (https://docs.sdv.dev/sdmetrics),
// by their names there:
//
//   - KSComplement, of numbers, dates and times: one minus the largest distance
//     between the two empirical distribution functions.
//   - TVComplement, of categories and booleans: one minus half the sum of the
//     differences between frequencies.
//   - CorrelationSimilarity, of two continuous columns: one minus half the
//     difference between Pearson's coefficients, rows without a value left out.
//   - ContingencySimilarity, of all other pairs: TVComplement of the pairs of
//     values, NULL being a value. Continuous columns are cut into ten bins of equal
//     width.
//   - CardinalityShapeSimilarity, of references: KSComplement of the number of
//     children of each parent, zero included.
//   - MissingValueSimilarity: one minus the difference of the shares of NULL.
//   - ReferentialIntegrity: the share of references that lead somewhere.
//   - BoundaryAdherence: the share of values within the original's least and
//     greatest; CategoryAdherence: the share that are categories of the original.
//
// The properties of its quality report count: Column Shapes (KSComplement,
// TVComplement), Column Pair Trends (all pairs within a table), Cardinality (all
// references) and Intertable Trends (pairs of a column of the parent and one of the
// child, of the rows joined). A property is the mean of all its single scores,
// whatever table they are of, and the report's score is the mean of the properties
// that there are.
//
// # Which columns are scored
//
// SDMetrics asks for the types of columns; here the schema tells. Integers, floats
// and decimals are numerical, however few values they have. Dates and times are
// datetime. Booleans, enums and texts are boolean and categorical. As in SDMetrics,
// the rest is not scored by value: keys of one column, UUIDs and the columns of
// references are id; columns that the profile calls private are pii; texts of more
// than 50 distinct values that are more than a fifth of all are text; other types
// are unsupported. A column of a key of several columns, and of no reference, is
// scored by its type. Of the unscored ones other than ids the shape is scored, as
// Text Shapes, which does not count: the mean of the likeness of lengths
// (KSComplement) and of formats (TVComplement), by a coarse division into formats.
//
// Artifact Coverage does not count either: of the artifacts (package artifact) that
// each column of the original has, the share that the generated one has at all.
//
// # Deviations
//
//   - Bins are the original's for both sides, and NULL has one of its own. That is
//     the metric's definition; SDMetrics' report cuts each side by its own bounds
//     and puts NULL into the last bin. [Options.OwnEdges] cuts as the report does.
//   - SDMetrics takes 50,000 random rows for ContingencySimilarity. Here the rows
//     are those of [Options.Rows], for all scores alike.
//   - Where SDMetrics has no score, because the generated side has no value, is
//     constant, or lacks the table or column, the score is that of the worst: 0, or
//     a coefficient of 0. Where the original has no value, or no coefficient, there
//     is no score, as in SDMetrics. Tables that are empty in the original, and
//     references that no row of it makes, are left out.
//   - Later versions of SDMetrics average only the pairs that go together in the
//     original: |r| above 0.5, Cramér's V above 0.3. The score here is that of all
//     pairs, as in its published examples; [Property.Strong] is the other.
//   - Across one reference at most [Options.PairsPerReference] pairs are scored.
//   - Infinite times count in KSComplement, and in no coefficient and no bin.
//
// # From profiles
//
// Profiles hold less than rows, and so do scores from them. A distribution of
// numbers or times is a mixture: listed values, and lines between quantiles; times
// are compared as they lie from when each profile was taken. Of categories the
// values that the first profile lists are compared, all others being one. Children
// are spread evenly within each bucket of their histogram. Pairs are those alone
// that the first profile tells of, by its dependences, classes and affinities, over
// its buckets: ContingencySimilarity throughout. What leads from the one column to
// the other in the second profile may be another way of dependences; where there is
// none, the columns count as independent. A pair that the first profile tells nothing
// of is not scored, so that these trends are of strong pairs and lower than those of
// all pairs. Unique integers are id.
//
// # Gates
//
// "referential integrity" holds where every reference of the generated database
// leads somewhere; references that no constraint proves in the original, and of
// which some lead nowhere there, are not held to it. "constraint validity" holds
// where every proven constraint of the original is in the generated database's
// catalogue, and valid: then the server itself has checked every row.
//
// # Privacy
//
// Reports name values of the original only where at least k rows share them, k
// being the profile's or 20; quantiles only where k rows lie at and beyond them;
// and nothing of free texts. With a profile, private columns are not named at all.
package likeness
