package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"alignd/filter/milter"
)

// lookForSockets is how often alignd looks whether its unix sockets are still where the
// MTA looks for them; ours.
const lookForSockets = 2 * time.Second

// socketWatch opens unix sockets again whose file was removed: nobody reaches them any
// more, and the MTA would put off all mail until a restart.
type socketWatch struct {
	d    *daemon
	open map[string]net.Listener // by place, the ones that serve now
	told map[string]bool         // places whose file is missing, which the log said
}

func (d *daemon) watchSockets() *socketWatch {
	w := &socketWatch{d: d, open: map[string]net.Listener{}, told: map[string]bool{}}
	for _, l := range d.open {
		if u, ok := l.Addr().(*net.UnixAddr); ok && filepath.IsAbs(u.Name) { // else it has no file
			w.open[placeOf(l)] = l
		}
	}
	return w
}

// look opens again what is missing. One that systemd passed is systemd's to open.
func (w *socketWatch) look(failed chan<- error) {
	for place, l := range w.open {
		path := l.Addr().(*net.UnixAddr).Name
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			delete(w.told, place)
			continue
		}
		if slices.Contains(w.d.passed, l) {
			w.tell(place, "the MTA does not find the socket, its file was removed: stop and start the unit that opened it (alignd.socket), and alignd with it")
			continue
		}
		again, err := milter.Listen(place, w.d.socketOptions())
		if err != nil {
			w.tell(place, "the MTA does not find the socket, its file was removed, and it cannot be opened again", "err", err)
			continue
		}
		w.d.log.Error("the file of the socket was removed, it is opened again", "listen", place)
		w.d.serve(again, failed)
		if old, ok := l.(*net.UnixListener); ok {
			old.SetUnlinkOnClose(false) // the file is the new one's
		}
		l.Close()
		w.open[place] = again
	}
}

// tell says it once, until the file is there again.
func (w *socketWatch) tell(place, problem string, more ...any) {
	if !w.told[place] {
		w.told[place] = true
		w.d.log.Error(problem, append([]any{"listen", place}, more...)...)
	}
}
