//go:build !race

package dkim_test

const slow = 1
