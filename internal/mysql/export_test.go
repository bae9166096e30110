package mysql

import "time"

// Age makes the snapshot that samples are taken from older.
func (db *DB) Age(by time.Duration) { db.sampled = db.sampled.Add(-by) }
