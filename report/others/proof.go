package others

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"

	"alignd/authres"
	"alignd/domain"
	"alignd/evidence"
	"alignd/header"
	"alignd/journal/state"
)

// Proof is how it is known who sent a report.
type Proof struct {
	Trust  state.Trust
	Sender string // the Author Domain that passed, with state.TrustPass
	Why    string // for people
}

// Seen is a message as the journal has it.
type Seen struct {
	AuthservID string // under which its results were written
	Authors    []evidence.DMARC
}

// MaxHeader is how much of a mail is looked at for its header; ours.
const MaxHeader = 256 << 10

// maxResults is how many Authentication-Results fields are read; ours. Ours is the first
// that alignd wrote, and those above it are of later hops.
const maxResults = 20

// Claim is what the header of a mail says of itself.
type Claim struct {
	MessageID string
	results   []evidence.AuthResults
	mail      bool
}

// ClaimOf reads the begin of a file, which may be a mail. A mail with several Message-IDs
// has none.
func ClaimOf(begin []byte) Claim {
	fields, _, err := header.Read(bufio.NewReader(bytes.NewReader(begin)), header.Limits{})
	if err != nil || fields.Len() == 0 {
		return Claim{}
	}
	c := Claim{mail: true}
	ids := 0
	for i := range fields.Len() {
		fd := fields.At(i)
		switch {
		case fd.Is("Message-ID"):
			ids++
			c.MessageID = strings.TrimSpace(string(fd.Value()))
		case fd.Is("Authentication-Results") && len(c.results) < maxResults:
			if r, err := authres.Parse(fd.Value()); err == nil {
				c.results = append(c.results, r)
			}
		}
	}
	if ids != 1 {
		c.MessageID = ""
	}
	return c
}

// Passes reports whether any field says dmarc=pass, so that it is worth to wait for the
// journal.
func (c *Claim) Passes() bool {
	for i := range c.results {
		for _, m := range c.results[i].Results {
			if m.Method == "dmarc" && m.Result == "pass" {
				return true
			}
		}
	}
	return false
}

// Prove finds out who sent a mail. find has the journal's messages of that Message-ID;
// its error says that the journal cannot be asked.
func (c *Claim) Prove(find func(messageID string) ([]Seen, error)) (Proof, error) {
	unknown := func(why string) (Proof, error) { return Proof{Trust: state.TrustUnknown, Why: why}, nil }
	switch {
	case !c.mail:
		return unknown("it is no mail")
	case c.MessageID == "":
		return unknown("its mail has no Message-ID")
	}
	seen, err := find(c.MessageID)
	switch {
	case errors.Is(err, ErrNoJournal):
		return unknown(err.Error())
	case err != nil:
		return Proof{}, err
	case len(seen) == 0:
		return unknown("the journal has no such mail")
	}
	failed := false
	for i := range seen {
		if sender := c.passed(&seen[i]); sender != "" {
			return Proof{Trust: state.TrustPass, Sender: sender, Why: "its mail passed DMARC as " + sender}, nil
		}
		for _, a := range seen[i].Authors {
			failed = failed || a.Result == evidence.Fail
		}
	}
	if failed {
		return Proof{Trust: state.TrustFail, Why: "its mail failed DMARC"}, nil
	}
	return unknown("its mail has no DMARC result of ours that passes")
}

// ErrNoJournal says that there is none to be asked.
var ErrNoJournal = errors.New("there is no journal")

// passed is the one Author Domain that passed both in the journal and on top of the mail.
// alignd deletes fields of its id that come in (RFC 8601 section 5), so the first one of it is its
// own, if the mail came through it; that is what the journal says. Each alone can be
// imitated: the field by whom brings mail in by another way, the Message-ID by whom saw it.
func (c *Claim) passed(s *Seen) string {
	if len(s.Authors) != 1 || s.Authors[0].Result != evidence.Pass || s.AuthservID == "" {
		return ""
	}
	for i := range c.results {
		r := &c.results[i]
		if !strings.EqualFold(r.ServID, s.AuthservID) {
			continue
		}
		sender := ""
		for _, m := range r.Results {
			if m.Method != "dmarc" {
				continue
			}
			from, err := domain.Normalize(m.Value("header", "from"))
			if m.Result != "pass" || err != nil || from != s.Authors[0].AuthorDomain {
				return ""
			}
			sender = from
		}
		return sender
	}
	return ""
}

// String says it in a line.
func (p Proof) String() string { return fmt.Sprintf("%s (%s)", p.Trust, p.Why) }
