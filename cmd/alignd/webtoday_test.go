package main

import (
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/internal/made"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/running"
	"alignd/journal/spool"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/record"
	"alignd/web"
)

// planted is a journal with some records, and its configuration.
type planted struct {
	file string
	cfg  *config.Config
}

// plantedFor keeps and counts records under a configuration.
func plantedFor(t *testing.T, text string, list []*record.Record) *planted {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "alignd.yaml")
	text = fmt.Sprintf("journal: {path: %s}\nweb: {listen: \"unix:%s/web\", users_file: \"\", role: auditor}\n", dir, dir) + text
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := place.OpenStore(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	counts, err := openState(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := counts.KeepConfig(t.Context(), cfg.Hash(), cfg.Text(), time.Now()); err != nil {
		t.Fatal(err)
	}
	var batch []journal.Raw
	for i, r := range list {
		r.Basis.Config = cfg.Hash()
		batch = append(batch, journal.Raw{Entry: journal.Entry{Number: spool.Number(i + 1), Record: r}, Encoded: record.Append(nil, r)})
	}
	for _, s := range []journal.Store{kept, counts} {
		if err := s.Take(t.Context(), spool.ID{1}, batch); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return &planted{file, cfg}
}

// pages serves them as of a time.
func (p *planted) pages(t *testing.T, now time.Time) string {
	t.Helper()
	opt, err := webOptions(p.file, p.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	opt.Access.Hosts, opt.Now = append(opt.Access.Hosts, "127.0.0.1"), func() time.Time { return now }
	s, err := web.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(func() { server.Close(); s.Close() })
	return server.URL
}

// readPage is the text of a page, with its entities as characters.
func readPage(t *testing.T, at string) string {
	t.Helper()
	status, text := fetch(t, at)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %.300s", at, status, text)
	}
	return html.UnescapeString(text)
}

// mail are n plain records, each after the other until a time.
func mail(n int, end time.Time) (list []*record.Record) {
	w := made.World{Domains: 3, Begin: end.Add(-time.Duration(n) * time.Second), Step: time.Second}
	for i := range n {
		r := w.Record(i)
		r.Verdict = policy.Verdict{Authors: r.Verdict.Authors, Disposition: policy.DispositionAccept, Delivery: policy.Deliver, Requested: policy.RequestedNone, Evaluation: 1, Step: policy.StepPolicy}
		r.Evidence.DMARC[0].Result = evidence.Pass
		list = append(list, r)
	}
	return list
}

// Each thing that needs a hand is planted, and seen on Today.
func TestTodaySaysWhatNeedsAHand(t *testing.T) {
	now := noonToday()
	day := func(n int) string { return now.AddDate(0, 0, n).Format(time.DateOnly) }
	list := mail(60, now.Add(-10*time.Minute))
	for i := range 15 {
		c := list[i].Evidence.ReportedSPF()
		c.Result = evidence.TempError
	}
	list[3].Verdict.Undecidable = []policy.Fact{policy.FactIPRev}
	list[4].Evidence.Token = "undecided"
	list[4].Verdict.Undecidable = []policy.Fact{policy.FactIPRev}
	p := plantedFor(t, `reports: {from: dmarc@example.net}
exceptions:
  - {id: going, action: accept, proof: {dkim: [vendor.example]}, expires: `+day(9)+`}
  - {id: gone, action: accept, proof: {dkim: [old.example]}, expires: `+day(-2)+`}
  - {id: never, action: accept, proof: {clients: [192.0.2.0/24]}, never_expires: true}
  - {id: behind, action: accept, proof: {clients: [192.0.2.64/26]}, never_expires: true}
`, list)
	putOff, due := cutReport(t, p.file, p.cfg), now.Add(-5*time.Hour)
	st, err := openState(p.cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	items, err := st.Items(t.Context())
	if err != nil || len(items) == 0 {
		t.Fatal(items, err)
	}
	x := items[0]
	x.Tries, x.Next, x.Reason = 2, due, "451 later"
	if err := st.SetItem(t.Context(), state.Waiting, &x); err != nil || x.ID != putOff {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	told, _ := json.Marshal(running.Told{At: time.Now().Add(-time.Hour), Since: time.Now().Add(-2 * time.Hour), Written: 20_000, Loaded: 100, Dropped: 7, Aside: 3,
		FailingSince: time.Now().Add(-30 * time.Minute), Err: "disk full"})
	if err := os.WriteFile(place.ToldFile(p.cfg), told, 0o600); err != nil {
		t.Fatal(err)
	}
	text := readPage(t, p.pages(t, now)+"/today")
	for _, want := range []string{
		"expires in 8 days: exceptions going", "expired " + day(-2) + ": exceptions gone", "entries decided nothing in 60 messages", "behind can decide nothing: exceptions: never takes its mail",
		"↻</span> reports: 1 were put off", "reports are due since " + due.Format(time.DateTime), "DNS fails: spf=temperror in 15 of 60 messages",
		"a rule needs the " + string(policy.FactIPRev), "/message?id=undecided",
		"↻</span> the journal: the daemon of this host tells nothing since", "disk full", "19890 records wait for the store", "7 records were dropped", "3 records were set aside",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if t.Failed() {
		t.Log(text[strings.Index(text, `id="hand"`):])
	}
	quiet := plantedFor(t, "", mail(20, now.Add(-10*time.Minute)))
	if text := readPage(t, quiet.pages(t, now)+"/today"); !strings.Contains(text, "Nothing needs a hand.") {
		t.Errorf("where all is well: %s", text[strings.Index(text, `id="hand"`):])
	}
}

// Days are compared by whole hours; what exceptions and sealers rescued is a number of its own.
func TestTodayComparesLikeWithLike(t *testing.T) {
	now := noonToday() // 12:30
	var list []*record.Record
	add := func(n int, at time.Time, change func(*policy.Verdict)) {
		for i, r := range mail(n, at) {
			r.Evidence.Time = at.Add(time.Duration(i) * time.Second)
			change(&r.Verdict)
			list = append(list, r)
		}
	}
	plain := func(*policy.Verdict) {}
	refuse := func(v *policy.Verdict) { v.Disposition, v.Delivery = policy.DispositionReject, policy.Refuse }
	rescue := func(v *policy.Verdict) {
		v.Requested, v.Step, v.Rule = policy.RequestedReject, policy.StepException, "vendor"
	}
	add(4, now.Add(-2*time.Hour), plain)
	add(2, now.Add(-time.Minute), refuse) // in the hour that is not over
	add(3, now.Add(-3*time.Hour), rescue)
	add(50, now.AddDate(0, 0, -1).Add(10*time.Minute), plain) // yesterday 12:40
	add(6, now.AddDate(0, 0, -1).Add(-time.Hour), refuse)
	add(8, now.AddDate(0, 0, -7).Add(-time.Hour), rescue)
	p := plantedFor(t, "", list)
	text := readPage(t, p.pages(t, now)+"/today")
	for _, want := range []string{
		`>9</a></span> <span class="name">messages today</span> <span class="small">until 12:00: 7; yesterday 6, a week ago 8`,
		`>2</a></span> <span class="name">refused</span> <span class="small">until 12:00: 0; yesterday 6, a week ago 0`,
		`>3</a></span> <span class="name">rescued by an exception or trusted sealer</span> <span class="small">until 12:00: 3; yesterday 0, a week ago 8`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text[strings.Index(text, `class="stats"`):][:2500])
		}
	}
	early := dayOf(now).Add(20 * time.Minute)
	if text := readPage(t, p.pages(t, early)+"/today"); !strings.Contains(text, "all of yesterday 56") {
		t.Errorf("in the first hour: %s", text[strings.Index(text, `class="stats"`):][:1500])
	}
}

// What changed with the last reload is told by entries, and that the file is not in force yet.
func TestTodaySaysWhatAReloadChanged(t *testing.T) {
	now := noonToday()
	p := plantedFor(t, "mode: monitor\n", mail(30, now.Add(-3*time.Hour)))
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	if part := pageFrom(readPage(t, p.pages(t, now)+"/today"), "changed"); strings.Contains(part, "No change in 30 days") || !strings.Contains(part, "of the time before they do not tell") {
		t.Errorf("messages of an hour tell of 30 days: %s", part)
	}
	before := p.cfg
	if err := os.WriteFile(p.file, []byte(strings.Replace(string(text), "mode: monitor", "mode: enforce", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if p.cfg, err = readConfig(config.Input{File: p.file}); err != nil || p.cfg.Hash() == before.Hash() {
		t.Fatal(err)
	}
	if got := readPage(t, p.pages(t, now)+"/today"); !strings.Contains(got, "alignd reload takes it up") || !strings.Contains(got, "mode") {
		t.Errorf("a file that is not in force: %s", got[strings.Index(got, `id="changed"`):])
	}
	kept, err := place.OpenStore(p.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	st, err := openState(p.cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	var batch []journal.Raw
	for i, r := range mail(30, now.Add(-time.Minute)) {
		r.Basis.Config = p.cfg.Hash()
		batch = append(batch, journal.Raw{Entry: journal.Entry{Number: spool.Number(i + 31), Record: r}, Encoded: record.Append(nil, r)})
	}
	if err := st.KeepConfig(t.Context(), p.cfg.Hash(), p.cfg.Text(), now); err != nil {
		t.Fatal(err)
	}
	for _, s := range []journal.Store{kept, st} {
		if err := s.Take(t.Context(), spool.ID{1}, batch); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got := readPage(t, p.pages(t, now)+"/today")
	if part := got[strings.Index(got, `id="changed"`):]; !strings.Contains(part, "judged by this configuration since about") || !strings.Contains(part, "enforce") {
		t.Errorf("after a reload: %s", part)
	}
}

// pageFrom is what stands in a page from a block on.
func pageFrom(page, id string) string {
	if at := strings.Index(page, `id="`+id+`"`); at >= 0 {
		return page[at:]
	}
	return ""
}

// New sources are those of own domains that were not there before.
func TestTodaySaysWhoIsNew(t *testing.T) {
	now := noonToday()
	list := append(mail(40, now.AddDate(0, 0, -12)), mail(40, now.Add(-time.Hour))...)
	for i, r := range list {
		r.Evidence.IPRev = evidence.IPRev{}
		r.Evidence.Client.Peer = madeAddress(i < 40)
		r.Evidence.DMARC[0].AuthorDomain = "ours.example"
	}
	list[0].Evidence.Client.Peer = madeAddress(false)
	list[60].Evidence.Client.Peer = madeAddress(true)
	list[61].Evidence.Client.Peer = freshAddress
	p := plantedFor(t, "own_domains: [{id: ours, domains: [ours.example], action: tag}]\n", list)
	text := readPage(t, p.pages(t, now)+"/today")
	text = text[strings.Index(text, `id="new"`):strings.Index(text, `id="changed"`)]
	if !strings.Contains(text, url.QueryEscape("203.0.113.0/24")) || strings.Contains(text, "192.0.2.0") || strings.Contains(text, "198.51.100.0") {
		t.Errorf("new: %s", text)
	}
}

var freshAddress = netip.MustParseAddr("203.0.113.9")

func madeAddress(old bool) netip.Addr {
	if old {
		return netip.MustParseAddr("192.0.2.7")
	}
	return netip.MustParseAddr("198.51.100.7")
}
