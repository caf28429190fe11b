package judge

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

// filledWith sets each text of v that can hold one.
func filledWith(v reflect.Value, text func(of reflect.Type, field string) string) {
	switch v.Kind() {
	case reflect.Struct:
		switch v.Addr().Interface().(type) {
		case *time.Time, *netip.Addr:
			return
		}
		for i := range v.NumField() {
			f := v.Field(i)
			if f.Type() == reflect.TypeFor[string]() {
				f.SetString(text(v.Type(), v.Type().Field(i).Name))
				continue
			}
			if f.Type() == reflect.TypeFor[[]string]() {
				f.Set(reflect.ValueOf([]string{text(v.Type(), v.Type().Field(i).Name)}))
				continue
			}
			filledWith(f, text)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filledWith(v.Index(0), text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filledWith(v.Elem(), text)
	}
}

// Whatever field has a local part, in which form it can come there, it is not in what is
// kept. A new field of a record is in this test by itself.
func TestNoFieldKeepsALocalPart(t *testing.T) {
	forms := map[string]string{
		"AuthUser": "jane.roe", "MailArgs": "AUTH=jane.roe", "MessageID": "<Jane.Roe.1234@mail.test>",
		"MechanismDomain": "roe.jane._spf.test", "Explanation": "Jane.Roe may not send from here",
		"Lookalikes": `jane.roe.mail.test "v=spf1;-all": no record`,
	}
	text := func(of reflect.Type, field string) string {
		switch form := forms[field]; {
		case hiddenIn[of][""] == published || hiddenIn[of][field] == published:
			return "published by janes-company.test"
		case of == reflect.TypeFor[evidence.DMARC]() && field == "Lookalikes": // it is not asked for by macros
			return `_dmarc.bank.test "v=DMARC1;": no record, mailto:jane.roe@mail.test`
		case form != "":
			return form
		case of == reflect.TypeFor[evidence.SPFTerm]() && field == "Domain", of == reflect.TypeFor[evidence.FailedQuestion]() && field == "Name":
			return "jane-roe._spf.test"
		case of == reflect.TypeFor[evidence.SPFCheck]() && field == "Reason":
			return `the name "jane.roe._spf.test" is void`
		case strings.HasSuffix(field, "Domain"), of == reflect.TypeFor[evidence.From]():
			return "mail.test"
		case hiddenIn[of][field] == asAddress, hiddenIn[of][field] == asIdentity:
			return "Jane.Roe+x@mail.test"
		}
		return `said "Jane Roe"@mail.test, <jane.roe@mail.test>: jane.roe@[192.0.2.1] Jane.Roe@mail.test.`
	}
	r := new(record.Record)
	filledWith(reflect.ValueOf(r).Elem(), text)
	before := record.Append(nil, r)
	for _, how := range []record.Addresses{record.AddressesHashed, record.AddressesDropped} {
		p := Privacy{How: how, Pseudonyms: NewPseudonyms(testKey, "")}
		got := p.Record(r)
		b := bytes.ToLower(record.Append(nil, got))
		b = bytes.ReplaceAll(b, []byte("janes-company"), nil)
		for _, name := range []string{"jane", "roe"} {
			if at := bytes.Index(b, []byte(name)); at >= 0 {
				t.Errorf("%s: %q is in %q", how, name, b[max(0, at-60):min(len(b), at+60)])
			}
		}
		if got.Evidence.DMARC[0].Published.RUA[0] != "published by janes-company.test" || !bytes.Contains(b, []byte("published by")) {
			t.Errorf("%s: what is published is gone", how)
		}
		if again := p.Record(got); again != got {
			t.Errorf("%s: it is changed twice", how)
		}
		if got.Basis.Addresses != how || (got.Basis.AddressKey != [4]byte{}) != (how == record.AddressesHashed) {
			t.Errorf("%s: basis %+v", how, got.Basis)
		}
	}
	if !bytes.Equal(before, record.Append(nil, r)) {
		t.Error("the record itself was changed")
	}
}

func TestWhatIsKeptOfAddresses(t *testing.T) {
	p := NewPseudonyms(testKey, "+")
	x := func(local, domain string) string { return p.Local(local, domain) }
	for _, row := range []struct {
		name              string
		change            func(*evidence.Message)
		get               func(*evidence.Message) string
		hash, drop, whole string
	}{
		{name: "a recipient", change: func(m *evidence.Message) { m.Recipients = []evidence.Recipient{{Address: "Bob@Here.test"}} },
			get: func(m *evidence.Message) string { return m.Recipients[0].Address }, hash: x("bob", "here.test") + "@Here.test", drop: "@Here.test"},
		{name: "an extension", change: func(m *evidence.Message) { m.Recipients = []evidence.Recipient{{Address: "bob+news@here.test"}} },
			get: func(m *evidence.Message) string { return m.Recipients[0].Address }, hash: x("bob", "here.test") + "+" + x("news", "here.test") + "@here.test", drop: "@here.test"},
		{name: "a recipient without domain", change: func(m *evidence.Message) { m.Recipients = []evidence.Recipient{{Address: "john.doe"}} },
			get: func(m *evidence.Message) string { return m.Recipients[0].Address }, hash: "@", drop: "@"},
		{name: "a recipient at a literal", change: func(m *evidence.Message) { m.Recipients = []evidence.Recipient{{Address: "bob@[192.0.2.1]"}} },
			get: func(m *evidence.Message) string { return m.Recipients[0].Address }, hash: "@[192.0.2.1]", drop: "@[192.0.2.1]"},
		{name: "the null reverse-path", change: func(m *evidence.Message) { m.MailFrom, m.MailFromDomain = "", "" },
			get: func(m *evidence.Message) string { return m.MailFrom }},
		{name: "a sender whose domain is normalized", change: func(m *evidence.Message) {
			m.MailFrom, m.MailFromDomain = "jörg@Bücher.example", "xn--bcher-kva.example"
		}, get: func(m *evidence.Message) string { return m.MailFrom }, hash: x("jörg", "xn--bcher-kva.example") + "@Bücher.example", drop: "@Bücher.example"},
		{name: "a login name", change: func(m *evidence.Message) { m.AuthUser = "bob" },
			get: func(m *evidence.Message) string { return m.AuthUser }, hash: x("bob", "login"), drop: "-"},
		{name: "a default AUID", change: func(m *evidence.Message) { m.DKIM = []evidence.Signature{{Identity: "@bank.test"}} },
			get: func(m *evidence.Message) string { return m.DKIM[0].Identity }, hash: "@bank.test", drop: "@bank.test"},
		{name: "a Message-ID that names nobody", change: func(m *evidence.Message) { m.MessageID = "<20261128.17@bank.test>" },
			get: func(m *evidence.Message) string { return m.MessageID }, hash: "<20261128.17@bank.test>", drop: "<20261128.17@bank.test>"},
		{name: "a Message-ID that names the sender", change: func(m *evidence.Message) { m.MessageID = "<alice.17@bank.test>" },
			get: func(m *evidence.Message) string { return m.MessageID }, hash: p.MessageID("<alice.17@bank.test>"), drop: "<@bank.test>"},
		{name: "what an ARC Set says", change: func(m *evidence.Message) {
			m.ARC.Sets = []evidence.ARCSet{{AAR: &evidence.AuthResults{Results: []evidence.MethodResult{{Method: "auth", Properties: []evidence.Property{{Type: "smtp", Name: "auth", Value: "bob"}}}}}}}
		}, get: func(m *evidence.Message) string { return m.ARC.Sets[0].AAR.Results[0].Properties[0].Value }, hash: x("bob", "login"), drop: "-"},
		{name: "a domain there", change: func(m *evidence.Message) {
			m.ARC.Sets = []evidence.ARCSet{{AAR: &evidence.AuthResults{Results: []evidence.MethodResult{{Method: "spf", Properties: []evidence.Property{{Type: "smtp", Name: "mailfrom", Value: "bank.test"}}}}}}}
		}, get: func(m *evidence.Message) string { return m.ARC.Sets[0].AAR.Results[0].Properties[0].Value }, hash: "bank.test", drop: "bank.test"},
		{name: "a list", change: func(m *evidence.Message) { m.Traces.ListID = "dev.lists.test" },
			get: func(m *evidence.Message) string { return m.Traces.ListID }, hash: "dev.lists.test", drop: "dev.lists.test"},
		{name: "a notification's envelope id", change: func(m *evidence.Message) { m.MailArgs = []string{"SIZE=7", "ENVID=bob17"} },
			get: func(m *evidence.Message) string { return strings.Join(m.MailArgs, " ") }, hash: "SIZE=7 ENVID=" + x("bob17", "login"), drop: "SIZE=7 ENVID=-"},
	} {
		r := &record.Record{Evidence: evidence.Message{MailFrom: "alice@bank.test", MailFromDomain: "bank.test", Sample: -1}}
		row.change(&r.Evidence)
		for how, want := range map[record.Addresses]string{record.AddressesHashed: row.hash, record.AddressesDropped: row.drop} {
			got := (&Privacy{How: how, Pseudonyms: p}).Record(r)
			if g := row.get(&got.Evidence); g != want {
				t.Errorf("%s, %s: got %q, want %q", row.name, how, g, want)
			}
		}
	}
}

func TestPseudonymsTellMailboxesApartAndNothingElse(t *testing.T) {
	p := NewPseudonyms(testKey, "")
	same := [][2]string{{"Bob", "here.test"}, {"bob", "HERE.test."}}
	if a, b := p.Local(same[0][0], same[0][1]), p.Local(same[1][0], same[1][1]); a != b || !isPseudonym.MatchString(a) {
		t.Errorf("%q and %q", a, b)
	}
	var all []string
	for _, q := range []*Pseudonyms{p, NewPseudonyms([]byte("another key"), "")} {
		for _, local := range []string{"bob", "bobby", "b.ob", `"b ob"`} {
			for _, domain := range []string{"here.test", "there.test"} {
				all = append(all, q.Local(local, domain))
			}
		}
	}
	slices.Sort(all)
	if n := len(all); len(slices.Compact(all)) != n {
		t.Errorf("some are the same: %q", all)
	}
	if p.ID() == NewPseudonyms([]byte("another key"), "").ID() || p.ID() == NewPseudonyms(testKey, ".").ID() || p.ID() != NewPseudonyms(testKey, "+").ID() {
		t.Error("an id stands for the key and for what a dot does")
	}
	if q := p.Local(`"bob"`, "here.test"); q != `"`+p.Local("bob", "here.test")+`"` {
		t.Errorf("quotes: %q", q)
	}
	for _, local := range []string{p.Local("bob", "here.test"), p.Local("bob+x", "here.test"), p.Local(`"b o"`, "here.test"), p.Local("+x", "here.test"), p.Local("x-", "here.test")} {
		if again := p.Local(local, "here.test"); again != local {
			t.Errorf("%q becomes %q", local, again)
		}
	}
}

// Records with pseudonyms come to the same verdict, under rules that know the key; with
// another key, or without local parts, the rules that need them are undecidable.
func TestPrivateRecordsAreDecidable(t *testing.T) {
	spec := policy.Spec{ExtensionDelimiters: "+", Profiles: []policy.Profile{{ID: "board", Recipients: []string{"CEO@here.test"}, Handling: policy.Handling{Reject: policy.Tag}}}}
	p := NewPseudonyms(testKey, "+")
	rules, err := policy.Compile(spec.WithPseudonyms(p.Local))
	if err != nil {
		t.Fatal(err)
	}
	r := &record.Record{Evidence: evidence.Message{
		Looked: evidence.AllSections, Time: time.Unix(1790000000, 0), Sample: 1, Client: evidence.Client{Peer: netip.MustParseAddr("192.0.2.1")},
		MailFrom: "a@bank.test", MailFromDomain: "bank.test", Recipients: []evidence.Recipient{{Address: "ceo+x@here.test"}},
		From: evidence.From{Fields: 1, Domains: []string{"bank.test"}},
		DMARC: []evidence.DMARC{{AuthorDomain: "bank.test", OrgDomain: "bank.test", PolicyDomain: "bank.test", Result: evidence.Fail,
			Policy: evidence.PolicyReject, Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100}}},
	}}
	r.Verdict = policy.Decide(&r.Evidence, rules)
	if r.Verdict.Rule != "board" {
		t.Fatalf("%+v", r.Verdict)
	}
	hash := &Privacy{How: record.AddressesHashed, Pseudonyms: p}
	kept := hash.Record(r)
	if v := hash.Verdict(policy.Decide(&hash.Decidable(kept).Evidence, rules)); !reflect.DeepEqual(v, kept.Verdict) {
		t.Errorf("got\n%+v\nwant\n%+v", v, kept.Verdict)
	}
	other := &Privacy{How: record.AddressesHashed, Pseudonyms: NewPseudonyms([]byte("x"), "+")}
	drop := &Privacy{How: record.AddressesDropped}
	for name, ev := range map[string]*evidence.Message{"another key": &other.Decidable(kept).Evidence, "no key": &drop.Decidable(kept).Evidence, "dropped": &drop.Record(r).Evidence} {
		if v := policy.Decide(ev, rules); !slices.Equal(v.Undecidable, []policy.Fact{policy.FactLocalParts}) {
			t.Errorf("%s: undecidable %q, by %q", name, v.Undecidable, v.Rule)
		}
	}
}
