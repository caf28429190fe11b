package owned

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Guarded keeps a panic of what is beside mail from ending the daemon.
func Guarded(log *slog.Logger, what string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			tell(log, "a part of alignd failed and is off until a restart, mail goes on", what, p)
		}
	}()
	f()
}

// ErrPanic is what Tried returns after a panic.
var ErrPanic = errors.New("it failed inside")

// Tried is what f returns. A panic is told to the log and is an ErrPanic: for work
// beside mail whose owner knows what to do when it fails. What f left half done is not
// to be relied on.
func Tried(log *slog.Logger, what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			tell(log, "a part of alignd failed, mail goes on", what, p)
			err = fmt.Errorf("%w: %v", ErrPanic, valueOf(p))
		}
	}()
	return f()
}

// tell has the stack of where it came from, also where that was a goroutine of a Group.
func tell(log *slog.Logger, message, what string, p any) {
	stack := debug.Stack()
	if nested, ok := p.(*Panic); ok {
		stack = nested.Stack
	}
	log.Error(message, "part", what, "panic", fmt.Sprint(valueOf(p)), "stack", string(stack))
}

func valueOf(p any) any {
	if nested, ok := p.(*Panic); ok {
		return nested.Value
	}
	return p
}
