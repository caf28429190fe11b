package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"alignd/journal/running"
	"alignd/web"
)

// Times after which the daemon is late with what it tells every ten seconds, and how many
// records may wait for the store; ours.
const (
	toldLate    = time.Minute
	waitingMany = 5000
)

// Behind implements web.Backend: by what the daemon of this host tells of its journal.
func (b *webBackend) Behind(context.Context) (list []string) {
	d := running.ReadTold(b.begun)
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
	if n := d.Loaded + d.Dropped + d.Missing + d.Unreadable + d.Aside; d.Written > n+waitingMany {
		list = append(list, fmt.Sprintf("%d records wait for the store", d.Written-n))
	}
	if d.Dropped > 0 {
		list = append(list, fmt.Sprintf("%d records were dropped since %s, as the spool was full", d.Dropped, d.Since.Format(time.DateTime)))
	}
	if d.Aside > 0 {
		list = append(list, fmt.Sprintf("%d records were set aside since %s, as a store fails on them (alignd journal status)", d.Aside, d.Since.Format(time.DateTime)))
	}
	if n := d.Missing + d.Unreadable + d.Damages; n > 0 {
		list = append(list, fmt.Sprintf("%d records or places of the spool could not be read since %s", n, d.Since.Format(time.DateTime)))
	}
	return list
}

// maxMetricValues bounds what of a metric is shown; ours.
const maxMetricValues = 200

// Metrics implements web.Backend: those that the daemon serves on this host.
func (b *webBackend) Metrics(ctx context.Context) (list []web.Metric, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err = errors.New("metrics.listen names no place")
	for _, place := range b.begun.Metrics.Listen {
		var found map[string]*dto.MetricFamily
		if found, err = scrape(ctx, place); err != nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(found)) {
			family := found[name]
			m := web.Metric{Name: name, Help: family.GetHelp(), Type: strings.ToLower(family.GetType().String()), Values: []web.MetricValue{}}
			for i, one := range family.Metric {
				if i < maxMetricValues {
					m.Values = append(m.Values, web.MetricValue{Labels: labelText(one), Value: valueOf(name, one)})
				}
			}
			list = append(list, m)
		}
		return list, nil
	}
	return nil, err
}

func labelText(m *dto.Metric) string {
	var all []string
	for _, l := range m.Label {
		all = append(all, l.GetName()+"="+l.GetValue())
	}
	return strings.Join(all, " ")
}

func valueOf(name string, m *dto.Metric) string {
	if h := m.GetHistogram(); h != nil {
		return fmt.Sprintf("%d, sum %g", h.GetSampleCount(), h.GetSampleSum())
	}
	if q := m.GetSummary(); q != nil {
		return fmt.Sprintf("%d, sum %g", q.GetSampleCount(), q.GetSampleSum())
	}
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
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(http.MaxBytesReader(nil, resp.Body, 4<<20))
}
