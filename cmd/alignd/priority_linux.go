package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// lowerPriority is for all threads of this process, which on Linux have each their own.
// New ones have that of the one that makes them, so it is over when all have it. That it
// fails is no reason not to work.
func lowerPriority(nice int) {
	for range 10 {
		lowered := false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return
		}
		for _, t := range tasks {
			id, _ := strconv.Atoi(t.Name())
			// The system call tells 20 less the value.
			if p, err := unix.Getpriority(unix.PRIO_PROCESS, id); err == nil && 20-p < nice {
				lowered = unix.Setpriority(unix.PRIO_PROCESS, id, nice) == nil || lowered
			}
		}
		if !lowered {
			return
		}
	}
}
