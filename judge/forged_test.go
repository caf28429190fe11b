package judge

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"alignd/authres"
	"alignd/evidence"
	"alignd/header"
	"alignd/policy"
)

func TestTooManyForgedFieldsAreRefused(t *testing.T) {
	for _, row := range []struct {
		name      string
		field     string
		value     string
		n         int
		max       int
		notJudged bool
		user      string
		refused   bool
	}{
		{name: "a hundred", field: "Authentication-Results", value: " mx.here.test; spf=pass", n: 100},
		{name: "one more", field: "Authentication-Results", value: " mx.here.test; spf=pass", n: 101, refused: true},
		{name: "of somebody else", field: "Authentication-Results", value: " mx.example.net; spf=pass", n: 500},
		{name: "of the mark", field: "x-alignd-disposition", value: " none", n: 101, refused: true},
		{name: "of Received-SPF", field: "Received-SPF", value: " pass", n: 101, refused: true},
		{name: "a limit of the site's", field: "Authentication-Results", value: " mx.here.test; spf=pass", n: 3, max: 2, refused: true},
		{name: "of a network that keeps its results", field: "Authentication-Results", value: " mx.here.test; spf=pass", n: 101, notJudged: true},
		{name: "of a user who has logged in", field: "Authentication-Results", value: " mx.here.test; spf=pass", n: 101, notJudged: true, user: "ann", refused: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &Settings{
				Rules: policy.Defaults(), AuthservID: "mx.here.test", Strip: StripOwn, TagName: "X-Alignd-Disposition",
				ReceivedSPF: true, MaxForged: row.max,
			}
			fields := new(header.Fields)
			for range row.n {
				fields.Add([]byte(row.field), []byte(row.value))
			}
			ev := &evidence.Message{MTA: "mx.here.test", AuthUser: row.user}
			j := Judgement{Evidence: ev, Verdict: policy.Verdict{NotJudged: row.notJudged}, Results: authres.Header{},
				marks: s.MarksOf(ev.MTA, fields)}
			s.limitForged(&j)
			if refused := j.Verdict.Delivery == policy.Refuse; refused != row.refused || refused && j.Verdict.Reply.Code != 550 {
				t.Errorf("got %+v, want refused: %v", j.Verdict, row.refused)
			}
		})
	}
}

// TestFieldsThatHideForgedOnesGo: readers that take CR for the end of a line (Python's
// email, Perl's Email::Simple, JavaMail) show a field that stands inside of another one.
// So it is deleted as if it stood alone (RFC 8601 section 5), with what hides it.
func TestFieldsThatHideForgedOnesGo(t *testing.T) {
	const forged = "\rAuthentication-Results: mx.here.test; dmarc=pass"
	for _, row := range []struct {
		name      string
		fields    []string
		strip     Strip
		notJudged bool
		want      string
	}{
		{name: "behind a bare CR", fields: []string{"Subject: x" + forged}, want: "Subject 1"},
		{name: "behind a bare LF", fields: []string{"Subject: x\nAuthentication-Results: mx.here.test; dmarc=pass"}, want: "Subject 1"},
		{name: "numbered among its like", fields: []string{"X-A: 1", "x-b: 2", "X-a: y" + forged, "X-A : z" + forged}, want: "X-A 3, X-a 2"},
		{name: "behind two CR and a fold", fields: []string{"Subject: x\r\n y\r" + forged}, want: "Subject 1"},
		{name: "two in one", fields: []string{"Subject: x" + forged + forged}, want: "Subject 1"},
		{name: "a space before the colon, any case", fields: []string{"Subject: x\rAUTHENTICATION-results : mx.here.test; dmarc=pass"}, want: "Subject 1"},
		{name: "in From", fields: []string{"From: a@a.example" + forged}, want: "From 1"},
		{name: "in a field of another host", fields: []string{"Authentication-Results: mx.example.net; none" + forged}, want: "Authentication-Results 1"},
		{name: "in a forged one, which goes once", fields: []string{"Authentication-Results: mx.here.test; none" + forged}, want: "Authentication-Results 1"},
		{name: "below a forged one", fields: []string{"Authentication-Results: mx.here.test; none", "Authentication-Results: mx.example.net; none\rReceived-SPF: pass"}, want: "Authentication-Results 2, Authentication-Results 1"},
		{name: "a result and below it the mark, in fields of one name", fields: []string{"X-A: 1" + forged, "x-a: 2\rX-Alignd-Disposition: none"}, want: "x-a 2, X-A 1"},
		{name: "both in one, and the mark above", fields: []string{"X-A: 1\rX-Alignd-Disposition: none", "X-A: 2" + forged + "\rX-Alignd-Disposition: none"}, want: "X-A 2, X-A 1"},
		{name: "of a host of the site", fields: []string{"Subject: x\rAuthentication-Results: mx2.here.test; dmarc=pass"}, want: "Subject 1"},
		{name: "Received-SPF", fields: []string{"Subject: x\rReceived-SPF: pass"}, want: "Subject 1"},
		{name: "the mark", fields: []string{"Subject: x\rX-Alignd-Disposition: none"}, want: "Subject 1"},
		{name: "of a stranger", fields: []string{"Subject: x\rAuthentication-Results: mx.example.net; dmarc=pass"}},
		{name: "of a stranger, where all go", strip: StripAll, fields: []string{"Subject: x\rAuthentication-Results: mx.example.net; dmarc=pass"}, want: "Subject 1"},
		{name: "where none goes", strip: StripNone, fields: []string{"Subject: x" + forged}},
		{name: "where none goes but the mark", strip: StripNone, fields: []string{"Subject: x\rX-Alignd-Disposition: none"}, want: "Subject 1"},
		{name: "from a network that keeps its results", notJudged: true, fields: []string{"Subject: x" + forged}},
		{name: "a fold", fields: []string{"Subject: x\r\n Authentication-Results: mx.here.test; dmarc=pass"}},
		{name: "a bare CR and a space", fields: []string{"Subject: x\r Authentication-Results: mx.here.test; dmarc=pass"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &Settings{Rules: policy.Defaults(), AuthservID: "mx.here.test", Strip: cmp.Or(row.strip, StripOwn), TagName: "X-Alignd-Disposition", ReceivedSPF: true}
			fields := headerOf(row.fields...)
			j := s.Judge(&evidence.Message{MTA: "mx.here.test"}, content{fields}, s.MarksOf("mx.here.test", fields), nil)
			j.Verdict.NotJudged = row.notJudged
			var got []string
			for _, f := range j.Deletions() {
				got = append(got, fmt.Sprintf("%s %d", f.Name, f.Number))
			}
			if list := strings.Join(got, ", "); list != row.want || j.Deleted() != len(got) {
				t.Errorf("got %s (%d), want %s", list, j.Deleted(), row.want)
			}
		})
	}
}

// TestAFieldThatNoMTACanDeleteIsRefused: the milter server sends no such name, so that the
// message would be put off for ever, with an error in the log.
func TestAFieldThatNoMTACanDeleteIsRefused(t *testing.T) {
	const forged = "\rAuthentication-Results: mx.here.test; dmarc=pass"
	for _, row := range []struct {
		name, field string
		refused     bool
	}{
		{name: "the longest", field: strings.Repeat("x", 500) + ": x" + forged},
		{name: "a longer one", field: strings.Repeat("x", 501) + ": x" + forged, refused: true},
		{name: "none", field: ": x" + forged, refused: true},
		{name: "a space in it", field: "X A: x" + forged, refused: true},
		{name: "DEL in it", field: "X\x7f: x" + forged, refused: true},
		{name: "eight bits", field: "X\xe9: x" + forged, refused: true},
		{name: "a space behind it", field: "X : x" + forged},
		{name: "long, and nothing hidden", field: strings.Repeat("x", 501) + ": x"},
		{name: "long, and a stranger's result", field: strings.Repeat("x", 501) + ": x\rAuthentication-Results: mx.example.net; dmarc=pass"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &Settings{Rules: policy.Defaults(), AuthservID: "mx.here.test", Strip: StripOwn, TagName: "X-Alignd-Disposition"}
			fields := new(header.Fields)
			name, value, _ := strings.Cut(row.field, ":")
			fields.Add([]byte(name), []byte(value))
			j := s.Judge(&evidence.Message{MTA: "mx.here.test"}, content{fields}, s.MarksOf("mx.here.test", fields), nil)
			if got := j.Verdict.Delivery == policy.Refuse; got != row.refused {
				t.Errorf("refused is %t (%s), want %t", got, j.Verdict.Reason, row.refused)
			}
		})
	}
}
