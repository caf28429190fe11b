package filter

import (
	"log/slog"
	"strings"

	"alignd/evidence"
	"alignd/record"
)

// appendLog appends the keys of the line "message judged". Local parts and
// subjects stay out; every value from outside is quoted by the log's handler.
func appendLog(attrs []slog.Attr, j *Judgement) []slog.Attr {
	ev, v := j.Evidence, &j.Verdict
	str := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	str("queue_id", ev.QueueID)
	if ip := ev.Client.Peer; ip.IsValid() {
		str("client_ip", ip.String())
	}
	if ip := ev.Client.Original; ip.IsValid() {
		str("original_ip", ip.String())
	}
	str("relay_problem", ev.Client.RelayProblem)
	str("helo", ev.Client.HELO)
	str("mail_from_domain", ev.MailFromDomain)
	if d := record.Decisive(ev, v); d != nil {
		str("author_domain", d.AuthorDomain)
		str("org_domain", d.OrgDomain)
		str("dmarc", string(d.Result))
		str("policy", string(d.Policy))
		if d.Divergence != nil {
			str("divergence", string(d.Divergence.Discovery)+"="+string(d.Divergence.Result))
		}
	} else if !v.NotJudged {
		str("dmarc", string(evidence.PermError))
	}
	str("from_problem", string(ev.From.Problem))
	str("from_detail", ev.From.Detail)
	if c := ev.ReportedSPF(); c != nil {
		str("spf", string(c.Result))
		if c.Wide {
			str("spf_wide", c.Mechanism)
		}
	}
	if ev.MailFrom != "" && ev.SPF.HELO != nil {
		str("helo_spf", string(ev.SPF.HELO.Result))
	}
	if !v.NotJudged {
		str("dkim", dkimSummary(ev.DKIM))
	}
	str("arc", string(ev.ARC.Result))
	str("sealer", v.TrustedSealer)
	str("disposition", string(v.Disposition))
	str("action", string(v.Delivery))
	str("requested", string(v.Requested))
	str("step", string(v.Step))
	str("rule", v.Rule)
	str("at", v.Place())
	str("stage", string(v.Stage))
	str("monitor", string(v.Monitor.Delivery))
	str("override", string(v.Override))
	str("undecidable", string(v.Undecidable))
	str("reason", v.Reason)
	if len(ev.Problems) > 0 {
		str("problems", strings.Join(ev.Problems, "; "))
	}
	return append(attrs, slog.Int64("size", ev.Size), slog.Float64("elapsed_ms", milliseconds(ev)))
}

func milliseconds(ev *evidence.Message) float64 {
	return float64(ev.Elapsed.Microseconds()) / 1000
}

// dkimSummary is "pass(example.com) fail(other.example)", at most four of them.
func dkimSummary(sigs []evidence.Signature) string {
	if len(sigs) == 0 {
		return string(evidence.None)
	}
	var b strings.Builder
	for i := range sigs {
		if i == 4 {
			b.WriteString(" ...")
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(sigs[i].Result) + "(" + sigs[i].Domain + ")")
	}
	return b.String()
}
