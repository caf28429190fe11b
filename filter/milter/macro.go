package milter

import (
	"bytes"
	"strings"

	protocol "github.com/emersion/go-milter"
)

// The events that macros come with, in the order of the SMTP transaction.
const (
	macroConnect = iota
	macroHelo
	macroMail
	macroRcpt
	macroData
	macroHeader // each header field, and end of header
	macroBody   // each body chunk, and end of message
	macroEvents
)

// Limits of macros in octets.
const (
	// maxMacros is the most that is kept of one event. A packet over it is
	// dropped. Certificate names make the longest real ones, below 2 KiB.
	maxMacros = 16 << 10
	// keptMacros is the most that an event keeps allocated between messages.
	keptMacros = 1 << 10
)

// macros keeps the latest macro packet of each event as it came: name, NUL,
// value, NUL. They are looked at rarely and replaced often (Postfix sends some
// before each header field), so they are searched and not indexed.
type macros struct {
	of    [macroEvents][]byte
	fresh [macroEvents]bool // a packet came since the event itself
}

// set replaces the macros of an event; it reports false for a packet that is too
// long, which leaves the event without.
func (m *macros) set(data []byte) bool {
	if len(data) == 0 {
		return true
	}
	event := macroEventOf(data[0])
	if event < 0 {
		return true
	}
	pairs := data[1:]
	fits := len(pairs) <= maxMacros
	if !fits {
		pairs = nil
	}
	m.of[event] = append(m.of[event][:0], pairs...)
	m.fresh[event] = true
	return fits
}

func macroEventOf(cmd byte) int {
	switch protocol.Code(cmd) {
	case protocol.CodeConn:
		return macroConnect
	case protocol.CodeHelo:
		return macroHelo
	case protocol.CodeMail:
		return macroMail
	case protocol.CodeRcpt:
		return macroRcpt
	case protocol.CodeData:
		return macroData
	case protocol.CodeHeader, protocol.CodeEOH:
		return macroHeader
	case protocol.CodeBody, protocol.CodeEOB:
		return macroBody
	}
	return -1
}

// begin is called at an event: the macros of later ones are forgotten, and so are
// its own if no packet came with it.
func (m *macros) begin(event int) {
	if !m.fresh[event] {
		m.clear(event)
	}
	m.fresh[event] = false
	for later := event + 1; later < macroEvents; later++ {
		m.clear(later)
	}
}

// end forgets the macros of event and of all later ones.
func (m *macros) end(event int) {
	for ; event < macroEvents; event++ {
		m.clear(event)
	}
}

func (m *macros) clear(event int) {
	m.fresh[event] = false
	if cap(m.of[event]) > keptMacros {
		m.of[event] = nil
	}
	m.of[event] = m.of[event][:0]
}

// lookup finds the value of the latest event that has one.
func (m *macros) lookup(name string) string {
	name = bareName(name)
	for event := macroEvents - 1; event >= 0; event-- {
		if value := findMacro(m.of[event], name); len(value) > 0 {
			return string(value)
		}
	}
	return ""
}

func findMacro(pairs []byte, name string) []byte {
	for len(pairs) > 0 {
		var key, value []byte
		key, pairs, _ = bytes.Cut(pairs, nul)
		value, pairs, _ = bytes.Cut(pairs, nul)
		if n := len(key); n >= 2 && key[0] == '{' && key[n-1] == '}' {
			key = key[1 : n-1]
		}
		if string(key) == name {
			return value
		}
	}
	return nil
}

// bareName takes the braces off: {i} and i are one macro.
func bareName(name string) string {
	if inner, ok := strings.CutPrefix(name, "{"); ok {
		if inner, ok = strings.CutSuffix(inner, "}"); ok {
			return inner
		}
	}
	return name
}
