package sqlite

import "golang.org/x/sys/unix"

// lowerPriority is for the calling thread. That it fails is no reason not to work.
func lowerPriority() { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 19) }
