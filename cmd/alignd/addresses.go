package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/rights"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
)

// Local parts that the journal does not keep as they are: option journal.addresses. The
// key of their pseudonyms lies beside the journal. sampling_secret would not do: by
// default it comes from the id of the machine, which is no secret and not the same on
// all hosts, and who changes it does not mean these. Who removes the key file makes all
// pseudonyms of the past anonymous.

// addressKeyFile has the key, in hexadecimal digits.
func addressKeyFile(cfg *config.Config) string {
	return filepath.Join(cfg.Journal.Path, "addresses.key")
}

const addressKeySize = 32

// readAddressKey reads a key. It is fs.ErrNotExist where there is none.
func readAddressKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseAddressKey(path, string(text))
}

func parseAddressKey(at, text string) ([]byte, error) {
	key, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != addressKeySize {
		return nil, fmt.Errorf("%s: the key of addresses is not 64 hexadecimal digits", at)
	}
	return key, nil
}

// makeAddressKey reads a key, or makes one.
func makeAddressKey(path string) ([]byte, error) {
	key, err := readAddressKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = newAddressKey()
	if err := rights.MakeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := rights.Open(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if errors.Is(err, fs.ErrExist) { // somebody else made one just now
		return readAddressKey(path)
	}
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return key, nil
}

func newAddressKey() []byte {
	key := make([]byte, addressKeySize)
	_, _ = rand.Read(key) // never fails
	return key
}

// privacy is what the journal keeps of addresses. Where the key cannot be had, local
// parts are dropped: what was to be hidden is never kept as it is.
func privacy(cfg *config.Config, log *slog.Logger) *judge.Privacy {
	switch cfg.Journal.Addresses {
	case "drop":
		return &judge.Privacy{How: record.AddressesDropped}
	case "hash":
		key, err := makeAddressKey(addressKeyFile(cfg))
		if err != nil {
			log.Error("the journal drops local parts of addresses, as the key to hash them cannot be had", "err", err)
			return &judge.Privacy{How: record.AddressesDropped}
		}
		return &judge.Privacy{How: record.AddressesHashed, Pseudonyms: judge.NewPseudonyms(key, cfg.RecipientDelimiter)}
	}
	return &judge.Privacy{}
}

// privateSink hands on what a journal keeps of records.
type privateSink struct {
	*judge.Privacy
	to record.Sink
}

// Take implements record.Sink.
func (s privateSink) Take(r *record.Record) (sent func(written bool)) { return s.to.Take(s.Record(r)) }

// judgePrivate has records judged under cfg whose local parts are not kept as they were:
// entries hold for the pseudonyms that key makes, and what needs other ones is undecidable.
func judgePrivate(o *replay.Options, cfg *config.Config, key []byte) (err error) {
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

// knownPseudonyms are those that records of a journal may have, whatever the option
// says now; nil where there is no key.
func knownPseudonyms(cfg *config.Config) (*judge.Pseudonyms, error) {
	key, err := readAddressKey(addressKeyFile(cfg))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the key of hashed addresses: %w", err)
	}
	return judge.NewPseudonyms(key, cfg.RecipientDelimiter), nil
}

// asKept has a query for a sender ask for what the journal has of it.
func asKept(cfg *config.Config, q *journal.Query) error {
	at := strings.LastIndexByte(q.MailFrom, '@')
	switch {
	case at <= 0 || cfg.Journal.Addresses == "keep":
		return nil
	case cfg.Journal.Addresses == "drop":
		return errors.New("the journal does not keep local parts (journal.addresses: drop): ask for the domain")
	}
	p, err := knownPseudonyms(cfg)
	if err != nil || p == nil {
		return err
	}
	q.MailFrom = p.Local(q.MailFrom[:at], q.MailFrom[at+1:]) + q.MailFrom[at:]
	return nil
}

// rulesForKept are the rules of a configuration for records of the journal of another
// one, which may have local parts hashed. Where the key cannot be read they are those for
// whole addresses.
func rulesForKept(of, cfg *config.Config) *policy.Rules {
	key, err := readAddressKey(addressKeyFile(of))
	if err != nil {
		return cfg.Rules
	}
	rules, err := cfg.RulesWith(judge.NewPseudonyms(key, cfg.RecipientDelimiter).Local)
	if err != nil {
		return cfg.Rules
	}
	return rules
}
