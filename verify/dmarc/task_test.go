package dmarc

import "testing"

func TestAPanicIsToldOnce(t *testing.T) {
	task := spawn(func() { panic("no") })
	waits := func() (panicked bool) {
		defer func() { panicked = recover() != nil }()
		task.wait()
		return false
	}
	if !waits() {
		t.Error("the first to wait is not told")
	}
	if waits() {
		t.Error("the second is told again")
	}
}
