package relay

import (
	"bytes"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/header"
)

// Chain reads the Received fields, topmost first, at most max of them. It is what
// Find goes by, now or later under other trusted relays, and what people see; no
// address in it is proven.
func Chain(fields *header.Fields, max int) []evidence.Hop {
	var few [8]int
	at := fields.AppendNamed(few[:0], "Received")
	if len(at) == 0 {
		return nil
	}
	hops := make([]evidence.Hop, 0, min(len(at), max))
	for _, i := range at[:min(len(at), max)] {
		hops = append(hops, chainHop(fields.At(i).Value()))
	}
	return hops
}

// maxChainText is how much of a name is kept, in octets; longer HELO names are not
// read at all.
const maxChainText = maxHELO

func chainHop(value []byte) evidence.Hop {
	h, problem := parseReceived(value)
	return evidence.Hop{
		From: host(h.helo), Addr: h.ip, By: host(h.by), With: h.way.String(), Time: receivedTime(value),
		Queued: h.queued, Socket: h.socket, Problem: problem,
	}
}

// hasFrom reports whether the field says from whom the message came.
func hasFrom(h *evidence.Hop) bool { return h.Addr.IsValid() || h.Socket }

// host is a name as the chain has it. What is no host but an address, as some clients
// greet with, loses its local part; the "@" stays, so that it does not pass for a host.
func host(name string) string {
	name = name[max(0, strings.LastIndexByte(name, '@')):]
	return name[:min(len(name), maxChainText)]
}

// receivedTime is the date behind the last semicolon (RFC 5321 section 4.4, RFC
// 5322 section 3.3), in the form that MTAs write; zero for another one.
func receivedTime(value []byte) time.Time {
	const form = "_2 Jan 2006 15:04:05 -0700"
	text, _, _ := strings.Cut(string(value[bytes.LastIndexByte(value, ';')+1:]), "(")
	text = strings.TrimSpace(text[strings.IndexByte(text, ',')+1:]) // the name of the day says nothing
	t, err := time.Parse(form, text)
	if err != nil { // it may be folded, or have more blanks
		t, err = time.Parse(form, strings.Join(strings.Fields(text), " "))
	}
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
