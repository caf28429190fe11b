package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestReadingReportsTakesLittleMemory, whatever is in them: more sources than a table shows,
// texts as long as they may be, more reports than one mail ever had.
func TestReadingReportsTakesLittleMemory(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the memory of report show (make test runs it; it sets ALIGND_E2E=1)")
	}
	const (
		head = `<feedback><report_metadata><org_name>o</org_name><email>a@b.example</email><report_id>%d</report_id><date_range><begin>1795737600</begin><end>1795823999</end></date_range></report_metadata>` +
			`<policy_published><domain>b.example</domain><p>none</p></policy_published>`
		record = `<record><row><source_ip>%s</source_ip><count>1</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>` +
			`<identifiers><header_from>%s</header_from></identifiers><auth_results><spf><domain>x.example</domain><result>fail</result></spf></auth_results></record>`
		end = "</feedback>\n"
	)
	long := strings.Repeat("x", 1000_000)
	for _, row := range []struct {
		name  string
		write func(w io.Writer)
	}{
		{"sources", func(w io.Writer) {
			fmt.Fprintf(w, head, 1)
			for i := range 30_000 {
				fmt.Fprintf(w, record, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), fmt.Sprintf("%d.%s.example", i, long[:200]))
			}
			io.WriteString(w, end)
		}},
		{"long texts", func(w io.Writer) {
			fmt.Fprintf(w, head, 1)
			for i := range 40 {
				fmt.Fprintf(w, record, fmt.Sprint(i, long), fmt.Sprint(i, long))
			}
			io.WriteString(w, end)
		}},
		{"reports", func(w io.Writer) {
			for i := range 8_000 {
				fmt.Fprintf(w, head+record+end, i, "192.0.2.1", "b.example")
			}
		}},
	} {
		for _, args := range [][]string{{"report", "show", "-"}, {"report", "show", "--json", "-"}} {
			cmd := exec.Command(binary(t), args...)
			in, to := io.Pipe()
			var said bytes.Buffer
			cmd.Stdin, cmd.Stderr = in, &said
			go func() {
				row.write(to)
				to.Close()
			}()
			peak, err := peakOf(cmd)
			if err != nil {
				t.Errorf("%s: %v: %s", row.name, err, said.String())
			}
			t.Logf("%s, %v: resident set at most %d MiB", row.name, args, peak>>20)
			if peak > 64<<20 {
				t.Errorf("%s, %v: resident set %d MiB, want at most 64", row.name, args, peak>>20)
			}
		}
	}
}
