package owned

import (
	"fmt"
	"log/slog"
)

// Guarded keeps a panic of what is beside mail from ending the daemon.
func Guarded(log *slog.Logger, what string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("a part of alignd failed and is off until a restart, mail goes on", "part", what, "panic", fmt.Sprint(p))
		}
	}()
	f()
}
