package e2e

import (
	"strings"
	"testing"

	"alignd/e2e/mta"
	"alignd/e2e/port"
)

// TestPostfixMacrosAsDoctorSays: what `alignd doctor` says of macros holds for the
// Postfix that is installed. Lists without them take nothing from alignd, which asks by
// itself in every version of the protocol; a default login is believed.
func TestPostfixMacrosAsDoctorSays(t *testing.T) {
	realMTA(t) // else it is left out
	at, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	none := []string{"milter_connect_macros=", "milter_helo_macros=", "milter_mail_macros=", "milter_rcpt_macros=", "milter_data_macros=",
		"milter_end_of_header_macros=", "milter_end_of_data_macros="}
	var lines []mta.Line
	for _, version := range []string{"2", "3", "4", "6"} {
		lines = append(lines, mta.Line{Name: version, Milter: "inet:" + at, Options: append([]string{"milter_protocol=" + version}, none...)})
	}
	lines = append(lines, mta.Line{Name: "default login", Milter: "inet:" + at, Options: []string{"milter_macro_defaults=auth_authen=nobody,auth_type=plain"}})
	p, err := mta.Start(lines)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	d := serve(t, binary(t), "inet:"+at, "", "")
	for _, l := range lines {
		c := dial(t, p, l.Name, "192.0.2.1")
		reply := transaction(t, c, "a@example.com", strings.NewReader("From: a@example.com\r\n\r\nhi\r\n"))
		got, err := waitDelivery(t, p.Sink(), reply.QueueID())
		if err != nil {
			t.Fatalf("%s: %v: %v", l.Name, reply, err)
		}
		want := "Authentication-Results: " + mta.Hostname + ";\r\n\tspf="
		if l.Name == "default login" {
			want = "Authentication-Results: " + mta.Hostname + ";\r\n\tauth=pass (plain)"
		}
		if !strings.HasPrefix(string(got.Data), want) {
			t.Errorf("%s: %.200q, want %q", l.Name, got.Data, want)
		}
		waitLog(t, d, 1, "queue_id="+reply.QueueID()+" ")
	}
}
