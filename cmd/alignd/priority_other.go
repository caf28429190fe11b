//go:build unix && !linux

package main

import "golang.org/x/sys/unix"

// lowerPriority is for this process. That it fails is no reason not to work.
func lowerPriority(nice int) {
	if p, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil && p < nice {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, nice)
	}
}
