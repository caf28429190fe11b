package record

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"alignd/compare"
	"alignd/evidence"
	"alignd/policy"
)

// Rendering is what JSON shows beside the record.
type Rendering struct {
	// AuthenticationResults is the field as written, on one line. It is not kept,
	// as evidence and verdict render it again.
	AuthenticationResults string
	// Questions are all that were asked, where they are known; else those of the
	// record, which failed.
	Questions []Question
	// Deletions are the incoming fields that go, "Authentication-Results 2" for the
	// second one of that name; nil where only their number is known.
	Deletions []string
	// Source names the message where several are shown; else empty.
	Source string
	// Answer says why it is not known that the MTA heard the reply; else empty.
	Answer string
	// Notes say what a reader has to know of the input; none is the rule.
	Notes []string
}

// Question is a DNS question and what came of it.
type Question struct {
	Name    string // may hold any octet
	Type    string // "TXT"
	Outcome string // an RCODE, "NODATA", or why there was no answer
	Answers []string
	CNAMEs  []string // names that aliases led to, in order
}

// JSON renders r for people and scripts, as one object on one line. Its keys are
// a promise (docs/evidence.md): more may be added. In text that is not UTF-8 the
// octets that are none are shown as \xNN and a backslash as two; "escaped" lists
// where that is so, as JSON Pointers (RFC 6901).
func JSON(r *Record, with Rendering) []byte {
	var w jsonWriter
	o := w.open('{')
	ev := &r.Evidence
	o.spf(ev)
	o.dkim(r)
	o.value("dkim_skipped", reflect.ValueOf(ev.DKIMSkipped))
	o.arc(ev.ARC)
	o.value("from", reflect.ValueOf(ev.From))
	o.dmarc(r)
	o.authors(ev.DMARC)
	if ev.IPRev.Result != evidence.NotChecked {
		o.value("iprev", reflect.ValueOf(ev.IPRev))
	}
	o.disposition(r)
	o.text("authentication_results", with.AuthenticationResults)
	if with.Deletions != nil {
		o.value("deleted_fields", reflect.ValueOf(with.Deletions))
	}
	o.value("time", reflect.ValueOf(ev.Time))
	o.text("queue_id", ev.QueueID)
	o.text("token", ev.Token)
	o.text("message_id", ev.MessageID)
	o.client(&ev.Client)
	o.text("mail_from", ev.MailFrom)
	o.recipients(ev.Recipients)
	o.questions(ev.Failed, with.Questions)
	all := *ev
	all.Looked = ev.All()
	o.rest(reflect.ValueOf(all), "Time", "QueueID", "Token", "MessageID", "Client", "MailFrom", "Recipients", "SPF", "DKIM",
		"DKIMSkipped", "ARC", "From", "DMARC", "IPRev", "Sample", "Failed")
	if len(ev.Incumbents) > 0 {
		o.differs(r)
	}
	o.rest(reflect.ValueOf(*r), "Evidence", "Verdict")
	if with.Source != "" {
		o.text("source", with.Source)
	}
	if with.Answer != "" {
		o.text("answer", with.Answer)
	}
	if len(with.Notes) > 0 {
		o.value("notes", reflect.ValueOf(with.Notes))
	}
	o.value("escaped", reflect.ValueOf(w.escaped))
	o.end('}')
	return w.out
}

// client shows the client that was checked: ip and helo are empty where it is
// unknown. peer is who is connected; the rest is about a trusted relay.
func (o *object) client(c *evidence.Client) {
	o.object("client", func(o *object) {
		o.value("ip", reflect.ValueOf(c.IP()))
		o.text("helo", c.HELOName())
		o.rest(reflect.ValueOf(*c))
	})
}

func (o *object) recipients(list []evidence.Recipient) {
	addresses := make([]string, len(list))
	for i := range list {
		addresses[i] = list[i].Address
	}
	o.value("recipients", reflect.ValueOf(addresses))
}

// spf shows the check that counts, and that of HELO where it is another one.
func (o *object) spf(ev *evidence.Message) {
	c := ev.ReportedSPF()
	if c == nil { // the result words are a promise
		c = &evidence.SPFCheck{Result: evidence.None, Identity: evidence.MailFromIdentity}
	}
	o.value("spf", reflect.ValueOf(*c))
	if ev.MailFrom != "" && ev.SPF.HELO != nil {
		o.value("helo", reflect.ValueOf(*ev.SPF.HELO))
	}
}

// dkim shows the signatures, and which of them align with the Author Domain.
func (o *object) dkim(r *Record) {
	var aligned []int
	if d := policy.Decisive(&r.Evidence, &r.Verdict); d != nil {
		aligned = d.AlignedDKIM
	}
	o.list("dkim", len(r.Evidence.DKIM), func(o *object, i int) {
		o.rest(reflect.ValueOf(r.Evidence.DKIM[i]))
		o.value("aligned", reflect.ValueOf(slices.Contains(aligned, i)))
	})
}

func (o *object) arc(a evidence.ARC) {
	if a.Result == evidence.NotChecked { // the result words are a promise
		a = evidence.ARC{Result: evidence.None}
	}
	o.value("arc", reflect.ValueOf(a))
}

// differs are the differences to what filters in front wrote.
func (o *object) differs(r *Record) {
	list := compare.Differences(&r.Evidence, &r.Verdict)
	o.list("differs", len(list), func(o *object, i int) {
		d := &list[i]
		for _, m := range [...]struct{ key, value string }{{"authserv_id", d.With}, {"method", d.Method}, {"of", d.Of},
			{"theirs", d.Theirs}, {"ours", d.Ours}, {"kind", d.Rule}, {"cause", d.Cause}, {"right", string(d.Right)}, {"section", d.Section}} {
			o.text(m.key, m.value)
		}
	})
}

func (o *object) authors(list []evidence.DMARC) {
	o.list("author_domains", len(list), func(o *object, i int) { o.evaluation(&list[i]) })
}

// dmarc shows the evaluation that decided.
func (o *object) dmarc(r *Record) {
	d := policy.Decisive(&r.Evidence, &r.Verdict)
	if d == nil {
		d = &evidence.DMARC{Result: cmp.Or(policy.ResultOf(&r.Evidence, &r.Verdict), evidence.None)} // the result words are a promise
	}
	o.object("dmarc", func(o *object) { o.evaluation(d) })
}

// evaluation shows the policy and the record that it came from side by side.
func (o *object) evaluation(d *evidence.DMARC) {
	e := *d
	if e.Policy == evidence.PolicyAbsent { // no record
		e.Policy, e.Published.Pct = evidence.PolicyNone, 100
	}
	o.rest(reflect.ValueOf(e), "Published")
	o.rest(reflect.ValueOf(e.Published))
}

func (o *object) disposition(r *Record) {
	v := &r.Verdict
	o.object("disposition", func(o *object) {
		o.rest(reflect.ValueOf(*v), "TagName", "TagValue", "Monitor")
		tag := ""
		if v.TagName != "" {
			tag = v.TagName + ": " + v.TagValue
		}
		o.text("tag", tag)
		if v.Monitor != (policy.Outcome{}) {
			o.value("monitor", reflect.ValueOf(v.Monitor))
		}
		o.value("sample", reflect.ValueOf(r.Evidence.Sample))
	})
}

func (o *object) questions(failed []evidence.FailedQuestion, asked []Question) {
	if asked == nil {
		for _, q := range failed {
			outcome := q.RCode
			if outcome == "" {
				outcome = q.Why
			}
			asked = append(asked, Question{Name: q.Name, Type: q.Type, Outcome: outcome})
		}
	}
	o.value("questions", reflect.ValueOf(asked))
}

// renamed are the keys that are not the field's name in snake_case.
var renamed = map[reflect.Type]map[string]string{
	reflect.TypeFor[evidence.Message]():   {"IPRev": "iprev", "Failed": "questions", "Looked": "looked_at"},
	reflect.TypeFor[evidence.Client]():    {"HELO": "peer_helo"},
	reflect.TypeFor[evidence.Signature](): {"KeyCNAMEs": "key_cnames"},
	reflect.TypeFor[Question]():           {"CNAMEs": "cnames"},
	reflect.TypeFor[evidence.ARC]():       {"Sets": "seals"},
	reflect.TypeFor[evidence.ARCSet](): {
		"SealDomain": "domain", "SealSelector": "selector", "SealCV": "cv", "SealResult": "result",
		"MessageDomain": "message_signature_domain", "MessageSelector": "message_signature_selector",
		"MessageResult": "message_signature_result", "AAR": "authentication_results",
	},
	reflect.TypeFor[evidence.AuthResults]():    {"ServID": "authserv_id"},
	reflect.TypeFor[evidence.Incumbent]():      {"ServID": "authserv_id"},
	reflect.TypeFor[evidence.DMARC]():          {"AuthorDomain": "from_domain", "Looked": "looked_at"},
	reflect.TypeFor[evidence.DMARCRecord]():    {"Text": "record"},
	reflect.TypeFor[evidence.FailedQuestion](): {"RCode": "rcode"},
	reflect.TypeFor[evidence.Needs]():          {"IPRev": "iprev"},
	reflect.TypeFor[policy.Verdict]():          {"Disposition": "action", "TagName": "tag", "TagValue": "tag"},
	reflect.TypeFor[policy.Outcome]():          {"Disposition": "action"},
	reflect.TypeFor[policy.AuthorOutcome]():    {"AuthorDomain": "from_domain", "Disposition": "action"},
}

// first are the fields that stand first; the others follow as they are declared.
var first = map[reflect.Type][]string{
	reflect.TypeFor[evidence.SPFCheck]():  {"Result", "Domain", "Identity"},
	reflect.TypeFor[evidence.Signature](): {"Result", "Domain", "Selector", "Identity", "Algorithm", "B", "Reason"},
	reflect.TypeFor[evidence.DMARC]():     {"Result", "AuthorDomain", "PolicyDomain", "OrgDomain", "Policy", "PolicyTag"},
}

// absent are the fields that are left out when they are zero.
var absent = map[reflect.Type][]string{
	reflect.TypeFor[evidence.Message]():   {"Stopped", "Incumbents"},
	reflect.TypeFor[evidence.Signature](): {"KeyBits", "Testing"},
	reflect.TypeFor[evidence.ARCSet]():    {"AAR"},
	reflect.TypeFor[evidence.DMARC]():     {"Divergence", "Lookalikes"},
	reflect.TypeFor[evidence.SPFCheck]():  {"Lookalikes"},
	reflect.TypeFor[Basis]():              {"Addresses", "AddressKey"},
	reflect.TypeFor[Question]():           {"CNAMEs"},
}

// milliseconds is a span of time as its key tells: "elapsed_ms".
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
