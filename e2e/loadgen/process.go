package loadgen

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the CPU times in /proc (USER_HZ, the same on all Linux).
const tick = 10 * time.Millisecond

// Usage is what a process has used so far.
type Usage struct {
	CPU       time.Duration // user and system
	RSS, Peak int64         // octets of resident set, now and at most
}

// Process reads the usage of a process from /proc.
func Process(pid int) (u Usage, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// The name may hold anything, so fields are counted behind its parenthesis.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, err
		}
		u.CPU += time.Duration(n) * tick
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		if name == "VmRSS" || name == "VmHWM" {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				return u, err
			}
			if name == "VmRSS" {
				u.RSS = kib << 10
			} else {
				u.Peak = kib << 10
			}
		}
	}
	return u, nil
}
