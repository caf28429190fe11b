package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Times after which the daemon is late with what it tells every ten seconds, and how many
// records may wait for the store; ours.
const (
	toldLate    = time.Minute
	waitingMany = 5000
)

// Behind implements web.Backend: by what the daemon of this host tells of its journal.
func (b *webBackend) Behind(context.Context) (list []string) {
	d := readTold(b.begun)
	if d == nil {
		return nil
	}
	switch {
	case d.Stopped:
		list = append(list, "the daemon of this host stopped at "+d.At.Format(time.DateTime))
	case time.Since(d.At) > toldLate:
		list = append(list, "the daemon of this host tells nothing since "+d.At.Format(time.DateTime))
	}
	if !d.FailingSince.IsZero() {
		list = append(list, "not all is taken from the spool since "+d.FailingSince.Format(time.DateTime)+": "+d.Err)
	}
	if n := d.Loaded + d.Dropped + d.Missing + d.Unreadable; d.Written > n+waitingMany {
		list = append(list, fmt.Sprintf("%d records wait for the store", d.Written-n))
	}
	if d.Dropped > 0 {
		list = append(list, fmt.Sprintf("%d records were dropped since %s, as the spool was full", d.Dropped, d.Since.Format(time.DateTime)))
	}
	if n := d.Missing + d.Unreadable + d.Damages; n > 0 {
		list = append(list, fmt.Sprintf("%d records or places of the spool could not be read since %s", n, d.Since.Format(time.DateTime)))
	}
	return list
}

// liveMetrics are what the page Health shows of the daemon's metrics.
var liveMetrics = []struct{ metric, name string }{
	{"alignd_build_info", "version"}, {"alignd_config_info", "configuration"}, {"alignd_config_last_reload_successful", "last reload successful"},
	{"alignd_config_last_reload_success_timestamp_seconds", "last reload"}, {"process_start_time_seconds", "started"},
	{"alignd_connections", "connections of MTAs"}, {"alignd_sessions", "sessions"}, {"alignd_messages_total", "messages"},
	{"alignd_dns_questions_total", "DNS questions"}, {"alignd_dns_failures_total", "DNS failures"}, {"alignd_journal_open", "journal open"},
	{"alignd_journal_written_total", "records written"}, {"alignd_journal_dropped_total", "records dropped"},
}

// Live implements web.Backend: by the metrics that the daemon serves on this host.
func (b *webBackend) Live(ctx context.Context) (list [][2]string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, place := range b.begun.Metrics.Listen {
		found, err := scrape(ctx, place)
		if err != nil {
			continue
		}
		for name, family := range found {
			if !strings.HasPrefix(name, "alignd_") && name != "process_start_time_seconds" {
				continue
			}
			title := name
			for _, m := range liveMetrics {
				if m.metric == name {
					title = m.name
				}
			}
			if len(family.Metric) > 8 || len(list) > 200 || family.GetType() == dto.MetricType_HISTOGRAM {
				continue
			}
			for _, m := range family.Metric {
				list = append(list, [2]string{title + labelText(m), valueOf(name, m)})
			}
		}
		slices.SortFunc(list, func(x, y [2]string) int { return strings.Compare(x[0], y[0]) })
		return list
	}
	return nil
}

func labelText(m *dto.Metric) string {
	var all []string
	for _, l := range m.Label {
		all = append(all, l.GetName()+"="+l.GetValue())
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, " ") + ")"
}

func valueOf(name string, m *dto.Metric) string {
	v := m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
	if strings.HasSuffix(name, "_timestamp_seconds") || name == "process_start_time_seconds" {
		return time.Unix(int64(v), 0).UTC().Format(time.DateTime)
	}
	return fmt.Sprintf("%g", v)
}

// scrape reads the metrics at a place of the option metrics.listen.
func scrape(ctx context.Context, place string) (map[string]*dto.MetricFamily, error) {
	network, address := "tcp", strings.TrimPrefix(place, "inet:")
	if path, unix := strings.CutPrefix(place, "unix:"); unix {
		network, address = "unix", path
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(http.MaxBytesReader(nil, resp.Body, 4<<20))
}
