package interop

import (
	"regexp"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/verify"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

// readings are where a peer takes a message, or a key record, for another one
// than the RFCs do. They explain a disagreement only if we say of what it
// reads what it says itself.
var readings = []struct {
	peer, why string
	read      func(w *reading)
}{
	{peer: "dkimpy", why: "takes a bare LF for a line end", read: func(w *reading) {
		w.body = bareLF.ReplaceAllString(bareLF.ReplaceAllString(w.body, "$1\r\n"), "$1\r\n")
	}},
	{peer: "dkimpy", why: "does not look at h= of the key", read: func(w *reading) { w.record = keyHashes.ReplaceAllString(w.record, "") }},
	{peer: "libopendkim", why: "does not look at k= of the key", read: func(w *reading) {
		algorithm, _, _ := strings.Cut(w.key.algorithm, "-")
		w.record = keyType.ReplaceAllString(w.record, "k="+algorithm)
	}},
	{peer: "libopendkim", why: "takes a bare LF for a line end, when simple", read: func(w *reading) {
		if !w.canon.relaxedBody {
			w.body = bareLF.ReplaceAllString(bareLF.ReplaceAllString(w.body, "$1\r\n"), "$1\r\n")
		}
	}},
	{peer: "libopendkim", why: "drops a bare CR at the end of the body", read: func(w *reading) { w.body = strings.TrimSuffix(w.body, "\r") }},
	{peer: "libopendkim", why: "takes a line of bare CRs for an empty one, when simple", read: func(w *reading) {
		if !w.canon.relaxedBody {
			lines := strings.Split(w.body, "\r\n")
			for i, line := range lines {
				if strings.Trim(line, "\r") == "" {
					lines[i] = ""
				}
			}
			w.body = strings.Join(lines, "\r\n")
		}
	}},
	{peer: "libopendkim", why: "drops bare CRs in lines of the body, when relaxed", read: func(w *reading) {
		if w.canon.relaxedBody {
			w.body = crBeforeText.ReplaceAllString(w.body, "$1")
		}
	}},
	{peer: "libopendkim", why: "drops bare CRs in the header, when relaxed", read: func(w *reading) {
		if w.canon.relaxedHeader {
			for i, f := range w.fields {
				w.fields[i] = crBeforeText.ReplaceAllString(f, "$1")
			}
		}
	}},
}

// faults are the other ways in which a peer departs from the RFCs or makes
// another choice: a predicate on the input, and our verdict.
var faults = []struct {
	peer, why string
	ours      bool // we pass it
	when      func(w *reading) bool
}{
	{peer: "dkimpy", why: "also signs a From field that h= does not name", ours: true, when: func(w *reading) bool { return w.unsignedFrom() }},
	{peer: "dkimpy", why: "refuses a blank before the colon", ours: true, when: func(w *reading) bool { return w.anyField(blankBeforeColon) }},
	{peer: "dkimpy", why: "keeps blanks at the end of a last line without line end, when relaxed", ours: true, when: func(w *reading) bool {
		return w.canon.relaxedBody && lastBlank.MatchString(w.body)
	}},
	{peer: "dkimpy", why: "blanks what looks like b= in z= too", ours: true, when: func(w *reading) bool {
		return len(likeB.FindAllStringIndex(w.fields[0], -1)) > 1
	}},
	{peer: "dkimpy", why: "passes octets beyond l=",
		when: func(w *reading) bool { return w.ours.Result == evidence.Policy && w.ours.Unsigned > 0 }},
	{peer: "libopendkim", why: "passes octets beyond l=",
		when: func(w *reading) bool { return w.ours.Result == evidence.Policy && w.ours.Unsigned > 0 }},
	{peer: "libopendkim", why: "refuses text without a line end, when relaxed", ours: true, when: func(w *reading) bool {
		return w.canon.relaxedBody && unendedText(w.body)
	}},
	{peer: "libopendkim", why: "ends a last line without line end in few bodies above 4096 octets, when simple", ours: true, when: func(w *reading) bool {
		return !w.canon.relaxedBody && len(w.body) > 4096 && !strings.HasSuffix(w.body, "\r\n")
	}},
	{peer: "libopendkim", why: "refuses a tab before the colon", ours: true, when: func(w *reading) bool { return w.anyField(tabBeforeColon) }},
}

var (
	keyHashes    = regexp.MustCompile(`h=[a-z0-9]+; *`)
	keyType      = regexp.MustCompile(`k=[a-z0-9]+`)
	likeB        = regexp.MustCompile(`[;\s]b\s*=`)
	crBeforeText = regexp.MustCompile(`\r+([^\r\n])`)
)

// reading is a message in parts as a peer reads it.
type reading struct {
	*twin
	key    key
	fields []string
	body   string
	record string
}

func (w *twin) reading() *reading {
	r := &reading{twin: w, key: w.signer.key, record: w.keys[keyName]}
	r.fields, r.body = testsign.Split(w.message)
	return r
}

func (w *reading) message() string { return strings.Join(w.fields, "\r\n") + "\r\n\r\n" + w.body }

func (w *reading) anyField(re *regexp.Regexp) bool {
	for _, f := range w.fields {
		if re.MatchString(f) {
			return true
		}
	}
	return false
}

// unsignedFrom reports whether there are more From fields than h= names.
func (w *reading) unsignedFrom() bool {
	n := 0
	for _, f := range w.fields[1:] {
		if name, _, _ := strings.Cut(f, ":"); strings.EqualFold(strings.TrimSpace(name), "from") {
			n++
		}
	}
	for _, name := range w.ours.SignedHeaders {
		if name == "from" {
			n--
		}
	}
	return n > 0
}

// disagreement says why a peer's verdict may differ from ours, or "".
func (w *twin) disagreement(t *testing.T, peer string) string {
	passes := w.ours.Result == evidence.Pass
	for _, f := range faults {
		if f.peer == peer && f.ours == passes && f.when(w.reading()) {
			return f.why
		}
	}
	theirs := w.reading()
	var why []string
	for _, r := range readings {
		if r.peer != peer {
			continue
		}
		before := theirs.message() + theirs.record
		if r.read(theirs); theirs.message()+theirs.record != before {
			why = append(why, r.why)
		}
	}
	zone := keys{keyName: theirs.record}.zone(t)
	lenient := &verify.Options{DKIM: dkim.Options{AcceptLength: true}} // both pass octets beyond l=
	if got := topmost(ours(zone, lenient, theirs.message(), 0)); (got.Result == evidence.Pass) == passes {
		return ""
	}
	return strings.Join(why, ", and ")
}
