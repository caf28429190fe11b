package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"alignd/e2e/daemon"
	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
	"alignd/e2e/port"
)

const (
	prometheusBin = "../build/prometheus/usr/bin" // unpacked by e2e/install
	rulesDir      = "../packaging/prometheus"
	dashboardFile = "../packaging/grafana/alignd.json"
	scrapeFile    = "../packaging/prometheus/scrape.yaml"
)

// TestAlertRules has promtool read the rules and run their tests.
func TestAlertRules(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: promtool (make test runs it; it sets ALIGND_E2E=1)")
	}
	promtool, err := filepath.Abs(prometheusBin + "/promtool")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", "alignd.rules.yaml"}, {"test", "rules", "alignd.rules.test.yaml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = rulesDir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// rule is one alert.
type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func alertRules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(readFile(t, rulesDir+"/alignd.rules.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// TestEachAlertIsTested: each alert is expected once, and once expected not to be
// heard, and says what an admin needs.
func TestEachAlertIsTested(t *testing.T) {
	var file struct {
		Tests []struct {
			Expect []struct {
				Name  string `yaml:"alertname"`
				Alert []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(readFile(t, rulesDir+"/alignd.rules.test.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	heard, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, e := range test.Expect {
			if len(e.Alert) > 0 {
				heard[e.Name] = true
			} else {
				quiet[e.Name] = true
			}
		}
	}
	rules := alertRules(t)
	for _, r := range rules {
		if !heard[r.Alert] || !quiet[r.Alert] {
			t.Errorf("%s: expected %v, expected not to be heard %v", r.Alert, heard[r.Alert], quiet[r.Alert])
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s lacks severity, summary or description", r.Alert)
		}
	}
	if len(heard) != len(rules) {
		t.Errorf("%d alerts, %d are expected", len(rules), len(heard))
	}
	page := string(readFile(t, "../docs/monitoring.md"))
	for _, r := range rules {
		if !strings.Contains(page, "`"+r.Alert+"`") {
			t.Errorf("monitoring.md does not list %s", r.Alert)
		}
	}
}

// dashboardQuery is one query of the dashboard.
type dashboardQuery struct{ where, expr string }

// dashboard returns the queries of all panels, and those of variables.
func dashboard(t *testing.T) (queries []dashboardQuery, variables []string) {
	t.Helper()
	var d struct {
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(readFile(t, dashboardFile), &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks nothing", p.Title)
		}
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".+").Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("panel %q has a variable that is not known: %s", p.Title, target.Expr)
			}
			queries = append(queries, dashboardQuery{"panel " + p.Title, expr})
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			variables = append(variables, v.Definition)
		}
	}
	return queries, variables
}

// TestDashboardAndAlertsAskForWhatThereIs runs each query of the dashboard and of the
// alerts against a Prometheus that scrapes an alignd at work.
func TestDashboardAndAlertsAskForWhatThereIs(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: a real Prometheus (make test runs it; it sets ALIGND_E2E=1)")
	}
	address, listen := serveMetered(t)
	p := startPrometheus(t, address)
	p.await(`up{job="alignd"} == 1`)
	sendMetered(t, listen)
	p.await(`sum(rate(alignd_messages_total[1m])) > 0`)

	queries, variables := dashboard(t)
	for _, r := range alertRules(t) {
		p.named("alert "+r.Alert, r.Expr)
		if _, err := p.query(r.Expr); err != nil {
			t.Errorf("alert %s: %v", r.Alert, err)
		}
	}
	for _, q := range queries {
		p.named(q.where, q.expr)
		switch series, err := p.query(q.expr); {
		case err != nil:
			t.Errorf("%s: %v", q.where, err)
		case series == 0:
			t.Errorf("%s: no series: %s", q.where, q.expr)
		}
		if err := p.get("query_range", url.Values{"query": {q.expr}, "step": {"5"},
			"start": {fmt.Sprint(time.Now().Unix() - 60)}, "end": {fmt.Sprint(time.Now().Unix())}}, new(any)); err != nil {
			t.Errorf("%s, as a range: %v", q.where, err)
		}
	}
	for _, v := range variables {
		m := regexp.MustCompile(`^label_values\((.+), ([a-z_]+)\)$`).FindStringSubmatch(v)
		if m == nil {
			t.Errorf("variable %q is not understood", v)
			continue
		}
		var values []string
		if err := p.get("label/"+m[2]+"/values", url.Values{"match[]": {m[1]}}, &values); err != nil || len(values) == 0 {
			t.Errorf("variable %q: %v, %v", v, values, err)
		}
	}
	p.rulesAreWell()
	if len(queries) < 40 || len(variables) != 1 {
		t.Errorf("%d queries, %d variables", len(queries), len(variables))
	}
}

// serveMetered starts an alignd, and returns where its metrics and its milter are.
func serveMetered(t *testing.T) (metrics, listen string) {
	t.Helper()
	dns := serveText(t, "_dmarc.example.com. TXT \"v=DMARC1; p=reject\"\nexample.com. TXT \"v=spf1 -all\"\n")
	addresses := make([]string, 2)
	for i := range addresses {
		var err error
		if addresses[i], err = port.Free(); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(t.TempDir(), "alignd.yaml")
	text := fmt.Sprintf("journal: {path: %s}\ndns: {servers: [%q]}\nmetrics: {listen: \"inet:%s\"}\nexceptions:\n"+
		"  - {id: guest, action: tag, proof: {clients: [198.51.100.9]}, expires: %s}\n",
		t.TempDir(), dns.Addr(), addresses[0], time.Now().AddDate(0, 0, 7).Format(time.DateOnly))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &daemon.Daemon{Binary: raceBinary(t), Config: config, Listen: "inet:" + addresses[1]}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return addresses[0], addresses[1]
}

// sendMetered has some messages judged over some seconds: a rate is seen between two
// scrapes.
func sendMetered(t *testing.T, listen string) {
	t.Helper()
	for _, ip := range []string{"198.51.100.66", "198.51.100.9", "127.0.0.1", "198.51.100.66", "198.51.100.66"} {
		client := fakemta.Dial(fakemta.Options{Network: "tcp", Address: listen}, mta.Peer{Addr: netip.MustParseAddr(ip)})
		for _, line := range []string{"EHLO client.example", "MAIL FROM:<a@example.com>", "RCPT TO:<bob@here.test>"} {
			if r := client.Command(line); r.Code != 250 {
				t.Fatalf("%s: %s", line, r)
			}
		}
		client.Data([]byte("From: a@example.com\n\nhello\n"))
		client.Close()
		time.Sleep(700 * time.Millisecond)
	}
}

// prometheus is a running Prometheus.
type prometheus struct {
	t    *testing.T
	addr string
}

// startPrometheus starts one at a private port, with scrape.yaml as it is shipped but
// for the address, and with the shipped rules.
func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	scrape := strings.ReplaceAll(string(readFile(t, scrapeFile)), "127.0.0.1:9890", target)
	if !strings.Contains(scrape, target) {
		t.Fatalf("%s does not name 127.0.0.1:9890", scrapeFile)
	}
	rules, err := filepath.Abs(rulesDir + "/alignd.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n%s", rules, scrape)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(prometheusBin+"/prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("prometheus: %v\n%s", err, log.String())
		}
	})
	return &prometheus{t: t, addr: addr}
}

// get asks the HTTP API and decodes the data of the answer.
func (p *prometheus) get(path string, form url.Values, data any) error {
	r, err := http.Get("http://" + p.addr + "/api/v1/" + path + "?" + form.Encode())
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", form.Get("query"), answer.Error)
	}
	return nil
}

// query tells how many series answer.
func (p *prometheus) query(expr string) (series int, err error) {
	var data struct{ Result []any }
	err = p.get("query", url.Values{"query": {expr}}, &data)
	return len(data.Result), err
}

func (p *prometheus) await(expr string) {
	p.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		n, err := p.query(expr)
		if err == nil && n > 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("still not %s: %d series, %v", expr, n, err)
		}
	}
}

var (
	metricNames = regexp.MustCompile(`\b(alignd|process|go)_[a-z_]+\b|\bup\b`)
	quotedText  = regexp.MustCompile(`"[^"]*"`)
)

// named checks that each metric that an expression names has series.
func (p *prometheus) named(where, expr string) {
	p.t.Helper()
	names := metricNames.FindAllString(quotedText.ReplaceAllString(expr, ""), -1)
	if len(names) == 0 {
		p.t.Errorf("%s names no metric: %s", where, expr)
	}
	for _, name := range names {
		if n, err := p.query(name); err != nil || n == 0 {
			p.t.Errorf("%s: there is no metric %s (%v)", where, name, err)
		}
	}
}

// rulesAreWell checks that Prometheus itself evaluates all alerts without an error.
func (p *prometheus) rulesAreWell() {
	p.t.Helper()
	type state struct{ Name, Health, LastError string }
	var data struct{ Groups []struct{ Rules []state } }
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		if err := p.get("rules", nil, &data); err != nil || len(data.Groups) == 0 {
			p.t.Fatalf("no rules are loaded: %v", err)
		}
		i := slices.IndexFunc(data.Groups[0].Rules, func(r state) bool { return r.Health != "ok" })
		if i < 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%+v", data.Groups[0].Rules[i])
		}
	}
}
