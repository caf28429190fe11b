// Package journal keeps records and finds them again.
//
// A Sink writes each record to a spool (package spool) before its message is answered.
// A Loader takes them from there in batches into a Store: SQLite (journal/sqlite), or
// PostgreSQL (journal/postgres) where several hosts share one. Mail never waits for the
// store. Each file of a store, or the database, has what it has taken with the number of the
// last frame in one transaction, so each record is kept exactly once, whatever is killed
// when.
//
// # Files
//
//	journal.go     entries, queries, columns and stores
//	survey.go      what some stores can besides; finder.go
//	sink.go        records into the spool; load.go: from there into stores; feed.go: one of these stores
//	batch.go       records whose answer is not known yet; answer.go: whether the MTA heard it
//	aside.go       records that no store takes; doubted.go: those in doubt
//	block.go       many entries packed; dictionary.go: what they have in common
//	export.go      a file of entries; exportstore.go: from a store; import.go: into a store
//	retention.go   against a clock that is wrong
package journal
