package facts

import (
	"golang.org/x/sys/unix"

	"alignd/doctor"
)

// hasACL reports whether access control lists decide besides the mode (acl(5)).
func hasACL(name string) bool {
	n, err := unix.Getxattr(name, "system.posix_acl_access", nil)
	return err == nil && n > 0
}

// kernelClock asks the kernel, which is told by whatever keeps the clock
// (adjtimex(2)); asking needs no right.
func kernelClock() doctor.Clock {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return doctor.Clock{}
	}
	const staUnsync = 0x40 // STA_UNSYNC
	return doctor.Clock{Known: true, Synchronised: state != unix.TIME_ERROR && t.Status&staUnsync == 0, Source: "the kernel (adjtimex)"}
}
