package spool

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file that somebody puts into the folder under the name of a segment keeps no record
// from being read, now or after a restart.
func TestAFileOfSomebodyElseIsPassedOver(t *testing.T) {
	for _, name := range []string{"ffffffffffffffff", "0000040000000001", "0000010000000003", "8000010000000001"} {
		for what, octets := range map[string][]byte{
			"nothing": nil, "a few octets": []byte("x"), "the begin of a segment": []byte(segmentMagic), "zeros": make([]byte, 4096),
			"a text": bytes.Repeat([]byte("no segment "), 1000), "the begin of a frame": append(make([]byte, 100), frameMagic...),
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				dir := t.TempDir()
				var said bytes.Buffer
				opt := Options{Dir: dir, SegmentSize: 400, Log: slog.New(slog.NewTextHandler(&said, nil))}
				s := open(t, opt)
				var want []string
				r, err := NewReader(dir, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				told := 0
				r.Damaged = func(Damage) { told++ }
				send := func(s *Spool, n int) {
					t.Helper()
					for range n {
						want = append(want, fmt.Sprint("record ", len(want)))
						s.Answered(add(t, s, want[len(want)-1]))
					}
				}
				send(s, 1)
				wantRecords(t, r, want)
				copyFile(t, dir, name+segmentSuffix, octets)
				send(s, 20)
				wantRecords(t, r, want[1:])
				s.Close()
				s = open(t, opt)
				send(s, 20)
				wantRecords(t, r, want[21:])
				s.Close()
				all, err := NewReader(dir, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer all.Close()
				wantRecords(t, all, want)
				aside, _ := filepath.Glob(filepath.Join(dir, "*"+foreignSuffix))
				if far := name[0] != '0'; far != (len(aside) == 1) || far != strings.Contains(said.String(), "put aside") {
					t.Errorf("aside %v, said %s", aside, said.String())
				}
				if len(octets) >= segmentHeader && told == 0 {
					t.Error("nobody is told of it")
				}
			})
		}
	}
}

// wantRecords reads on.
func wantRecords(t *testing.T, r *Reader, want []string) {
	t.Helper()
	var got []string
	for {
		f, err := r.Next()
		if err != nil {
			break
		}
		if f.Kind == KindRecord {
			got = append(got, string(f.Payload))
		}
	}
	if strings.Join(got, ",") != strings.Join(want, ",") {
		t.Fatalf("got %d records %q, want %d", len(got), got, len(want))
	}
}

// What is written where nobody can read it is told, and what follows after a second at most is
// where it can be read.
func TestTheSpoolIsRemovedWhileItIsWritten(t *testing.T) {
	for _, row := range []struct {
		name   string
		remove func(dir string) error
		said   string
	}{
		{name: "the folder", remove: os.RemoveAll, said: "the folder of the journal's spool was removed"},
		{name: "and is there again, empty", remove: func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)) }, said: "the folder of the journal's spool was removed"},
		{name: "the segments", remove: func(dir string) error {
			list, err := segments(dir)
			for _, x := range list {
				err = errors.Join(err, os.Remove(x.path))
			}
			return err
		}, said: "a segment of the journal's spool was removed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "spool")
			var said bytes.Buffer
			s := open(t, Options{Dir: dir, Log: slog.New(slog.NewTextHandler(&said, nil))})
			s.Answered(add(t, s, "before"))
			if err := row.remove(dir); err != nil {
				t.Fatal(err)
			}
			time.Sleep(lookEvery)
			for range 3 {
				n, err := s.Append([]byte("after"))
				s.Answered(n)
				if err != nil {
					t.Errorf("got %v", err)
				}
			}
			if c := s.Counts(); c.Dropped > 0 || c.Err != nil {
				t.Errorf("counted %+v", c)
			}
			r, err := NewReader(dir, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			wantRecords(t, r, []string{"after", "after", "after"})
			s.Close()
			if strings.Count(said.String(), row.said) != 1 {
				t.Errorf("said %s", said.String())
			}
		})
	}
}

func TestNumbersThatAreUsedUp(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	s.Close()
	first := firstOf(maxRun)
	if err := os.WriteFile(filepath.Join(dir, segmentName(first)), appendSegmentHeader(nil, s.ID(), first), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "used up") {
		t.Error(err)
	}
}
