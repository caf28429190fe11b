package judge

import (
	"cmp"
	"crypto/sha256"
	"net/netip"
	"slices"
	"testing"
	"time"

	"alignd/authres"
	"alignd/evidence"
	"alignd/header"
)

func fieldsOf(lines ...string) *header.Fields {
	h := new(header.Fields)
	for i := 0; i < len(lines); i += 2 {
		h.Add([]byte(lines[i]), []byte(lines[i+1]))
	}
	return h
}

func TestTheKeyOfAMessageIsTheSameOnEachTry(t *testing.T) {
	first := []string{"Received", " a", "From", " x@example.com", "Date", " d", "Message-ID", " <1>", "Subject", " s", "Content-Type", " text/plain"}
	change := func(name, value string) []string {
		fields := slices.Clone(first)
		fields[slices.Index(fields, name)+1] = value
		return fields
	}
	maker := new(keyMaker) // as on one connection, over reloads
	keyOf := func(secret, body string, ev *evidence.Message, fields []string) messageKey {
		ev.From = evidence.From{Domains: []string{"example.com"}}
		return (&Settings{SamplingSecret: []byte(secret)}).keyOf(ev, fieldsOf(fields...), sha256.Sum256([]byte(body)), maker)
	}
	want := keyOf("secret", "text", new(evidence.Message), first)
	for _, row := range []struct {
		name         string
		secret, body string
		ev           evidence.Message
		fields       []string
		same         bool
	}{
		{name: "another Received does not count", fields: change("Received", " b"), same: true},
		{name: "nor do client and envelope", fields: first, same: true, ev: evidence.Message{
			Client: evidence.Client{Peer: netip.MustParseAddr("192.0.2.1")}, MailFrom: "x@y.example", MailFromDomain: "y.example",
			Recipients: []evidence.Recipient{{Address: "bob@here.test"}}}},
		{name: "another Message-ID is another message", fields: change("Message-ID", " <2>")},
		{name: "another Subject is another message", fields: change("Subject", " t")},
		{name: "another Date is another message", fields: change("Date", " e")},
		{name: "another From is another message", fields: change("From", " y@example.com")},
		{name: "a body that is read in another way is another message", fields: change("Content-Type", " text/html")},
		{name: "another body is another message", body: "other", fields: first},
		{name: "a second Subject is another message", fields: append(slices.Clone(first), "Subject", " t")},
		{name: "text cannot move from one field to the next", fields: append(change("Date", " d <1>"), "Message-ID", "")},
		{name: "another site has other keys", secret: "other", fields: first},
	} {
		t.Run(row.name, func(t *testing.T) {
			secret, body := cmp.Or(row.secret, "secret"), cmp.Or(row.body, "text")
			if got := keyOf(secret, body, &row.ev, row.fields) == want; got != row.same {
				t.Errorf("same key: %t, want %t", got, row.same)
			}
		})
	}
}

func TestSamplesAreSpreadEvenly(t *testing.T) {
	const messages = 10_000
	below := 0
	for i := range messages {
		key := (&Settings{SamplingSecret: []byte("s")}).keyOf(&evidence.Message{}, fieldsOf("Message-ID", time.Unix(int64(i), 0).String()), [sha256.Size]byte{}, new(keyMaker))
		s := key.sample()
		if s < 0 || s > 99 {
			t.Fatalf("sample %d", s)
		}
		if s < 25 {
			below++
		}
	}
	if below < messages/5 || below > messages*3/10 {
		t.Errorf("%d of %d messages are below 25, want about a quarter", below, messages)
	}
}

// RFC 8601 section 5: a field that claims the authserv-id under which ours goes
// out must go, also where the MTA did not say its name.
func TestAnMTAWithoutNameLetsNoForgedFieldThrough(t *testing.T) {
	for _, row := range []struct {
		name, mta, value string
		deleted          bool
	}{
		{name: "without macro j the id is localhost, so that one is ours", value: " localhost; dmarc=pass", deleted: true},
		{name: "and another is not", value: " mx.example.net; dmarc=pass"},
		{name: "with macro j localhost is somebody else", mta: "mx.example.com", value: " localhost; dmarc=pass"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := new(Settings)
			m := s.NewMarks(row.mta, new(Scratch))
			m.Note([]byte(authres.FieldName), []byte(row.value))
			if got := len(m.results.deleted) > 0; got != row.deleted {
				t.Errorf("%q beside ours of %q: deleted %t, want %t", row.value, s.servID(row.mta), got, row.deleted)
			}
		})
	}
}

// RFC 8601 section 5: fields that claim an id of the ADMD are removed at its
// border. Its hosts are those below the parent of a name of ours.
func TestIdsOfTheSiteAreOurs(t *testing.T) {
	for _, row := range []struct {
		name, mta, value string
		settings         *Settings
		deleted          bool
	}{
		{name: "a sibling of the MTA", mta: "mx1.here.test", value: " mx2.here.test; dmarc=pass", deleted: true},
		{name: "the parent of both", mta: "mx1.here.test", value: " here.test; dmarc=pass", deleted: true},
		{name: "a name below a sibling", mta: "mx1.here.test", value: " in.mx2.here.test; dmarc=pass", deleted: true},
		{name: "a stranger", mta: "mx1.here.test", value: " mx.example.com; dmarc=pass"},
		{name: "a name that only ends alike", mta: "mx1.here.test", value: " mx.elsewhere.test; dmarc=pass"},
		{name: "the neighbour of an MTA right below a public suffix", mta: "here.co.uk", value: " mx.there.co.uk; dmarc=pass"},
		{name: "a name below such an MTA", mta: "here.co.uk", value: " mx.here.co.uk; dmarc=pass", deleted: true},
		{name: "the neighbour below a private suffix", mta: "victim.uk.com", value: " attacker.uk.com; dmarc=pass"},
		{name: "a sibling of a configured id", mta: "vps1.provider.example", settings: &Settings{AuthservID: "mx.here.test"}, value: " mx2.here.test; dmarc=pass", deleted: true},
		{name: "the MTA's own site beside a configured id", mta: "mx1.here.test", settings: &Settings{AuthservID: "results.example.com"}, value: " mx2.here.test; dmarc=pass", deleted: true},
		{name: "narrowed, a sibling is somebody else", mta: "mx1.here.test", settings: &Settings{OwnNameOnly: true}, value: " mx2.here.test; dmarc=pass"},
		{name: "narrowed, the name itself is ours", mta: "mx1.here.test", settings: &Settings{OwnNameOnly: true}, value: " mx1.here.test; dmarc=pass", deleted: true},
		{name: "narrowed, further ids are ours", mta: "mx1.here.test", settings: &Settings{OwnNameOnly: true, OwnIDs: []string{"mx2.here.test"}}, value: " mx2.here.test; dmarc=pass", deleted: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := row.settings
			if s == nil {
				s = new(Settings)
			}
			m := s.NewMarks(row.mta, new(Scratch))
			m.Note([]byte(authres.FieldName), []byte(row.value))
			if got := len(m.results.deleted) > 0; got != row.deleted {
				t.Errorf("%q at %q: deleted %t, want %t", row.value, row.mta, got, row.deleted)
			}
		})
	}
}

// A reload may change each of what the ids are made of, also while a connection lasts.
func TestOwnIDsFollowTheSettings(t *testing.T) {
	first := Settings{AuthservID: "mx.here.test", OwnIDs: []string{"old.test"}}
	changed := func(change func(*Settings)) *Settings {
		s := first
		change(&s)
		return &s
	}
	var c Scratch
	for _, row := range []struct {
		name  string
		s     *Settings
		mta   string
		value string
		want  bool
	}{
		{name: "nothing yet", s: &first, value: " mx.here.test; none", want: true},
		{name: "another MTA", s: &first, mta: "mx.there.test", value: " mx.there.test; none", want: true},
		{name: "no MTA again", s: &first, value: " mx.there.test; none"},
		{name: "another authserv-id", s: changed(func(s *Settings) { s.AuthservID = "mx.new.test" }), value: " mx.new.test; none", want: true},
		{name: "a sibling is ours", s: &first, value: " mx2.here.test; none", want: true},
		{name: "and not where only the name is", s: changed(func(s *Settings) { s.OwnNameOnly = true }), value: " mx2.here.test; none"},
		{name: "a further id", s: changed(func(s *Settings) { s.OwnIDs = []string{"new.test"} }), value: " new.test; none", want: true},
		{name: "the first ones again", s: &first, value: " new.test; none"},
		{name: "empty ones", s: new(Settings), value: " localhost; none", want: true},
	} {
		m := row.s.NewMarks(row.mta, &c)
		m.Note([]byte(authres.FieldName), []byte(row.value))
		if got := len(m.results.deleted) > 0; got != row.want {
			t.Errorf("%s: %q is ours: %t, want %t", row.name, row.value, got, row.want)
		}
	}
}

// RFC 5322 section 4.5: white space before the colon is no part of the name.
func TestABlankBeforeTheColonHidesNoField(t *testing.T) {
	s := &Settings{TagName: "X-Mark"}
	m := s.NewMarks("mx.here.test", new(Scratch))
	for _, f := range [][2]string{
		{"Authentication-Results", " mx.example.com; none"}, {"Authentication-Results ", " mx.here.test; dmarc=pass"},
		{"authentication-results\t ", " mx.here.test; spf=pass"}, {"X-Mark ", " quarantine"},
	} {
		m.Note([]byte(f[0]), []byte(f[1]))
	}
	if got := m.results.deleted; !slices.Equal(got, []int{2, 3}) || m.tag.count != 1 {
		t.Errorf("deleted %v of %d, %d marks; want 2 and 3 of 3, one mark", got, m.results.count, m.tag.count)
	}
}
