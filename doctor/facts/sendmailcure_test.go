package facts

import (
	"slices"
	"testing"

	"alignd/doctor"
)

// A DAEMON_OPTIONS takes the default ports away, and a second one for 587 keeps
// Sendmail from starting: the cure has them all, with what they say.
func TestSendmailSubmissionCureKeepsThePorts(t *testing.T) {
	const filters = "INPUT_MAIL_FILTER(`alignd', `S=inet:8890@127.0.0.1, F=T')\nINPUT_MAIL_FILTER(`opendkim', `S=inet:8891@127.0.0.1')\n"
	for _, row := range []struct {
		name, text string
		read       func(string) *doctor.Sendmail
		want       []string
	}{
		{name: "the default ports", text: filters, read: sendmailMC,
			want: []string{"DAEMON_OPTIONS(`Name=MTA')", "DAEMON_OPTIONS(`Name=MSA, Port=587, M=E, InputMailFilters=opendkim')"}},
		{name: "options are kept", text: filters + "FEATURE(`no_default_msa')\nDAEMON_OPTIONS(`Name=MTA-v4, Port=smtp, Addr=192.0.2.1')\nDAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea, InputMailFilters=alignd;opendkim')\n", read: sendmailMC,
			want: []string{"DAEMON_OPTIONS(`Name=MTA-v4, Port=smtp, Addr=192.0.2.1')", "DAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea, InputMailFilters=opendkim')"}},
		{name: "sendmail.cf", text: "O InputMailFilters=alignd\nXalignd, S=inet:8890@127.0.0.1, F=T\nO DaemonPortOptions=Name=MTA\nO DaemonPortOptions=Name=MSA, Port=587, M=E\n", read: sendmailCF,
			want: []string{"DAEMON_OPTIONS(`Name=MTA')", "DAEMON_OPTIONS(`Name=MSA, Port=587, M=E, InputMailFilters=YOUR-SIGNER')"}},
	} {
		f := &doctor.Facts{Sendmail: row.read(row.text)}
		f.Alignd.Listen = []string{"inet:127.0.0.1:8890"}
		var cure []string
		for _, found := range doctor.Examine(f, nil).Findings {
			if found.ID == "sendmail-submission" {
				cure = found.Cure
			}
		}
		want := append([]string{"in sendmail.mc, instead of all DAEMON_OPTIONS:", "FEATURE(`no_default_msa')"}, row.want...)
		if want = append(want, "make -C /etc/mail", "systemctl restart sendmail"); !slices.Equal(cure, want) {
			t.Errorf("%s: got %q, want %q", row.name, cure, want)
		}
	}
}
