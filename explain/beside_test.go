package explain

import (
	"fmt"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/policy"
)

func TestWhatFiltersInFrontSayIsTold(t *testing.T) {
	ev := &evidence.Message{
		MailFrom: "a@bank.example",
		SPF:      evidence.SPF{MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "bank.example", Result: evidence.Pass}},
		Incumbents: []evidence.Incumbent{
			{ServID: "a.example", Fields: 1, Results: []evidence.MethodResult{{Method: "spf", Result: "temperror\x1b"}}},
			{ServID: "b.example", Fields: 1, Results: []evidence.MethodResult{{Method: "spf", Result: "pass"}}},
			{ServID: "c.example"},
		},
	}
	e := New(ev, &policy.Verdict{})
	e.Checks()
	var b strings.Builder
	if err := Write(&b, e.Sections()); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{
		"beside a.example spf of bank.example: temperror", "there, pass here:", "(right: not to be told",
		"beside b.example it says the same, as far as it tells", "beside c.example it wrote no field that was seen",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Errorf("%q", b.String())
	}
	if ev.Incumbents = nil; strings.Contains(fmt.Sprint(New(ev, &policy.Verdict{}).Sections()), "beside") {
		t.Error("nothing was beside")
	}
}
