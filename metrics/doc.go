// Package metrics is what Prometheus is told: a record.Sink that counts messages,
// and an HTTP handler with the counts and the state of the daemon.
//
// What a label can say is a closed set, known before the first message: words that
// are not in it count as "other", so no sender can make series. The labels whose
// words come from the configuration (rules, the hash) change with a reload; series of
// rules that are gone go too. docs/monitoring.md lists every metric, and a test
// compares the list with the code.
//
// The package registers nothing globally and starts nothing by itself.
package metrics
