// Package resolver asks DNS for all of alignd.
package resolver
