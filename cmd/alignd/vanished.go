package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"alignd/filter/milter"
)

// lookForSockets is how often alignd looks whether its unix sockets are still where those
// look for them who connect; ours.
const lookForSockets = 2 * time.Second

// socketWatch opens unix sockets again whose file was removed or replaced: nobody reaches
// them any more. Of those of the MTA all mail would be put off until a restart. A nil one
// watches none.
type socketWatch struct {
	log     *slog.Logger
	who     string // connects to them
	options milter.SocketOptions
	passed  []net.Listener            // that systemd opened
	serve   func(net.Listener)        // one that was opened again; it does not wait
	open    map[string]*watchedSocket // by place, the ones that serve now
}

type watchedSocket struct {
	net.Listener
	file fs.FileInfo // as it was opened; nil where it could not be looked at
	told string      // the fault that the log told last; "" once it is over
}

// begin is for sockets that were opened just now: their files are alignd's.
func (w *socketWatch) begin(list []net.Listener) *socketWatch {
	w.open = map[string]*watchedSocket{}
	for _, l := range list {
		if u, ok := l.Addr().(*net.UnixAddr); ok && filepath.IsAbs(u.Name) { // else it has no file
			w.open[placeOf(l)] = watchSocket(l)
		}
	}
	return w
}

func watchSocket(l net.Listener) *watchedSocket {
	s := &watchedSocket{Listener: l}
	if info, err := os.Lstat(s.path()); err == nil {
		s.file = info
	}
	return s
}

func (s *watchedSocket) path() string { return s.Addr().(*net.UnixAddr).Name }

// lost says what became of the file; "" while it is there. Another socket at its place is
// that of another program, or a dead one, as of a folder that was restored.
func (s *watchedSocket) lost() string {
	now, err := os.Lstat(s.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "was removed"
	case err == nil && s.file != nil && !os.SameFile(now, s.file):
		return "was replaced"
	}
	return ""
}

// disown leaves the file where it is when the socket is closed: it is another one's.
func (s *watchedSocket) disown() {
	if l, ok := s.Listener.(*net.UnixListener); ok {
		l.SetUnlinkOnClose(false)
	}
}

// look opens again what is lost. One that systemd passed is systemd's to open, and where
// another process listens, it stays.
func (w *socketWatch) look() {
	if w == nil {
		return
	}
	for place, s := range w.open {
		lost := s.lost()
		if lost == "" {
			s.told = ""
			continue
		}
		if slices.Contains(w.passed, s.Listener) {
			w.tell(s, w.who+" does not find the socket, its file "+lost+": stop and start the unit that opened it (alignd.socket), and alignd with it")
			continue
		}
		again, err := milter.Listen(place, w.options)
		if err != nil {
			w.tell(s, w.who+" does not find the socket, its file "+lost+", and it cannot be opened again", "err", err)
			continue
		}
		w.open[place] = watchSocket(again)
		w.log.Error("the file of the socket "+lost+", it is opened again", "listen", place)
		w.serve(again)
		s.disown() // the file is the new one's
		s.Close()
	}
}

// until looks now and then, until stop, or until one of the sockets cannot be served.
func (w *socketWatch) until(stop <-chan struct{}, failed <-chan error) error {
	tick := time.NewTicker(lookForSockets)
	defer tick.Stop()
	defer w.leave()
	for {
		select {
		case <-tick.C:
			w.look()
		case <-stop:
			return nil
		case err := <-failed:
			return err
		}
	}
}

// leave is for the end: what others put in the place of a socket stays.
func (w *socketWatch) leave() {
	if w == nil {
		return
	}
	for _, s := range w.open {
		if s.lost() != "" {
			s.disown()
		}
	}
}

// tell says it once, until the file is there again.
func (w *socketWatch) tell(s *watchedSocket, problem string, more ...any) {
	if s.told != problem {
		s.told = problem
		w.log.Error(problem, append([]any{"listen", placeOf(s)}, more...)...)
	}
}
