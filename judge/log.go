package judge

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"alignd/compare"
	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// Log is the record.Sink that writes one line a message, rendered from the record
// alone. docs/monitoring.md lists its keys. Its methods are safe for concurrent use.
type Log struct {
	handler   slog.Handler
	addresses atomic.Bool
	lines     sync.Pool // of *logLine
}

// NewLog writes to h, past slog.Logger, which looks up the caller for each line.
func NewLog(h slog.Handler) *Log { return &Log{handler: h} }

// ShowAddresses says whether lines from now on hold addresses with their local
// parts (the option log_addresses). The default is that they do not.
func (l *Log) ShowAddresses(yes bool) { l.addresses.Store(yes) }

// Take implements record.Sink.
func (l *Log) Take(r *record.Record) (sent func(written bool)) {
	ctx := context.Background()
	if !l.handler.Enabled(ctx, slog.LevelInfo) {
		return nil
	}
	w, _ := l.lines.Get().(*logLine)
	if w == nil {
		w = new(logLine)
	}
	*w = logLine{attrs: w.attrs[:0], addresses: l.addresses.Load()}
	w.message(r)
	line := slog.NewRecord(time.Now(), slog.LevelInfo, logMessages[r.Outcome.End], 0)
	// A group without a name is its attributes, which are not copied so.
	line.AddAttrs(slog.Attr{Value: slog.GroupValue(w.attrs...)})
	_ = l.handler.Handle(ctx, line) // there is no place left to complain
	clear(w.attrs)
	l.lines.Put(w)
	return nil
}

// logMessages name the line by how the message ended.
var logMessages = map[record.End]string{
	record.EndAnswered: "message judged",
	record.EndEdits:    "message judged",
	record.EndLimit:    "message not judged",
	record.EndPanic:    "message not judged",
	record.EndAborted:  "message given up",
}

// message appends all keys, the most useful first: what came of it and why, the
// checks with their causes, the rest. Where a sender made the values so long that
// not all fit, the last ones before those of finish are left out.
func (w *logLine) message(r *record.Record) {
	w.room = maxLine - lineHead - lineTail
	ev, v := &r.Evidence, &r.Verdict
	d := policy.Decisive(ev, v)
	w.name(ev)
	w.author(ev, v, d)
	w.verdict(r)
	w.differs(ev, v)
	w.spf(ev)
	w.dkim(ev, d)
	w.arc(&ev.ARC, v)
	w.dmarc(ev, d)
	w.questions(ev)
	w.rules(v)
	w.client(ev, d)
	if w.addresses {
		w.envelope(ev)
	}
	w.room += lineTail
	w.finish(r)
}

// name says which message it is.
func (w *logLine) name(ev *evidence.Message) {
	w.text("queue_id", ev.QueueID, 64)
	w.word("token", ev.Token)
	ip := ev.Client.IP()
	w.address("client_ip", ip)
	if ev.Client.Peer != ip { // a trusted relay stands between
		w.address("peer_ip", ev.Client.Peer)
	}
	w.text("relay_problem", ev.Client.RelayProblem, 150)
}

// author is the evaluation that decided.
func (w *logLine) author(ev *evidence.Message, v *policy.Verdict, d *evidence.DMARC) {
	if d == nil {
		w.word("dmarc", string(policy.ResultOf(ev, v)))
		return
	}
	w.text("author_domain", d.AuthorDomain, maxDomain)
	w.word("dmarc", string(d.Result))
	w.word("policy", string(d.Policy))
}

// verdict is what was decided, and what came of it where that is another thing.
func (w *logLine) verdict(r *record.Record) {
	v, o := &r.Verdict, &r.Outcome
	if o.End != record.EndAnswered {
		w.word("end", string(o.End))
		w.text("problem", o.Problem, 200)
	}
	w.word("disposition", string(v.Disposition))
	w.word("delivery", string(v.Delivery))
	w.word("requested", string(v.Requested))
	w.word("step", string(v.Step))
	w.text("rule", v.Rule, 100)
	w.text("at", v.Place(), 200)
	w.word("stage", string(v.Stage))
	w.word("monitor", string(v.Monitor.Delivery))
	w.word("override", string(v.Override))
	w.text("reason", v.Reason, 450)
}

// differs is what the filters in front say otherwise: "dmarc:fail/pass,spf:softfail/fail",
// theirs first.
func (w *logLine) differs(ev *evidence.Message, v *policy.Verdict) {
	if len(ev.Incumbents) > 0 {
		w.text("differs", compare.Text(compare.Differences(ev, v)), 300)
	}
}

// SPF is the check that counts for DMARC, with the words that
// Authentication-Results has and the term that decided.
func (w *logLine) spf(ev *evidence.Message) {
	c := ev.ReportedSPF()
	if c == nil {
		return
	}
	w.word("spf", string(c.Result))
	w.text("spf_reason", w.withoutLocal(c.Reason, ev), 250)
	w.word("spf_identity", string(c.Identity))
	w.text("spf_domain", w.outside(c.Domain), maxDomain)
	w.text("spf_mechanism", c.Mechanism, 120)
	w.list("spf_lookalikes", len(c.Lookalikes), "; ", 250, func(i int) string { return w.withoutLocal(c.Lookalikes[i], ev) })
	if len(c.Path) > 0 {
		w.text("spf_path", w.path(c.Path, ev), 200)
	} else if c.MechanismDomain != c.Domain {
		w.text("spf_path", w.withoutLocalName(c.MechanismDomain, ev), 200)
	}
	if c.Wide {
		w.text("spf_wide", c.Mechanism, 120)
	}
}

// path names record and number of each term, from the record of the checked
// domain to the one that holds the mechanism: "bank.test:3 _spf.example.net:1".
func (w *logLine) path(path []evidence.SPFTerm, ev *evidence.Message) string {
	var b strings.Builder
	for i := range path {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.withoutLocalName(path[i].Domain, ev))
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(path[i].Number))
	}
	return b.String()
}

func (w *logLine) arc(a *evidence.ARC, v *policy.Verdict) {
	w.word("arc", string(a.Result))
	if a.Result != evidence.None {
		w.text("arc_reason", a.Reason, 150)
	}
	if n := len(a.Sets); n > 0 {
		w.text("arc_sealer", w.outside(a.Sets[n-1].SealDomain), 100)
	}
	w.text("trusted_sealer", v.TrustedSealer, 100)
}

// dmarc is what is to be said of the record and of further Author Domains.
func (w *logLine) dmarc(ev *evidence.Message, d *evidence.DMARC) {
	if d != nil {
		w.text("dmarc_reason", d.Reason, 150)
		w.list("dmarc_errors", len(d.Published.Errors), "; ", 250, func(i int) string { return d.Published.Errors[i] })
		w.list("dmarc_lookalikes", len(d.Lookalikes), "; ", 250, func(i int) string { return d.Lookalikes[i] })
		if d.PolicyDomain != d.AuthorDomain {
			w.text("policy_domain", d.PolicyDomain, maxDomain)
		}
		if d.Divergence != nil {
			w.word("divergence", string(d.Divergence.Discovery)+"="+string(d.Divergence.Result))
		}
	}
	w.text("from_problem", string(ev.From.Problem), 20)
	w.text("from_detail", ev.From.Detail, 250)
	var others []*evidence.DMARC
	for i := range ev.DMARC {
		if o := &ev.DMARC[i]; o != d {
			others = append(others, o)
		}
	}
	w.list("other_author_domains", len(others), " ", 300, func(i int) string {
		text := plainName(others[i].AuthorDomain) + "=" + string(others[i].Result)
		if others[i].Policy != evidence.PolicyAbsent {
			text += "/" + string(others[i].Policy)
		}
		return text
	})
}

// questions are those that DNS did not answer, and other work cut short.
func (w *logLine) questions(ev *evidence.Message) {
	w.list("failed_questions", len(ev.Failed), ", ", 400, func(i int) string {
		q := &ev.Failed[i]
		text := plainName(w.withoutLocalName(q.Name, ev)) + " " + q.Type
		if q.RCode != "" {
			return text + " " + q.RCode
		}
		return text + " " + q.Why
	})
	w.list("problems", len(ev.Problems), "; ", 200, func(i int) string { return ev.Problems[i] })
}

// rules is what else the site's own rules say.
func (w *logLine) rules(v *policy.Verdict) {
	w.list("undecidable", len(v.Undecidable), ", ", 200, func(i int) string { return string(v.Undecidable[i]) })
	w.list("signals", len(v.Signals), " ", 200, func(i int) string { return string(v.Signals[i]) })
}

// client is what else is known of the sender.
func (w *logLine) client(ev *evidence.Message, d *evidence.DMARC) {
	w.text("relay", ev.Client.Relay, 100)
	w.text("mail_from_domain", ev.MailFromDomain, maxDomain)
	w.text("helo", w.outside(ev.Client.HELOName()), 128)
	if ev.MailFrom != "" && ev.SPF.HELO != nil {
		w.word("helo_spf", string(ev.SPF.HELO.Result))
	}
	w.word("iprev", string(ev.IPRev.Result))
	if d != nil {
		w.text("org_domain", d.OrgDomain, maxDomain)
	}
}

// envelope are the addresses with local parts.
func (w *logLine) envelope(ev *evidence.Message) {
	w.text("mail_from", "<"+ev.MailFrom+">", 320)
	w.list("recipients", len(ev.Recipients), " ", 600, func(i int) string { return "<" + ev.Recipients[i].Address + ">" })
	w.text("auth_user", ev.AuthUser, 100)
}

// finish is what a line always has room for.
func (w *logLine) finish(r *record.Record) {
	w.text("reply", r.Outcome.Reply.String(), 300)
	w.text("message_id", r.Evidence.MessageID, 300)
	if n := r.Outcome.Deleted; n > 0 {
		w.number("deleted", slog.Int64Value(int64(n)))
	}
	w.number("size", slog.Int64Value(r.Evidence.Size))
	w.number("receiving_ms", slog.Float64Value(milliseconds(r.Outcome.Receiving)))
	w.number("checking_ms", slog.Float64Value(milliseconds(r.Outcome.Checking)))
	w.text("left_out", strings.Join(w.leftOut, " "), 200)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
