package judge

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// Log is the record.Sink that writes one line a message. Its methods are safe for
// concurrent use.
type Log struct{ handler slog.Handler }

// NewLog writes to h, past slog.Logger, which looks up the caller for each line.
func NewLog(h slog.Handler) *Log { return &Log{h} }

// Take implements record.Sink.
func (l *Log) Take(r *record.Record) {
	ctx := context.Background()
	if !l.handler.Enabled(ctx, slog.LevelInfo) {
		return
	}
	var few [40]slog.Attr
	line := slog.NewRecord(time.Now(), slog.LevelInfo, logMessages[r.Outcome.End], 0)
	line.AddAttrs(appendLog(few[:0], r)...)
	_ = l.handler.Handle(ctx, line) // there is no place left to complain
}

// logMessages name the line by how the message ended.
var logMessages = map[record.End]string{
	record.EndAnswered: "message judged",
	record.EndEdits:    "message judged",
	record.EndLimit:    "message not judged",
	record.EndPanic:    "message not judged",
	record.EndAborted:  "message given up",
}

// appendLog appends the keys of a message's line. Local parts and subjects stay
// out; every value from outside is quoted by the log's handler.
func appendLog(attrs []slog.Attr, r *record.Record) []slog.Attr {
	ev, v := &r.Evidence, &r.Verdict
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
	if d := policy.Decisive(ev, v); d != nil {
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
	str("undecidable", joined(v.Undecidable))
	str("reason", v.Reason)
	if len(ev.Problems) > 0 {
		str("problems", strings.Join(ev.Problems, "; "))
	}
	str("reply", r.Outcome.Reply.String())
	str("problem", r.Outcome.Problem)
	str("token", ev.Token)
	return append(attrs, slog.Int64("size", ev.Size),
		slog.Float64("receiving_ms", milliseconds(r.Outcome.Receiving)), slog.Float64("checking_ms", milliseconds(r.Outcome.Checking)))
}

func joined(list []policy.Fact) string {
	words := make([]string, len(list))
	for i, f := range list {
		words[i] = string(f)
	}
	return strings.Join(words, ",")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

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
