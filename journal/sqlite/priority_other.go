//go:build !linux

package sqlite

// lowerPriority does nothing where threads have none of their own.
func lowerPriority() {}
