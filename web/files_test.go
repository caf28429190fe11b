package web

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"alignd/journal"
	"alignd/record"
	"alignd/web/access"
)

// lateReader has its messages when the time of a page is over.
type lateReader struct {
	journal.Reader
	records []*record.Record
}

func (r *lateReader) Search(ctx context.Context, _ journal.Query, found func(*journal.Entry) error) error {
	for _, x := range r.records {
		if err := found(&journal.Entry{Record: x}); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

type lateBackend struct {
	*backend
	records []*record.Record
}

func (b *lateBackend) Reader(skipped func(error)) (journal.Reader, error) {
	r, err := b.backend.Reader(skipped)
	return &lateReader{r, b.records}, err
}

// The time of a page bounds what is made of what was read, too, and a file is whole or
// none.
func TestFilesAreMadeInTime(t *testing.T) {
	records := usual(50)
	b := &lateBackend{plant(t, records...), records}
	for _, role := range []access.Role{access.Viewer, access.Auditor} {
		s := serve(t, b, func(o *Options) { o.Access.Role, o.Timeout = role, 50*time.Millisecond })
		for _, path := range []string{"/messages", "/messages.csv", "/messages.json"} {
			status, text, _ := s.Get(path)
			if status != http.StatusServiceUnavailable || !strings.Contains(text, "web.timeout") || strings.Contains(text, records[0].Evidence.QueueID) {
				t.Errorf("%s: %d %.300s", path, status, text)
			}
		}
	}
}

// What writes files ends with the time, in the middle of them.
func TestWritersEndInTime(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hiddenData(over, map[string]string{"a": "b"}); err == nil {
		t.Error("data")
	}
	var text strings.Builder
	if err := writeCSV(over, &text, &table{Columns: columns("a"), Rows: [][]cell{{plain("b")}}}); err == nil {
		t.Errorf("CSV: %q", text.String())
	}
}
