//go:build race

package dkim_test

// slow is how much slower tests run with the race detector.
const slow = 20
