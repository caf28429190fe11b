// Package stack makes room on the stack of a new goroutine while there is
// nothing on it yet. Left to itself a stack doubles until it suffices, and each
// time the runtime walks the frames of a deep call. The collector takes the room
// back from a goroutine that does not use it.
package stack

import "runtime"

// Grow8K makes room for what a DNS question needs.
//
//go:noinline
func Grow8K() {
	var room [5 << 10]byte
	runtime.KeepAlive(&room)
}

// Grow16K makes room for what the verification of a signature needs.
//
//go:noinline
func Grow16K() {
	var room [12 << 10]byte
	runtime.KeepAlive(&room)
}
