package filter

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/filter/milter"
	"alignd/header"
	"alignd/policy"
)

func fieldsOf(lines ...string) *header.Fields {
	h := new(header.Fields)
	for i := 0; i < len(lines); i += 2 {
		h.Add([]byte(lines[i]), []byte(lines[i+1]))
	}
	return h
}

func TestTheKeyOfAMessageIsTheSameOnEachTry(t *testing.T) {
	ev := &evidence.Message{From: evidence.From{Domains: []string{"example.com"}}}
	secret := []byte("secret")
	first := (&Settings{SamplingSecret: secret}).keyOf(ev, fieldsOf("Received", " a", "From", " x@example.com", "Date", " d", "Message-ID", " <1>"))

	for _, row := range []struct {
		name   string
		secret string
		fields *header.Fields
		same   bool
	}{
		{"another Received does not count", "secret",
			fieldsOf("Received", " b", "From", " x@example.com", "Date", " d", "Message-ID", " <1>"), true},
		{"another Message-ID is another message", "secret",
			fieldsOf("From", " x@example.com", "Date", " d", "Message-ID", " <2>"), false},
		{"text cannot move from one field to the next", "secret",
			fieldsOf("From", " x@example.com", "Date", " d <1>", "Message-ID", ""), false},
		{"another site has other keys", "other",
			fieldsOf("From", " x@example.com", "Date", " d", "Message-ID", " <1>"), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := (&Settings{SamplingSecret: []byte(row.secret)}).keyOf(ev, row.fields) == first; got != row.same {
				t.Errorf("same key: %t, want %t", got, row.same)
			}
		})
	}
}

func TestSamplesAreSpreadEvenly(t *testing.T) {
	const messages = 10_000
	below := 0
	for i := range messages {
		key := (&Settings{SamplingSecret: []byte("s")}).keyOf(&evidence.Message{}, fieldsOf("Message-ID", time.Unix(int64(i), 0).String()))
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

func TestFirstSeenIsBounded(t *testing.T) {
	f := newFirstSeen(3)
	key := func(i byte) messageKey { return messageKey{i} }
	for i := range byte(5) {
		f.Deferred(key(i), time.Unix(int64(i), 0))
		f.Deferred(key(i), time.Unix(1000, 0)) // the first time stays
	}
	for i := range byte(5) {
		want := time.Time{}
		if i >= 2 {
			want = time.Unix(int64(i), 0)
		}
		if got := f.Of(key(i), time.Unix(2000, 0)); !got.Equal(want) {
			t.Errorf("key %d was first seen %v, want %v", i, got, want)
		}
	}
}

func TestFirstSeenForgets(t *testing.T) {
	f, key, first := newFirstSeen(3), messageKey{1}, time.Unix(1e9, 0)
	f.Deferred(key, first)
	if got := f.Of(key, first.Add(maxSeenAge)); !got.Equal(first) {
		t.Errorf("after %v: %v, want %v", maxSeenAge, got, first)
	}
	if got := f.Of(key, first.Add(maxSeenAge+time.Second)); !got.IsZero() || len(f.at) != 0 {
		t.Errorf("after more than %v: %v, %d entries; want none", maxSeenAge, got, len(f.at))
	}
}

func TestTheLogLineOfAMessageThatIsNotJudgedIsComplete(t *testing.T) {
	rules, err := policy.Compile(policy.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	f := New(nil, slog.New(slog.NewTextHandler(&log, nil)), &Settings{Rules: rules})
	s := f.Session(new(milter.Conn))
	s.Connect(milter.Connect{Addr: netip.MustParseAddr("127.0.0.1")})
	s.Mail(milter.Mail{Address: "a@Example.com"})
	s.Header([]byte("Subject"), []byte(" hi"))
	s.EndOfHeader()
	s.Body([]byte("Hello\r\n"))
	s.EndOfMessage(t.Context())
	size := len("Subject: hi\r\n\r\nHello\r\n")
	for _, want := range []string{"mail_from_domain=example.com", fmt.Sprintf("size=%d ", size)} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, log.String())
		}
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
			m := marks{own: s.own(row.mta)}
			m.note([]byte(fieldName), []byte(row.value), s)
			if got := len(m.ar.delete) > 0; got != row.deleted {
				t.Errorf("%q beside ours of %q: deleted %t, want %t", row.value, s.ServID(row.mta), got, row.deleted)
			}
		})
	}
}
