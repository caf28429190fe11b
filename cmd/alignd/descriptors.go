package main

import (
	"log/slog"
	"syscall"

	"alignd/config"
	"alignd/metrics"
)

const (
	// questionsWanted is how many DNS questions may be under way at a time, for
	// policies and for all else separately, each with a socket.
	questionsWanted = 1024
	// otherDescriptors are for what is neither a connection nor a question under
	// way: standard streams, listeners, files of a reload.
	otherDescriptors = 72
)

// descriptors says how many connections and DNS questions there may be, so that
// they have a file descriptor each. A question that gets none looks like a fault of
// the sender's DNS, and mail whose policy is then unknown would be accepted.
type descriptors struct {
	connections int
	questions   int // for policies, and as many for all else
}

// divide shares out limit descriptors; half of them are for connections.
func divide(limit uint64, connections int) descriptors {
	if limit >= uint64(connections)+2*questionsWanted+otherDescriptors {
		return descriptors{connections, questionsWanted}
	}
	room := max(0, int(limit)-otherDescriptors)
	return descriptors{
		connections: min(connections, max(1, room/2)),
		questions:   min(questionsWanted, max(1, room/4)),
	}
}

// divideDescriptors is divide for this process, with a warning where it falls short.
// Go has raised the soft limit as far as it goes.
func divideDescriptors(cfg *config.Config, log *slog.Logger) descriptors {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		log.Warn("limit of file descriptors is unknown", "err", err)
		return descriptors{cfg.Limits.Connections, questionsWanted}
	}
	room := uint64(limit.Cur)
	if n := uint64(len(cfg.Metrics.Listen)); n > 0 {
		room -= min(room, n*(1+metrics.MaxConns)) // a listener each, and its clients
	}
	share := divide(room, cfg.Limits.Connections)
	if share.connections < cfg.Limits.Connections || share.questions < questionsWanted {
		log.Warn("this process may open few files, so it serves less at a time: raise its limit (ulimit -n, LimitNOFILE)",
			"limit", limit.Cur, "connections", share.connections, "dns_questions", 2*share.questions)
	}
	return share
}
