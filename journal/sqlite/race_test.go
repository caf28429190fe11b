//go:build race

package sqlite

// underRace: SQLite in Go is some twenty times slower with the race detector, and what it
// does by itself is not what that is to find.
const underRace = true
