//go:build !linux

package facts

import "alignd/doctor"

func hasACL(string) bool { return false }

func kernelClock() doctor.Clock { return doctor.Clock{} }
