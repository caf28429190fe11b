package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"alignd/internal/terminal"
	"alignd/journal/state"
)

// journalStatus is what of the JSON of alignd journal status is shown.
type journalStatus struct {
	Store, Path    string
	Keep           string
	Records        int64
	Octets         int64
	Oldest, Newest string
	Parts          []struct {
		Name, Day string
		Sealed    bool
		Records   int64
		Octets    int64
		Problem   string
	}
	Spool *struct {
		Octets, Max      int64
		Waiting, Damaged int
	}
	Hosts []host
	Error string
}

// host is what the daemon of a host told of itself last.
type host struct{ state.Daemon }

// life is whether it runs: a word, and what else there is to say.
func (h *host) life(now time.Time) (word, text string) {
	switch {
	case h.Stopped:
		return "stopped", "at " + h.At.Format(time.DateTime)
	case h.Silent(now):
		return "silent", "since " + h.At.Format(time.DateTime) + ": it has ended, or cannot write; what stands here is as of then"
	}
	return "runs", "as of " + h.At.Format(time.DateTime)
}

// state is life as a cell.
func (h *host) state(now time.Time) cell {
	w, _ := h.life(now)
	return cell{Text: w, Class: map[string]string{"stopped": "mark", "silent": "bad", "runs": "good"}[w], Sign: map[string]string{"stopped": "!", "silent": "✗", "runs": "✓"}[w]}
}

func (h *host) openListeners() string {
	open := 0
	for _, l := range h.Listeners {
		if l.Open && l.Fault == "" {
			open++
		}
	}
	return fmt.Sprintf("%d of %d", open, len(h.Listeners))
}

// lag is how old the oldest record is that waits for the store.
func (h *host) lag() string {
	if h.Journal.Oldest.IsZero() {
		return "none"
	}
	return max(0, h.At.Sub(h.Journal.Oldest)).Round(time.Second).String()
}

// maxHostsShown is how many hosts are told of at length; ours.
const maxHostsShown = 20

// health is how alignd and its journal are doing, on all hosts that share it.
func (a *asked) health() (*page, error) {
	p := &page{Command: "alignd journal status"}
	raw, j, err := a.journalStatus()
	if err != nil {
		p.Blocks = append(p.Blocks, block{Heading: "Journal", Alert: terminal.Line("It cannot be read: " + err.Error() + ".")})
		raw = json.RawMessage("{}")
	} else {
		p.Blocks = append(p.Blocks, block{Heading: "Journal", Alert: terminal.Line(j.Error), Lines: []explained{
			{Name: "store", Text: terminal.Line(j.Store + " " + j.Path)}, {Name: "records", Text: fmt.Sprint(j.Records)}, {Name: "octets", Text: fmt.Sprint(j.Octets)},
			{Name: "oldest", Text: orNone(j.Oldest)}, {Name: "newest", Text: orNone(j.Newest)}, {Name: "keep", Text: orNone(j.Keep)}, {Name: "waiting", Text: waiting(j)}},
			Links: []link{{"Its parts", "/health/journal"}}})
	}
	p.Rows = a.hostTable(j.Hosts)
	p.Blocks = append(p.Blocks, block{Heading: "Daemons", Table: p.Rows, Links: []link{{"Metrics", "/health/metrics"}}})
	for i := range j.Hosts {
		if i < maxHostsShown {
			p.Blocks = append(p.Blocks, a.hostBlock(&j.Hosts[i]))
		}
	}
	p.Blocks = append(p.Blocks, a.fileBlock())
	p.Data = map[string]any{"journal": raw, "config": a.hash(), "faults": a.faults()}
	return p, nil
}

func (a *asked) journalStatus() (json.RawMessage, *journalStatus, error) {
	j := &journalStatus{}
	raw, err := a.opt.Backend.JournalStatus(a.ctx)
	if err != nil {
		return nil, j, err
	}
	return raw, j, unmarshal(raw, j)
}

func (a *asked) hostTable(list []host) *table {
	t := &table{Caption: "Daemons that write to this journal", Columns: columns("Host", "State", "Told", "Version", "Started", "Listeners", "Configuration", "Read by it", "Last reload", "#Sessions", "DNS failures", "Lag"),
		Empty: "No daemon has told of itself here: none of this version has run with this journal."}
	for i := range list {
		h := &list[i]
		reload := plain("none since its start")
		if !h.Reload.At.IsZero() {
			reload = plain(h.Reload.At.Format(time.DateTime))
			if h.Reload.Failed {
				reload = cell{Text: reload.Text + " failed", Class: "bad", Sign: "✗"}
			}
		}
		t.Rows = append(t.Rows, []cell{plain(h.Host), h.state(a.now), plain(h.At.Format(time.DateTime)), plain(h.Program), plain(h.Started.Format(time.DateTime)), plain(h.openListeners()),
			plain(h.Config.Hash[:min(12, len(h.Config.Hash))]), plain(h.Config.Since.Format(time.DateTime)), reload, number(h.MTA.Open), plain(fmt.Sprintf("%d of %d", h.DNS.Failures, h.DNS.Asked)), plain(h.lag())})
	}
	return t
}

// hostBlock is one daemon at length.
func (a *asked) hostBlock(h *host) block {
	word, life := h.life(a.now)
	b := block{Heading: terminal.Line(h.Host)}
	line := func(name, format string, args ...any) {
		b.Lines = append(b.Lines, explained{Name: name, Text: terminal.Line(fmt.Sprintf(format, args...))})
	}
	line("state", "%s, %s; process %d, %s, started %s", word, life, h.PID, h.Program, h.Started.Format(time.DateTime))
	same := ", which is that of the file here"
	if h.Config.Hash != a.hash() {
		same = ", which is not that of the file here: a reload takes that up, where it is this host's"
	}
	line("configuration", "%.12s of %s, mode %s, read by this process at %s%s", h.Config.Hash, cmp.Or(h.Config.File, "no file"), h.Config.Mode, h.Config.Since.Format(time.DateTime), same)
	switch r := &h.Reload; {
	case r.At.IsZero():
		line("last reload", "none since the start")
	case r.Failed:
		line("last reload", "%s by %s failed, and the configuration before it stays: the log of that host and alignd config check there say why", r.At.Format(time.DateTime), r.By)
	default:
		line("last reload", "%s by %s; it is in force", r.At.Format(time.DateTime), r.By)
	}
	if len(h.Config.Pending) > 0 {
		line("need a restart", "%s", strings.Join(h.Config.Pending, ", "))
	}
	for _, l := range h.Listeners {
		said := "open"
		if !l.Open {
			said = "not open"
		}
		if l.Fault != "" {
			said += "; " + l.Fault
		}
		line("listener", "%s, opened by %s: %s", l.Place, l.By, said)
	}
	line("MTAs", "%d connections open, %d at most; %d messages under way; %d connections since the start", h.MTA.Open, h.MTA.Limit, h.MTA.Messages, h.MTA.Connections)
	line("resolver", "%s: %d questions asked, %d failed; in the minute before it told %d, %d failed; %d answered from the cache", strings.Join(h.DNS.Servers, ", "), h.DNS.Asked, h.DNS.Failures, h.DNS.Lately.Asked, h.DNS.Lately.Failures, h.DNS.Cached)
	line("journal", "%d records written, %d late, %d dropped; spool %d octets of %d; lag of the store: %s", h.Journal.Written, h.Journal.Late, h.Journal.Dropped, h.Journal.Octets, h.Journal.Bound, h.lag())
	if !h.Journal.FailingSince.IsZero() {
		b.Alert = terminal.Line("The store does not take records since " + h.Journal.FailingSince.Format(time.DateTime) + "; they wait in the spool.")
	}
	if word == "silent" {
		b.Alert = terminal.Line("Nothing was heard of it " + life + ".")
	}
	return b
}

func (a *asked) hash() string { return fmt.Sprintf("%x", a.cfg.Hash()) }

// faults are those that the file has now.
func (a *asked) faults() (list []string) {
	list = []string{}
	if a.stale != nil {
		list = append(list, staleLines(a.stale)...)
	}
	return list
}

// fileBlock is the configuration file as it is on disk now.
func (a *asked) fileBlock() block {
	b := block{Heading: "The configuration file", Lines: []explained{{Name: "hash", Text: a.hash()[:12]}, {Name: "mode", Text: terminal.Line(string(a.cfg.Mode))}}}
	for i, f := range a.cfg.Files {
		if i < 50 {
			b.Lines = append(b.Lines, explained{Name: "file", Text: terminal.Line(f.Name)})
		}
	}
	b.Lines = append(b.Lines, explained{Name: "listen", Text: terminal.Line(strings.Join(a.cfg.Listen, ", "))}, explained{Name: "DNS servers", Text: terminal.Line(cmp.Or(strings.Join(a.cfg.DNS.Servers, ", "), "those of resolv.conf"))},
		explained{Name: "pages", Text: terminal.Line("alignd " + a.opt.Version)}, explained{Name: "now", Text: a.now.Format(time.DateTime)})
	for i, f := range a.faults() {
		if i < 50 {
			b.Points = append(b.Points, terminal.Line("fault: "+f))
		}
	}
	for i, w := range a.cfg.Warnings {
		if i < 50 {
			b.Points = append(b.Points, terminal.Line("warning: "+w.Position.String()+": "+w.Text))
		}
	}
	if a.stale == nil {
		b.Note = "It has no faults now."
	}
	return b
}

func waiting(j *journalStatus) string {
	if j.Spool == nil {
		return "this host writes none"
	}
	return fmt.Sprintf("%d records that the store has not yet, %d octets of %d", j.Spool.Waiting, j.Spool.Octets, j.Spool.Max)
}

// journalParts are the days and files of the journal.
func (a *asked) journalParts() (*page, error) {
	raw, j, err := a.journalStatus()
	if err != nil {
		return nil, err
	}
	t := &table{Caption: "Parts of the journal, newest first", Columns: columns("Day", "Name", "#Records", "#Octets", "Sealed", "Problem"), Empty: "It is empty."}
	for i := len(j.Parts) - 1; i >= 0 && (len(t.Rows) < 300 || a.format != asHTML); i-- {
		x := &j.Parts[i]
		t.Rows = append(t.Rows, []cell{plain(x.Day), plain(x.Name), number(x.Records), number(x.Octets), plain(yesNo(x.Sealed)), plain(x.Problem)})
	}
	return &page{Command: "alignd journal status", Rows: t, Data: raw, Blocks: []block{{Alert: terminal.Line(j.Error), Table: t, Links: []link{{"Health", "/health"}}}}}, nil
}

// Metric is a metric that the daemon of this host exports, with its values.
type Metric struct {
	Name   string        `json:"name"`
	Help   string        `json:"help"`
	Type   string        `json:"type"`
	Values []MetricValue `json:"values"`
}

// MetricValue is one of its values.
type MetricValue struct {
	Labels string `json:"labels"`
	Value  string `json:"value"`
}

// metricRows is how many values the page shows; ours.
const metricRows = 400

// metrics are those that the daemon of this host exports.
func (a *asked) metrics() (*page, error) {
	t := &table{Caption: "Metrics of the daemon on this host", Columns: columns("Metric", "Labels", "Value", "Type", "What it says"), Empty: "None.", Live: true}
	places := a.cfg.Metrics.Listen
	p := &page{Command: "alignd journal status", Rows: t, Data: []Metric{}}
	b := block{Table: t, Note: "What each says, with alerts and a Grafana board, stands in docs/monitoring.md (in the package: /usr/share/doc/alignd).", Links: []link{{"Health", "/health"}}}
	p.Blocks = []block{b}
	if len(places) == 0 {
		p.Blocks[0].Alert = "No metrics are exported: metrics.listen names no place (metrics: {listen: [inet:127.0.0.1:9890]}). Health tells the most important ones without it."
		return p, nil
	}
	p.Command += "; curl -s " + metricsAddress(places[0])
	list, err := a.opt.Backend.Metrics(a.ctx)
	if err != nil {
		p.Blocks[0].Alert = terminal.Line("The daemon does not answer at " + strings.Join(places, ", ") + " (metrics.listen) of this host: " + err.Error())
		return p, nil
	}
	values := 0
	for i := range list {
		m := &list[i]
		for _, v := range m.Values {
			if values++; values > metricRows && a.format == asHTML {
				continue
			}
			t.Rows = append(t.Rows, []cell{plain(m.Name), plain(v.Labels), plain(v.Value), plain(m.Type), plain(m.Help)})
		}
	}
	if values > len(t.Rows) {
		t.Caption += fmt.Sprintf("; %d of %d values, CSV and JSON have all", len(t.Rows), values)
	}
	p.Data = list
	return p, nil
}

// metricsAddress is what is asked for them.
func metricsAddress(place string) string {
	if path, ok := strings.CutPrefix(place, "unix:"); ok {
		return "--unix-socket " + path + " http://localhost/metrics"
	}
	return "http://" + strings.TrimPrefix(place, "inet:") + "/metrics"
}
