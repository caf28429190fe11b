// Package privacy knows what the journal of a configuration keeps of addresses: option
// journal.addresses. The key of their pseudonyms lies beside the journal. sampling_secret
// would not do: by default it comes from the id of the machine, which is no secret and not
// the same on all hosts, and who changes it does not mean these. Who removes the key file
// makes all pseudonyms of the past anonymous.
package privacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
)

// Of is what the journal keeps of addresses. Where the key cannot be had, local
// parts are dropped: what was to be hidden is never kept as it is.
func Of(cfg *config.Config, log *slog.Logger) *judge.Privacy {
	switch cfg.Journal.Addresses {
	case "drop":
		return &judge.Privacy{How: record.AddressesDropped}
	case "hash":
		key, err := MakeKey(place.AddressKeyFile(cfg))
		if err != nil {
			log.Error("the journal drops local parts of addresses, as the key to hash them cannot be had", "err", err)
			return &judge.Privacy{How: record.AddressesDropped}
		}
		return &judge.Privacy{How: record.AddressesHashed, Pseudonyms: judge.NewPseudonyms(key, cfg.RecipientDelimiter)}
	}
	return &judge.Privacy{}
}

// Sink hands on to another one what p lets a journal keep of records.
func Sink(p *judge.Privacy, to record.Sink) record.Sink { return sink{p, to} }

type sink struct {
	*judge.Privacy
	to record.Sink
}

// Take implements record.Sink.
func (s sink) Take(r *record.Record) (sent func(written bool)) { return s.to.Take(s.Record(r)) }

// Replay has records judged under cfg whose local parts are not kept as they were:
// entries hold for the pseudonyms that key makes, and what needs other ones is undecidable.
func Replay(o *replay.Options, cfg *config.Config, key []byte) (err error) {
	p := &judge.Privacy{}
	if key != nil {
		p.Pseudonyms = judge.NewPseudonyms(key, cfg.RecipientDelimiter)
		if o.Rules, err = cfg.RulesWith(p.Pseudonyms.Local); err != nil {
			return err
		}
	}
	o.Prepare = p.Decidable
	return nil
}

// Pseudonyms are those that records of a journal may have, whatever the option
// says now; nil where there is no key.
func Pseudonyms(cfg *config.Config) (*judge.Pseudonyms, error) {
	key, err := ReadKey(place.AddressKeyFile(cfg))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the key of hashed addresses: %w", err)
	}
	return judge.NewPseudonyms(key, cfg.RecipientDelimiter), nil
}

// AsKept has a query for a sender ask for what the journal has of it.
func AsKept(cfg *config.Config, q *journal.Query) error {
	at := strings.LastIndexByte(q.MailFrom, '@')
	switch {
	case at <= 0 || cfg.Journal.Addresses == "keep":
		return nil
	case cfg.Journal.Addresses == "drop":
		return errors.New("the journal does not keep local parts (journal.addresses: drop): ask for the domain")
	}
	p, err := Pseudonyms(cfg)
	if err != nil || p == nil {
		return err
	}
	q.MailFrom = p.Local(q.MailFrom[:at], q.MailFrom[at+1:]) + q.MailFrom[at:]
	return nil
}

// Rules are the rules of a configuration for records of the journal of another
// one, which may have local parts hashed. Where the key cannot be read they are those for
// whole addresses.
func Rules(of, cfg *config.Config) *policy.Rules {
	key, err := ReadKey(place.AddressKeyFile(of))
	if err != nil {
		return cfg.Rules
	}
	rules, err := cfg.RulesWith(judge.NewPseudonyms(key, cfg.RecipientDelimiter).Local)
	if err != nil {
		return cfg.Rules
	}
	return rules
}

// Text is the text of a configuration without local parts. Entries hold for
// their pseudonyms.
func Text(p *judge.Privacy, text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("a kept configuration: %w", err)
	}
	return json.Marshal(without(p, v))
}

func without(p *judge.Privacy, v any) any {
	switch v := v.(type) {
	case string:
		return p.Text(v)
	case []any:
		for i := range v {
			v[i] = without(p, v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = without(p, v[key])
		}
	}
	return v
}
