//go:build race

package send

// underRace: SQLite in Go is some twenty times slower with the race detector.
const underRace = true
