package milter

import (
	"bytes"
	"strings"

	protocol "github.com/emersion/go-milter"
)

// Stages of macros, in the order of the SMTP transaction.
const (
	macroConnect = iota
	macroHelo
	macroMail
	macroRcpt
	macroData
	macroHeader // each header field, and end of header
	macroBody   // each body chunk, and end of message
	macroStages
)

// Limits of macros in octets.
const (
	// maxMacros is the most that is kept of one stage. A packet over it is
	// dropped. Certificate names make the longest real ones, below 2 KiB.
	maxMacros = 16 << 10
	// keptMacros is the most that a stage keeps allocated between messages.
	keptMacros = 1 << 10
)

// macros keeps the latest macro packet of each stage as it came: name, NUL,
// value, NUL. They are looked at rarely and replaced often (Postfix sends some
// before each header field), so they are searched and not indexed.
type macros struct {
	stage [macroStages][]byte
	fresh [macroStages]bool // a packet came since the stage's own event
}

// set replaces the macros of a stage; it reports false for a packet that is too
// long, which leaves the stage empty.
func (m *macros) set(data []byte) bool {
	if len(data) == 0 {
		return true
	}
	stage := macroStage(data[0])
	if stage < 0 {
		return true
	}
	pairs := data[1:]
	fits := len(pairs) <= maxMacros
	if !fits {
		pairs = nil
	}
	m.stage[stage] = append(m.stage[stage][:0], pairs...)
	m.fresh[stage] = true
	return fits
}

func macroStage(cmd byte) int {
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

// begin is called at the event of a stage that starts anew: later stages are
// forgotten, and so is this one if no packet came with the event.
func (m *macros) begin(stage int) {
	if !m.fresh[stage] {
		m.clear(stage)
	}
	m.fresh[stage] = false
	for later := stage + 1; later < macroStages; later++ {
		m.clear(later)
	}
}

// end forgets stage and all later ones.
func (m *macros) end(stage int) {
	for ; stage < macroStages; stage++ {
		m.clear(stage)
	}
}

func (m *macros) clear(stage int) {
	m.fresh[stage] = false
	if cap(m.stage[stage]) > keptMacros {
		m.stage[stage] = nil
	}
	m.stage[stage] = m.stage[stage][:0]
}

// lookup finds the value of the latest stage that has one.
func (m *macros) lookup(name string) string {
	name = bareName(name)
	for stage := macroStages - 1; stage >= 0; stage-- {
		if value := findMacro(m.stage[stage], name); len(value) > 0 {
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
