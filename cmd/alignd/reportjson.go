package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"alignd/report/read"
)

// reportJSON prints the one object of `report show --json`. Reports are printed
// as they are read; failures and problems wait for their lists.
type reportJSON struct {
	out      io.Writer
	sep      string
	failures read.Spool[read.Failure]
	problems read.Spool[read.Problem]
	err      error // the first one of those that nobody was told
}

func newReportJSON(out io.Writer) *reportJSON { return &reportJSON{out: out, sep: `{"reports":[`} }

// Aggregate implements read.Sink.
func (j *reportJSON) Aggregate(head *read.Aggregate, records *read.Records) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(head); err != nil {
		return err
	}
	object := bytes.TrimSuffix(bytes.TrimSpace(text.Bytes()), []byte("}"))
	if len(object) > 1 { // it has a key, which a report that says nothing of itself has not
		object = append(object, ',')
	}
	if _, err := io.WriteString(j.out, j.sep+string(object)+`"records":`); err != nil {
		return err
	}
	j.sep = ",\n"
	if err := records.WriteJSON(j.out); err != nil {
		return err
	}
	_, err := io.WriteString(j.out, "}")
	return err
}

// Failure implements read.Sink.
func (j *reportJSON) Failure(f *read.Failure) error { return j.failures.Add(f) }

// Problem implements read.Sink.
func (j *reportJSON) Problem(p read.Problem) { j.err = errors.Join(j.err, j.problems.Add(&p)) }

func (j *reportJSON) end() error {
	defer j.failures.Close()
	defer j.problems.Close()
	if j.sep != ",\n" { // no report
		_, _ = io.WriteString(j.out, j.sep)
	}
	_, _ = io.WriteString(j.out, "],\n\"failures\":")
	err := j.failures.WriteJSON(j.out)
	_, _ = io.WriteString(j.out, ",\n\"problems\":")
	err = errors.Join(j.err, err, j.problems.WriteJSON(j.out))
	_, last := io.WriteString(j.out, "}\n")
	return errors.Join(err, last)
}
