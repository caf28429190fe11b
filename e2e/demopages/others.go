package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"alignd/config"
	"alignd/report/aggregate"
)

// reporter is another site that sees mail in our name, and reports what it saw.
type reporter struct {
	host, org, email string
	daily            int
}

var reporters = []reporter{
	{"mx.bigmail.example", "bigmail.example", "noreply-dmarc@bigmail.example", 90},
	{"mx.metro.example", "Metro Internet", "dmarc@metro.example", 40},
	{"mx.university.example", "University Computing Centre", "postmaster@university.example", 15},
	{"mx.odd-reporter.example", "<script>alert(1)</script>\"><img src=x onerror=alert(1)> \u202egnp.exe", "dmarc@odd-reporter.example", 3},
}

// ours is the mail in the name of own domains that others see.
func (w *world) ours(m *mail, day int) {
	switch at := m.rand.IntN(100); {
	case at < 2:
		w.hostile(m)
		m.author = "news@" + w.own.domain
	case at < 52:
		w.honest(m, w.own)
	case at < 64 && day >= 24:
		w.honest(m, w.own)
		w.by(m, w.vendor, w.vendor)
		m.author = "news@" + w.own.domain
	case at < 72:
		w.honest(m, w.own)
		m.client, m.host = forwarders+".2", "fwd2.college.example"
	case at < 80:
		w.honest(m, w.own)
		m.changed, m.list = true, "talk.lists.example"
		m.from, m.client, m.host, m.helo = "talk-bounces@lists.example", listHost, "lists.example", "lists.example"
	case at < 88:
		w.forged(m, "brand.example", w.forgery(m), homes[m.rand.IntN(len(homes))], subjects[0])
	default:
		w.forged(m, w.own.domain, w.forgery(m), homes[m.rand.IntN(len(homes))], subjects[1])
	}
}

// reportsOf are the reports of a site about a day, as files.
func (e *engine) reportsOf(site reporter, day int, dir string) (files []string, err error) {
	cfg, err := config.Parse([]byte("mode: enforce\n"), "elsewhere.yaml", e.end)
	if err != nil {
		return nil, err
	}
	s := settings(cfg, site.host)
	begin := e.begin.Truncate(24*time.Hour).AddDate(0, 0, day)
	r := rand.New(rand.NewPCG(uint64(day), uint64(len(site.host))))
	var counter aggregate.Counter
	for i := range site.daily/2 + r.IntN(site.daily) {
		m := &mail{rand: r, to: "somebody@" + domainOf(site.email)}
		e.world.ours(m, day)
		now := begin.Add(time.Duration(r.Int64N(int64(24 * time.Hour))))
		rec := e.judge(s, e.dns.usual, m, i, now)
		for _, o := range aggregate.Observe(rec, aggregate.Options{}) {
			counter.Add(&o, 1)
		}
	}
	for _, d := range counter.Drafts() {
		if !own(d.Scope.Domain) {
			continue
		}
		report := &aggregate.Report{Organization: site.org, Email: site.email, Generator: "demo", Scope: d.Scope, Rows: d.Rows}
		parts, err := aggregate.Split(report, aggregate.RFC9990, func(part int) string { return aggregate.ID(site.org, &d.Scope, 0, part) })
		if err != nil {
			return nil, err
		}
		for i := range parts {
			file := filepath.Join(dir, parts[i].Report.FileName(domainOf(site.email))+".gz")
			if err := os.WriteFile(file, parts[i].GZIP, 0o644); err != nil {
				return nil, err
			}
			files = append(files, file)
		}
	}
	return files, nil
}

// importReports stores what others reported until yesterday, as an admin would.
func (e *engine) importReports(dir string, run func(args ...string) *exec.Cmd) error {
	dir = filepath.Join(dir, "reports")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	args := []string{"report", "import", "--trust"}
	for day := range days {
		for _, site := range reporters {
			files, err := e.reportsOf(site, day, dir)
			if err != nil {
				return err
			}
			args = append(args, files...)
		}
	}
	if out, err := run(args...).CombinedOutput(); err != nil {
		return fmt.Errorf("alignd report import: %w\n%.2000s", err, out)
	}
	return nil
}
