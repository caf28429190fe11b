package metrics

import (
	"testing"
	"time"

	"alignd/policy"
)

func TestReportsAreTold(t *testing.T) {
	for _, row := range []struct {
		name string
		is   Reports
		want map[string]float64
	}{
		{name: "all at once", is: theReports, want: map[string]float64{"alignd_reports_enabled": 1, "alignd_reports{waiting}": 3, "alignd_reports{put_off}": 2, "alignd_reports{unknown}": 1,
			"alignd_reports{given_up}": 0, "alignd_reports_oldest_unsent_seconds": 7200, "alignd_reports_waiting_for_dns": 4, "alignd_reports_suppressed_addresses": 5,
			"alignd_report_tries_total{lost}": 6, "alignd_report_bounces_total": 7, "alignd_report_messages_dropped_total{rows}": 8, "alignd_report_messages_dropped_total{reports}": 9, "alignd_report_messages_dropped_total{failures}": 10}},
		{name: "none are sent", want: map[string]float64{"alignd_reports_enabled": 0, "alignd_reports{sent}": 0, "alignd_reports_oldest_unsent_seconds": 0, "alignd_report_tries_total{sent}": 0}},
		{name: "a clock that was set back", is: Reports{Enabled: true, Unsent: now.Add(time.Hour)}, want: map[string]float64{"alignd_reports_oldest_unsent_seconds": 0}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMetrics(t, policy.Defaults())
			m.state.src.Reports = func() Reports { return row.is }
			families, err := m.registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]float64{}
			for _, f := range families {
				for _, x := range f.GetMetric() {
					name := f.GetName()
					for _, l := range x.GetLabel() {
						name += "{" + l.GetValue() + "}"
					}
					got[name] = x.GetCounter().GetValue() + x.GetGauge().GetValue()
				}
			}
			for name, want := range row.want {
				if is, there := got[name]; !there || is != want {
					t.Errorf("%s is %v, want %v", name, is, want)
				}
			}
		})
	}
}
