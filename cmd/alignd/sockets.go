package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"

	"alignd/config"
	"alignd/filter/milter"
)

// socketName is FileDescriptorName= of a socket for the MTA. A unit that does not say
// it passes its own name, and systemd before 227 none.
const socketName = "milter"

// passedSockets are the listening sockets that systemd opened and holds while alignd
// restarts: new connections wait in them (sd_listen_fds(3)). There are none when
// alignd was started in another way.
func passedSockets() (passed []net.Listener, err error) {
	for _, f := range activation.Files(true) {
		ln, failed := passedSocket(f)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("socket that systemd passes: %w", failed))
			continue
		}
		passed = append(passed, ln)
	}
	if err != nil {
		closeAll(passed)
		return nil, err
	}
	return passed, nil
}

func passedSocket(f *os.File) (net.Listener, error) {
	defer f.Close()
	name := f.Name()
	ours := name == socketName || name == "unknown" || strings.HasSuffix(name, ".socket") || strings.HasPrefix(name, "LISTEN_FD_")
	if !ours {
		return nil, fmt.Errorf("%q is not a name that alignd knows (FileDescriptorName=%s is for the MTA, with Accept=no)", name, socketName)
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("%s: not a stream that is listened on (ListenStream=, Accept=no): %w", name, err)
	}
	return ln, nil
}

func closeAll(all []net.Listener) {
	for _, ln := range all {
		ln.Close()
	}
}

// choosePlaces says where the daemon is to be found. Sockets that systemd passes take
// the place of the default of listen. What an admin wrote, or named with --listen, is
// opened unless a passed socket is just that.
func choosePlaces(cfg *config.Config, named []string, passed []net.Listener) (open []string, unnamed []net.Listener) {
	places := cfg.Listen
	switch {
	case len(named) > 0:
		places = named
	case len(passed) > 0 && !cfg.ListenWritten():
		return nil, nil
	}
	covered := func(place string) bool {
		return slices.ContainsFunc(passed, func(ln net.Listener) bool { return milter.Covers(ln, place) })
	}
	for _, ln := range passed {
		if !slices.ContainsFunc(places, func(place string) bool { return milter.Covers(ln, place) }) {
			unnamed = append(unnamed, ln)
		}
	}
	return slices.DeleteFunc(slices.Clone(places), covered), unnamed
}

// placeOf is the address of a socket as the option listen has it.
func placeOf(ln net.Listener) string {
	if unix, ok := ln.Addr().(*net.UnixAddr); ok {
		return "unix:" + unix.Name
	}
	return "inet:" + ln.Addr().String()
}

func placesOf(all []net.Listener) []string {
	places := make([]string, len(all))
	for i, ln := range all {
		places[i] = placeOf(ln)
	}
	return places
}
